"""The page of a network: everything that can be seen of it, in one file."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spikewright.contract.defaults import VIEW, VIEWED_SAMPLES
from spikewright.contract.errors import InputError
from spikewright.data.shd import SpikeData
from spikewright.integer.recordings import fitting, load
from spikewright.integer.reference import IntegerNetwork
from spikewright.report.cost import stored_bits
from spikewright.report.groups import percent
from spikewright.report.live import Live, Section, Spec, document, facts, plot
from spikewright.report.page import table
from spikewright.support.files import atomic_path
from spikewright.viewer import figures, memory
from spikewright.viewer.activity import Recording, record
from spikewright.viewer.diagram import diagram
from spikewright.viewer.subject import Subject, subject_of


def view(
    thing: Any,
    data: SpikeData | Path | str | None = None,
    out: Path | str = VIEW,
    *,
    split: str = "test",
    samples: int = VIEWED_SAMPLES,
    lanes: int | None = None,
    weight_bits: int | None = None,
) -> dict[str, Any]:
    """Write a page that shows a network: one HTML file that needs no server and no other file.

    It has the layers with their sizes, zeros and firing rates; the patterns and histograms of weights and delays; on
    recordings, spikes, the scores as they grow, and where the cycles of a core go; what lies in the memories of the
    core, and the bits per synapse against the least that any encoding takes.

    Parameters
    ----------
    thing : path, str, SpikingNetwork, IntegerNetwork or NetworkSpec
        A checkpoint, an integer network or a build folder, the name of a shipped checkpoint, or a network itself.
    data : SpikeData, path or str, optional
        Recordings, the folder of the network's data set, or `sample`, the shipped ones. Without, what they show is
        left out.
    out : path
        File to write; one that is there is replaced.
    split : str
        Part of the data set that is shown, where `data` is a folder.
    samples : int
        The first so many recordings are run, at least 1; all if there are fewer.
    lanes : int, optional
        Of the core that is shown, 8 by default; a build has its own.
    weight_bits : int, optional
        Of the integers that a float network becomes for that core, 8 by default.

    Returns
    -------
    dict
        JSON-ready: page, bytes, kind, network (sizes by layer), weights, synapses, sparsity; of recordings samples and
        accuracy; of a core bits_per_synapse, limit and cycles (mean of an inference). None where it is not known.

    Raises
    ------
    InputError
        If `thing` is no network or damaged, the recordings do not fit it, or the page cannot be written.
    """
    if samples < 1:
        raise InputError(f"samples must be at least 1, not {samples}")
    subject = subject_of(thing, lanes, weight_bits)
    recorded = None if data is None else _recordings(subject, data, split, samples)
    report, text = page(subject, recorded)
    with atomic_path(out) as part:
        part.write_text(text, "utf-8", newline="\n")
    return {"page": str(out), "bytes": len(text.encode()), **report}


def _recordings(subject: Subject, data: SpikeData | Path | str, split: str, samples: int) -> SpikeData:
    if isinstance(data, SpikeData):
        return fitting(data.first(samples), subject.shape)
    return load(Path(data), split, subject.shape, subject.binning, at_most=samples, model=subject.path)


def page(subject: Subject, data: SpikeData | None) -> tuple[dict[str, Any], str]:
    """What is found, JSON-ready, and the page that shows it."""
    recordings = record(subject, data) if data is not None else []
    rates = _rates(recordings)
    drawn: dict[str, Spec] = {}
    sections = [
        Section("network", "Network", diagram(subject, _mean_rates(rates))),
        Section("weights", "Weights and delays", _weights(subject, rates, drawn)),
    ]
    choices: list[dict[str, Any]] = []
    names = _class_names(subject, data)
    if recordings:
        choices = [_choice(subject, number, item, names) for number, item in enumerate(recordings)]
        sections.append(Section("activity", "Activity", _activity(subject, choices)))
    else:
        sections.append(Section("activity", "Activity", _NO_DATA))
    sections.append(Section("cycles", "Cycles", _cycles(subject, recordings)))
    if subject.core is not None:
        sections.append(Section("memory", "Memories", _memories(subject, drawn)))
    sections.append(Section("origin", "Where it comes from", _origin(subject)))
    report = _report(subject, recordings)
    kind = subject.kind + (f", {subject.sizes}" if subject.sizes not in subject.name else "")
    intro = f'<p class="muted">{html.escape(kind)}</p>{facts(_facts(subject, report, recordings))}'
    neurons = _neurons(subject, rates)
    live = Live(drawn, choices, neurons)
    return report, document(subject.name, intro, sections, live=live)


_NO_DATA = (
    '<p class="note">With recordings (<code>--data DIR</code>, or <code>--data sample</code> for the shipped ones) '
    "this page also shows the spikes of every layer on samples to choose from, the scores as they grow, firing rates, "
    "and the cycles of each step.</p>"
)


def _rates(recordings: Sequence[Recording]) -> list[np.ndarray[Any, Any]]:
    """Mean events of every input, then spikes of every neuron by layer, per step; empty without recordings."""
    if not recordings:
        return []
    inputs = np.mean([item.events.mean(axis=0) for item in recordings], axis=0)
    layers = range(len(recordings[0].spikes))
    return [inputs, *(np.mean([item.spikes[k].mean(axis=0) for item in recordings], axis=0) for k in layers)]


def _mean_rates(rates: Sequence[np.ndarray[Any, Any]]) -> list[float] | None:
    return [float(rate.mean()) for rate in rates] or None


def _class_names(subject: Subject, data: SpikeData | None) -> list[str]:
    """Names of all classes as Plotly shows them: it takes tags for tags."""
    keys = data.keys if data is not None else ()
    names = [keys[k] if k < len(keys) else str(k) for k in range(subject.shape.classes)]
    return [html.escape(name) for name in names]


def _title(subject: Subject, index: int) -> str:
    return f"Layer {index}" if subject.layers[index].spiking else "Read-out"


def _weights(subject: Subject, rates: Sequence[np.ndarray[Any, Any]], drawn: dict[str, Spec]) -> str:
    whole = isinstance(subject.network, IntegerNetwork)
    parts = [
        "<p>Every point of a pattern is a weight that is not zero: "
        '<span class="key" style="background: var(--low)"></span>negative, '
        '<span class="key" style="background: var(--high)"></span>positive. Point at one for its value; of its neuron, '
        "more is told here.</p>",
        _inspector(subject),
    ]
    for index, layer in enumerate(subject.layers):
        places = []
        for kind, weights in zip(("feed", "own"), layer.matrices, strict=False):
            name = f"{kind}{index}"
            source = ("input" if index == 0 else "neuron before") if kind == "feed" else "own neuron"
            drawn[name], note = figures.matrix(weights, index, source, "d" if whole else ".3f")
            zero = 1 - np.count_nonzero(weights) / max(1, weights.size)
            title = "Input weights" if kind == "feed" else "Recurrent weights"
            shape = f"{title}: {weights.shape[0]} neurons from {weights.shape[1]}, {percent(round(zero, 4))} zero."
            places.append(_figure(name, 320, shape, f"{shape} {note}"))
        named = [
            (kind, weights[weights != 0])
            for kind, weights in zip(("inputs", "recurrent"), layer.matrices, strict=False)
        ]
        drawn[f"weights{index}"] = figures.histogram(named, "weight", whole=whole)
        places.append(_figure(f"weights{index}", 240, "Histogram of the weights", "Weights that are not zero."))
        if layer.delays is not None:
            delays = np.rint(layer.delays).astype(np.int64)
            drawn[f"delays{index}"] = figures.histogram([("delays", delays)], "delay (steps)", whole=True)
            mean = f"Delays of its neurons, {delays.mean():.1f} steps on average; rounded, as they are used."
            places.append(_figure(f"delays{index}", 240, "Histogram of the delays", mean))
        if rates and layer.spiking:
            drawn[f"rates{index}"] = figures.histogram([("rates", rates[index + 1])], "spikes per step")
            silent = int((rates[index + 1] == 0).sum())
            text = f"Firing rates of its neurons on the recordings; {silent} of {layer.neurons} never fire."
            places.append(_figure(f"rates{index}", 240, "Histogram of the firing rates", text))
        parts.append(f'<h3>{_title(subject, index)}</h3>\n<div class="plots">{"".join(places)}</div>')
    return "\n".join(parts)


def _figure(name: str, height: int, description: str, caption: str, *, chosen: bool = False) -> str:
    place = plot(name, height, description, chosen=chosen)
    return f"<figure>{place}<figcaption>{html.escape(caption)}</figcaption></figure>"


def _code(text: str) -> str:
    """Text as HTML, what stands in backticks as code."""
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", html.escape(text))


def _inspector(subject: Subject) -> str:
    options = "".join(f'<option value="{k}">{_title(subject, k)}</option>' for k in range(len(subject.layers)))
    return (
        f'<div class="controls"><label>Layer<select id="neuron-layer">{options}</select></label>'
        '<label>Neuron<input id="neuron" type="number" min="0" value="0"></label></div>\n'
        '<p id="neuron-text" class="note" aria-live="polite"></p>'
    )


def _neurons(subject: Subject, rates: Sequence[np.ndarray[Any, Any]]) -> list[list[str]]:
    """What is to be told of each neuron, by layer."""
    texts = []
    for index, layer in enumerate(subject.layers):
        fan_in = [np.count_nonzero(matrix, axis=1) for matrix in layer.matrices]
        following = subject.layers[index + 1].feed if index + 1 < len(subject.layers) else None
        fan_out = np.zeros(layer.neurons, np.int64) if following is None else np.count_nonzero(following, axis=0)
        of_layer = []
        for neuron in range(layer.neurons):
            words = f"{_title(subject, index)}, neuron {neuron}: {fan_in[0][neuron]} of {layer.inputs} inputs"
            if layer.own is not None and layer.delays is not None:
                words += f", {fan_in[1][neuron]} of {layer.neurons} recurrent synapses"
                words += f"; its spikes come back after {1 + round(float(layer.delays[neuron]))} steps"
            if layer.spiking:
                words += f"; {fan_out[neuron]} synapses onward"
                if rates:
                    words += f"; fires {rates[index + 1][neuron]:.3f} times per step"
            of_layer.append(f"{words}.")
        texts.append(of_layer)
    return texts


def _choice(subject: Subject, number: int, item: Recording, names: Sequence[str]) -> dict[str, Any]:
    drawn = {"input": figures.raster(item.events, "input", "@ink", None)}
    for k, spikes in enumerate(item.spikes):
        drawn[f"spikes{k}"] = figures.raster(spikes, "neuron", figures.COLORS[k % len(figures.COLORS)], k)
    drawn["scores"] = figures.scores(item, names)
    said, decided = html.unescape(names[item.label]), html.unescape(names[item.decided])
    verdict = "and is right" if item.label == item.decided else f"but it is {said}"
    fired = [f"layer {k} fires {int(spikes.sum()):,} times" for k, spikes in enumerate(item.spikes)]
    if item.cycles is not None:
        drawn["cycles"] = figures.cycles(item.cycles, [_title(subject, k) for k in range(len(subject.layers))])
        fired.append(f"the core takes {item.cycles.latency:,} cycles")
    told = ", ".join(fired)
    text = f"Recording {number}: the network decides {decided}, {verdict}. {told[:1].upper()}{told[1:]}"
    mark = "" if item.label == item.decided else ", wrong"
    return {"label": f"{number}: {said}{mark}", "text": f"{text}.", "figures": drawn}


def _activity(subject: Subject, choices: Sequence[dict[str, Any]]) -> str:
    options = "".join(f"<option>{html.escape(choice['label'])}</option>" for choice in choices)
    places = [_figure("input", 220, "Raster of the input events", "Input events, stronger for more.", chosen=True)]
    for k, layer in enumerate(subject.layers):
        if layer.spiking:
            places.append(_figure(f"spikes{k}", 260, f"Raster of layer {k}", f"Spikes of layer {k}.", chosen=True))
    caption = "Scores of all classes up to each step; the highest after the last step decides."
    places.append(_figure("scores", 300, "Scores of the read-out over time", caption, chosen=True))
    first = html.escape(choices[0]["text"])
    plots = f'<div class="plots two">{"".join(places)}</div>'
    return (
        f'<div class="controls"><label>Recording<select id="choice">{options}</select></label>'
        '<button id="previous" type="button">Previous</button><button id="next" type="button">Next</button></div>\n'
        f'<p id="choice-text" class="note" aria-live="polite">{first}</p>\n{plots}'
    )


def _cycles(subject: Subject, recordings: Sequence[Recording]) -> str:
    core = subject.core
    if core is None:
        return f"<p>{html.escape(subject.no_core)}</p>"
    about = f"<p>Of {_code(subject.how)}, by the cycle model, which simulations hold to be exact.</p>"
    if not recordings:
        return f'{about}<p class="note">Cycles depend on the events: <code>--data DIR</code> shows them.</p>'
    found = [item.cycles for item in recordings if item.cycles is not None]
    latency = float(np.mean([item.latency for item in found]))
    rows = []
    for k, image in enumerate(core.layers):
        integrating = float(np.mean([item.integrating[k] for item in found]))
        busiest = float(np.mean([item.busiest[k].sum() for item in found]))
        cells = [f"{integrating:,.0f}", percent(round(integrating / latency, 3)), f"{busiest:,.0f}"]
        rows.append([_title(subject, k), str(image.lanes), str(image.rows), *cells])
    head = ["layer", "lanes", "rows", "cycles between sweeps", "of an inference", "synapses of the busiest lane"]
    caption = (
        f"Mean of {len(recordings)} recordings, {latency:,.0f} cycles an inference. Between sweeps a layer adds "
        "synapses, or waits for events; a sweep over its membranes takes a cycle per row and step. Layers with lanes "
        "of their own work at the same time."
    )
    where = (
        "Of the recording that is chosen above: cycles from each step to the next, and by layer the synapses of the "
        "busiest lane, a cycle each. Layers may work a step or two ahead; what is above all of them is sweeps and "
        "waiting."
    )
    step = _figure("cycles", 320, "Cycles by step and layer", where, chosen=True)
    return f"{about}{table(head, rows, caption)}{step}"


def _memories(subject: Subject, drawn: dict[str, Spec]) -> str:
    core = subject.core
    assert core is not None
    parts = [f"<p>Of {_code(subject.how)}; block RAMs are those of {html.escape(subject.target)}.</p>"]
    for index, lanes in enumerate(memory.lanes_of(core)):
        drawn[f"memory{index}"] = figures.memory_map(lanes)
        keys = "".join(
            f'<span class="key" style="background: var(--{color[1:]})"></span>{html.escape(kind)} '
            for kind, color in zip(lanes.kinds, figures.COLORS * len(lanes.kinds), strict=False)
        )
        tall = 110 + min(260, 18 * len(lanes.words))
        text = f"Synapses of {lanes.name}: {len(lanes.words)} lanes of {lanes.words.shape[1]:,} words"
        parts.append(
            f"<h3>{html.escape(text)}</h3>\n<p>{keys}<span class='key'></span>unused "
            f"({percent(round(lanes.unused, 4))})</p>{plot(f'memory{index}', tall, text)}"
        )
    found = memory.densities(core)
    drawn["density"] = figures.density(found)
    rows = [
        [item.name, f"{item.synapses:,}", item.chosen, f"{item.stored[item.chosen]:.2f}", f"{item.limit:.2f}",
         f"{item.stored[item.chosen] / item.limit:.3f}"]
        for item in found
    ]  # fmt: skip
    whole = memory.whole_density(core, stored_bits(core))
    if whole is not None and len(found) > 1:
        rows.append(["all", f"{sum(item.synapses for item in found):,}", "", f"{whole[0]:.2f}", f"{whole[1]:.2f}",
                     f"{whole[0] / whole[1]:.3f}"])  # fmt: skip
    head = ["memory", "synapses", "encoding", "bits per synapse", "limit", "of limit"]
    caption = (
        "Pointers and synapses as stored. No encoding goes below log2(C(N, k)) / k bits for the place of each of k "
        "synapses among N weights, and the bits of its weight."
    )
    parts.append(f"<h3>Bits per synapse against the limit</h3>\n{table(head, rows, caption)}")
    if found:
        parts.append(plot("density", 280, "Bits per synapse in every encoding, and the limit"))
    parts.append(f"<h3>All memories</h3>\n{_places(core, subject.target)}")
    return "\n".join(parts)


def _places(core: Any, target: str) -> str:
    rows = []
    for item in memory.places(core, target):
        least, most = item.words
        rows.append(
            [
                item.name,
                str(item.count),
                f"{most:,}" if least == most else f"{least:,} – {most:,}",
                str(item.width),
                f"{item.bits:,}",
                str(item.brams) if item.brams else "",
                "" if item.unused is None else percent(round(item.unused, 3)),
            ]
        )
    head = ["memory", "number", "words", "bits of a word", "bits", "block RAMs", "unused in them"]
    return table(head, rows, "As estimated without synthesis; without block RAMs, they are made of LUTs or registers.")


def _origin(subject: Subject) -> str:
    rows = [[name, value] for name, value in subject.made]
    return table(["what", "value"], rows, "As the file says.") if rows else "<p>A network in memory, no file.</p>"


def _report(subject: Subject, recordings: Sequence[Recording]) -> dict[str, Any]:
    weights, synapses = sum(item.weights for item in subject.layers), sum(item.synapses for item in subject.layers)
    density = None if subject.core is None else memory.whole_density(subject.core, stored_bits(subject.core))
    cycles = [item.cycles.latency for item in recordings if item.cycles is not None]
    right = [item.decided == item.label for item in recordings]
    return {
        "kind": subject.kind,
        "network": [subject.shape.inputs, *(layer.neurons for layer in subject.layers)],
        "weights": weights,
        "synapses": synapses,
        "sparsity": 1 - synapses / weights,
        "samples": len(recordings) or None,
        "accuracy": float(np.mean(right)) if right else None,
        "bits_per_synapse": None if density is None else density[0],
        "limit": None if density is None else density[1],
        "cycles": float(np.mean(cycles)) if cycles else None,
    }


def _facts(subject: Subject, report: dict[str, Any], recordings: Sequence[Recording]) -> list[tuple[str, str, str]]:
    neurons = sum(layer.neurons for layer in subject.layers if layer.spiking)
    items = [
        ("Neurons", f"{neurons:,}", f"{report['network'][-1]} classes"),
        ("Weights", f"{report['weights']:,}", f"{report['synapses']:,} not zero"),
        ("Zero weights", percent(round(report["sparsity"], 4)), ""),
    ]
    if recordings:
        right = sum(item.decided == item.label for item in recordings)
        items.append(("Right", f"{right} of {len(recordings)}", "of the recordings shown"))
    if report["cycles"] is not None:
        items.append(("Cycles", f"{report['cycles']:,.0f}", "mean of an inference"))
    if report["bits_per_synapse"] is not None:
        of_limit = report["bits_per_synapse"] / report["limit"]
        items.append(("Bits per synapse", f"{report['bits_per_synapse']:.2f}", f"{of_limit:.2f} of the limit"))
    return items
