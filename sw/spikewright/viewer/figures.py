"""Figures of a network, as Plotly takes them: no drawing here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from spikewright.report.live import Spec, encode
from spikewright.viewer.activity import Cycles, Recording
from spikewright.viewer.memory import UNUSED, Density, Lanes

COLORS = ("@c1", "@c2", "@c3", "@c4", "@c5", "@c6")
_CELLS = 1 << 18
"""Most cells of a picture: what screens show, and some hundred kilobytes."""
_BINS = 41
_SIGNED = [[0, "@low"], [0.5, "@lowsoft"], [0.5, "@highsoft"], [1, "@high"]]
"""From the lowest weight to the highest; small weights are still told from none, which is the ground."""

_LEGEND = {"orientation": "h", "y": 1.02, "yanchor": "bottom", "traceorder": "normal"}

Array = npt.NDArray[Any]


def blocks(values: Array, reduce: Any, most: int = _CELLS) -> tuple[Array, int, int]:
    """A matrix with blocks of cells made one where it has too many, and the sides of such a block."""
    tall = wide = 1
    while -(-values.shape[0] // tall) * -(-values.shape[1] // wide) > most:
        if values.shape[0] // tall > values.shape[1] // wide:
            tall *= 2
        else:
            wide *= 2
    if tall > 1:
        values = reduce.reduceat(values, np.arange(0, values.shape[0], tall), axis=0)
    if wide > 1:
        values = reduce.reduceat(values, np.arange(0, values.shape[1], wide), axis=1)
    return values, tall, wide


def _image(values: Array, tall: int, wide: int, **more: Any) -> dict[str, Any]:
    """A trace of a picture whose cells of 0 are empty; each cell stands in the middle of its block."""
    return {
        "type": "heatmap",
        "z": {**encode(values), "empty": 0},
        "x0": (wide - 1) / 2,
        "dx": wide,
        "y0": (tall - 1) / 2,
        "dy": tall,
        "hoverongaps": False,
        "showscale": False,
        **more,
    }


def matrix(weights: Array, layer: int, source: str, unit: str) -> tuple[Spec, str]:
    """The pattern of a weight matrix, and what is to be known of it.

    Parameters
    ----------
    weights : (neurons, axons) numbers
    layer : int
    source : str
        What an axon is: "input", "neuron".
    unit : str
        Format of a weight for D3: "d", ".3f".
    """
    note = ""
    if weights.size > _CELLS:
        values, tall, wide = blocks((weights != 0).astype(np.int64), np.add)
        values = values / (tall * wide)
        note = f"A point is a block of {tall} x {wide} weights: the share that is not zero."
        scale: dict[str, Any] = {"zmin": 0, "zmax": float(values.max(initial=0)) or 1}
        scale["colorscale"] = [[0, "@lowsoft"], [1, "@low"]]
        hover = f"neurons from %{{y}}, {source}s from %{{x}}: %{{z:.1%}} not zero<extra></extra>"
    else:
        values, tall, wide = weights, 1, 1
        # A few large weights do not make all others pale.
        nonzero = np.abs(weights[weights != 0]).astype(np.float64)
        most = float(np.quantile(nonzero, 0.99)) if nonzero.size else 1.0
        scale = {"zmin": -most, "zmax": most, "colorscale": _SIGNED}
        hover = f"neuron %{{y}} from {source} %{{x}}: %{{z:{unit}}}<extra></extra>"
    trace = _image(values, tall, wide, hovertemplate=hover, meta={"layer": layer}, **scale)
    neurons, axons = weights.shape
    layout = {
        "plot_bgcolor": "@zero",
        "xaxis": {"title": {"text": source}, "range": [-0.5, axons - 0.5], "showgrid": False, "zeroline": False},
        "yaxis": {"title": {"text": "neuron"}, "range": [neurons - 0.5, -0.5], "showgrid": False, "zeroline": False},
    }
    return {"data": [trace], "layout": layout}, note


def histogram(parts: Sequence[tuple[str, Array]], x: str, *, whole: bool = False) -> Spec:
    """How often values occur, those of each part in a colour of its own.

    Parameters
    ----------
    parts : sequence of (name, numbers)
    x : str
        What is counted.
    whole : bool
        Values are whole numbers: a bar for each, unless they are very many.
    """
    every = np.concatenate([values.ravel() for _, values in parts]) if parts else np.zeros(0)
    low, high = (float(every.min()), float(every.max())) if every.size else (0.0, 1.0)
    if whole:
        step = max(1, -(-int(high - low + 1) // 128))
        edges = np.arange(low, high + step + 1, step) - 0.5
    else:
        edges = np.linspace(low, high if high > low else low + 1, _BINS + 1)
    traces = []
    for index, (name, values) in enumerate(parts):
        counts, _ = np.histogram(values, edges)
        traces.append(
            {
                "type": "bar",
                "name": name,
                "x": encode((edges[:-1] + edges[1:]) / 2),
                "y": encode(counts),
                "width": float(edges[1] - edges[0]),
                "marker": {"color": COLORS[index % len(COLORS)], "line": {"width": 0}},
                "hovertemplate": f"%{{x:.4g}}: %{{y}}<extra>{name}</extra>",
            }
        )
    layout = {
        "barmode": "stack",
        "bargap": 0,
        "showlegend": len(traces) > 1,
        "legend": _LEGEND,
        "xaxis": {"title": {"text": x}},
        "yaxis": {"title": {"text": "number"}},
        "margin": {"l": 56, "r": 12, "t": 28, "b": 44},
    }
    return {"data": traces, "layout": layout}


def raster(events: Array, rows: str, color: str, layer: int | None) -> Spec:
    """Events over the steps: of inputs, or spikes of a layer.

    Parameters
    ----------
    events : (T, rows) integers or bool
    rows : str
        What a row is.
    color : str
    layer : int or None
        None for inputs.
    """
    values, tall, wide = blocks(events.T.astype(np.int64), np.maximum)
    most = max(1, int(values.max(initial=0)))
    what = "spike" if layer is not None else "%{z}"
    trace = _image(
        values,
        tall,
        wide,
        zmin=0,
        zmax=most,
        colorscale=[[0, "@line"], [1, color]] if most > 1 else [[0, color], [1, color]],
        hovertemplate=f"step %{{x}}, {rows} %{{y}}: {what}<extra></extra>",
        **({} if layer is None else {"meta": {"layer": layer}}),
    )
    layout = {
        "plot_bgcolor": "@zero",
        "margin": {"l": 56, "r": 12, "t": 4, "b": 40},
        "xaxis": {"title": {"text": "step"}, "range": [-0.5, len(events) - 0.5], "showgrid": False, "zeroline": False},
        "yaxis": {"title": {"text": rows}, "range": [-0.5, events.shape[1] - 0.5], "showgrid": False,
                  "zeroline": False},
    }  # fmt: skip
    return {"data": [trace], "layout": layout}


def scores(recording: Recording, names: Sequence[str]) -> Spec:
    """The score of every class as it grows; the decision and the truth stand out."""
    values = np.asarray(recording.scores, dtype=np.float64)
    traces = []
    front = {recording.decided: ("@c1", "decided"), recording.label: ("@c2", "spoken")}
    if recording.decided == recording.label:
        front = {recording.label: ("@c3", "decided, and right")}
    for index in sorted(range(values.shape[1]), key=lambda index: index in front):
        color, role = front.get(index, ("@muted", ""))
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": f"{names[index]} ({role})" if role else names[index],
                "showlegend": bool(role),
                "y": encode(values[:, index]),
                "line": {"color": color, "width": 3 if role else 1},
                "opacity": 1 if role else 0.45,
                "hovertemplate": f"step %{{x}}: %{{y:.4g}}<extra>{names[index]}</extra>",
            }
        )
    layout = {
        "margin": {"l": 56, "r": 12, "t": 28, "b": 40},
        "legend": _LEGEND,
        "xaxis": {"title": {"text": "step"}, "range": [-0.5, len(values) - 0.5]},
        "yaxis": {"title": {"text": "score so far"}},
    }
    return {"data": traces, "layout": layout}


def cycles(found: Cycles, names: Sequence[str]) -> Spec:
    """Cycles from step to step, beside the synapses of the busiest lane of each layer."""
    traces: list[dict[str, Any]] = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": "cycles of the core",
            "y": encode(found.per_step),
            "line": {"color": "@ink", "width": 2, "shape": "hvh"},
            "hovertemplate": "step %{x}: %{y} cycles<extra></extra>",
        }
    ]
    for index, name in enumerate(names):
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "name": name,
                "y": encode(found.busiest[index]),
                "line": {"color": COLORS[index % len(COLORS)], "width": 1.5, "shape": "hvh"},
                "hovertemplate": f"step %{{x}}: %{{y}} synapses<extra>{name}</extra>",
            }
        )
    layout = {
        "margin": {"l": 56, "r": 12, "t": 28, "b": 40},
        "legend": _LEGEND,
        "xaxis": {"title": {"text": "step"}},
        "yaxis": {"title": {"text": "cycles, synapses"}, "rangemode": "tozero"},
    }
    return {"data": traces, "layout": layout}


def memory_map(lanes: Lanes) -> Spec:
    """Which word of which lane holds the synapses of which axon; unused ones are empty."""
    words, tall, wide = blocks(lanes.words + 1, np.maximum)
    axons, _, _ = blocks(lanes.axons, np.maximum)
    count = len(lanes.kinds)
    colors = [COLORS[index % len(COLORS)] for index in range(count)]
    # A band of the scale for each kind, without a blend between.
    scale = [[place / count, color] for index, color in enumerate(colors) for place in (index, index + 1)]
    trace = _image(
        words,
        tall,
        wide,
        customdata={**encode(axons), "empty": UNUSED},
        zmin=0.5,
        zmax=count + 0.5,
        colorscale=scale,
        hovertemplate="lane %{y}, word %{x}: axon %{customdata}<extra></extra>",
    )
    layout = {
        "plot_bgcolor": "@zero",
        "xaxis": {"title": {"text": "word"}, "range": [-0.5, lanes.words.shape[1] - 0.5], "showgrid": False,
                  "zeroline": False},
        "yaxis": {"title": {"text": "lane"}, "range": [len(lanes.words) - 0.5, -0.5], "showgrid": False,
                  "zeroline": False, "dtick": max(1, len(lanes.words) // 8)},
    }  # fmt: skip
    return {"data": [trace], "layout": layout}


def density(found: Sequence[Density]) -> Spec:
    """Bits per synapse in every encoding, against the limit."""
    names = list(dict.fromkeys(name for item in found for name in item.stored))
    places = [item.name for item in found]
    bars: list[tuple[str, list[float | None]]] = [(name, [item.stored.get(name) for item in found]) for name in names]
    bars.append(("limit", [item.limit for item in found]))
    traces = [
        {
            "type": "bar",
            "name": name,
            "x": places,
            "y": values,
            "marker": {"color": "@muted" if name == "limit" else COLORS[index % len(COLORS)]},
            "hovertemplate": f"%{{x}}: %{{y:.2f}} bits<extra>{name}</extra>",
        }
        for index, (name, values) in enumerate(bars)
    ]
    layout = {
        "barmode": "group",
        "margin": {"l": 56, "r": 12, "t": 28, "b": 40},
        "legend": _LEGEND,
        "yaxis": {"title": {"text": "bits per synapse"}},
    }
    return {"data": traces, "layout": layout}
