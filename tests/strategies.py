"""Hypothesis strategies over what the generator accepts, and the property that every core must have.

`cases` draws parameters; `random_networks.random_network` makes the network of them, so that a failure shrinks to few
neurons and steps. `mismatches` runs a case through the Verilog.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from hypothesis import strategies as st

from random_networks import random_counts, random_network, shuffled_network, with_own
from spikewright.build.generate import Loadable, build
from spikewright.contract.cores import CORES
from spikewright.contract.decay import Decay
from spikewright.contract.decision import DECISIONS
from spikewright.contract.encoding import encoding_names
from spikewright.contract.names import LANES, LAYERS
from spikewright.contract.network import NetworkSpec
from spikewright.contract.neuron import all_neurons
from spikewright.integer.file import load_info, load_model, save_model
from spikewright.integer.reference import IntegerNetwork
from spikewright.layout.pack import unpack
from spikewright_sim.core.dut import Dut, beats
from spikewright_sim.native import loop as native

DECAYS = (Decay(3, 6), Decay(1, 1), Decay(0, 0), Decay(1, 0), Decay(61, 6), Decay(65535, 16), Decay(3, 2))
CURRENT_DECAYS = (Decay(3, 2), Decay(1, 1), Decay(0, 0), Decay(58, 6), Decay(1, 0))
VARIANTS: tuple[dict[str, Any], ...] = (
    {},
    {"without_idle": True},
    {"layers": "shared"},
    {"layers": "shared", "without_idle": True},
    {"layers": "slotted"},
    {"layers": "slotted", "without_idle": True},
    {"margin": 0.0},
    {"margin": 0.5},
    {"layers": "shared", "margin": 0.0},
    {"layers": "shared", "margin": 0.5},
)


@dataclass
class Case:
    """A network, a core's parameters, and samples (B, T, inputs).

    `options` are what the generator takes beside the network; of a core that is loaded at run time, also its `margin`
    and how many `others` of its shape it is loaded with after that. `broken` are samples into which events that break
    the rules of the input are mixed.
    """

    spec: NetworkSpec
    counts: npt.NDArray[np.int64]
    options: dict[str, Any]
    seed: int = 0
    broken: tuple[int, ...] = field(default=())

    def save(self, path: Path) -> None:
        """One safetensors file, for `tests/cases`."""
        info = {"counts": self.counts.tolist(), "options": self.options, "seed": self.seed, "broken": self.broken}
        save_model(path, self.spec, info)

    @property
    def networks(self) -> list[NetworkSpec]:
        """All that its core runs, one after the other: `spec` first."""
        others = range(self.options.get("others", 0))
        return [self.spec, *(shuffled_network(self.seed + number, self.spec) for number in others)]

    def build(self, folder: Path) -> Path:
        """The build folder, in an existing one, beside the networks `0.safetensors` and so on."""
        models = [folder / f"{number}.safetensors" for number in range(len(self.networks))]
        for model, network in zip(models, self.networks, strict=True):
            save_model(model, network)
        options = {name: value for name, value in self.options.items() if name not in ("margin", "others")}
        if (margin := self.options.get("margin")) is not None:
            options["loadable"] = Loadable(margin, models[1:])
        build(models[0], folder / "build", **options)
        return folder / "build"

    @classmethod
    def load(cls, path: Path) -> Case:
        info = load_info(path)
        counts = np.array(info["counts"], dtype=np.int64)
        return cls(load_model(path), counts, info["options"], info["seed"], tuple(info["broken"]))


@st.composite
def cases(draw: st.DrawFn, *, most_neurons: int = 40, most_lanes: int = LANES[-1], samples: int = 8) -> Case:
    """Networks of up to four layers with everything that a layer can have, and input for them.

    The more lanes the rarer, as a core of many takes the time of several others.
    """
    size = st.one_of(st.integers(1, 3), st.integers(1, most_neurons))
    hidden = draw(st.lists(size, max_size=3))
    sizes = (draw(size), *hidden, draw(st.integers(1, 12)))
    seed = draw(st.integers(0, 1 << 20))
    spec = random_network(
        seed,
        sizes,
        recurrent=draw(st.lists(st.booleans(), min_size=len(hidden), max_size=len(hidden))) or [False],
        density=draw(st.sampled_from([0.0, 0.05, 0.3, 0.5, 0.9, 1.0])),
        max_delay=draw(st.sampled_from([0, 1, 2, 7, 31, 40])),
        decay=draw(st.sampled_from(DECAYS)),
        current_decays=draw(st.lists(st.sampled_from((None, None, *CURRENT_DECAYS)), min_size=1, max_size=3)),
        neuron=draw(st.sampled_from(all_neurons())),
        weight_bits=draw(st.integers(2, 16)),
        weight_shift=draw(st.sampled_from([0, 0, 1, 3, 8])),
        value_bits=draw(st.one_of(st.integers(1, 5), st.integers(1, 16))),
        timesteps=draw(st.integers(1, 24)),
        readout=draw(st.sampled_from(sorted(DECISIONS))),
        floor=draw(st.sampled_from(["", "", "threshold", "own"])),
        most_onward=draw(st.sampled_from([None, None, 0, 1, 5, 20])),
        readout_current=draw(st.sampled_from((None, None, None, *CURRENT_DECAYS[:3]))),
        readout_floor=draw(st.sampled_from([False, False, True])),
    )
    spec = with_own(seed, spec, draw(st.sampled_from([(), (), ("leaks",), ("starts",), ("leaks", "starts")])))
    spec = _with_fewer_spikes(draw, spec)
    spec = replace(spec, layers=tuple(_with_odd_rows(draw, layer) for layer in spec.layers))
    counts = random_counts(seed, spec, samples, rate=draw(st.sampled_from([0.0, 0.05, 0.3, 1.0])))
    if draw(st.booleans()):
        counts[draw(st.integers(0, samples - 1))] = draw(st.sampled_from([0, (1 << spec.value_bits) - 1]))
    variant = dict(draw(st.sampled_from(VARIANTS)))
    if CORES[variant.get("layers", LAYERS[0])].refusal(spec) is not None:
        names = ("onward", "current_decay", "current_multipliers", "start", "current_start")
        plain: dict[str, Any] = dict.fromkeys(names)
        layers = [
            replace(layer, **plain, neuron=layer.neuron.limited(1), value_bits=1 if index else layer.value_bits)
            for index, layer in enumerate(spec.layers)
        ]
        spec = replace(spec, layers=tuple(layers))
    if "margin" in variant:
        variant["others"] = draw(st.integers(0, 2))
    elif CORES[variant.get("layers", LAYERS[0])].encodes:
        variant["encoding"] = draw(st.sampled_from(["auto", *encoding_names()]))
    allowed = [lanes for lanes in LANES if lanes <= most_lanes]
    lanes = draw(st.sampled_from([lanes for number, lanes in enumerate(allowed) for _ in range(number, len(allowed))]))
    return Case(
        spec,
        counts,
        {"lanes": lanes, **variant},
        seed,
        tuple(sorted(draw(st.sets(st.integers(0, samples - 1), max_size=2)))),
    )


def _with_fewer_spikes(draw: st.DrawFn, spec: NetworkSpec) -> NetworkSpec:
    """Where neurons send several spikes in a step: layers with fewer of them, or single ones, among the others."""
    layers: list[Any] = []
    for layer in spec.layers:
        neuron = layer.neuron
        if not layer.readout and neuron.most > 1:
            neuron = neuron.limited(draw(st.sampled_from((1, 3, neuron.most))))
        layers.append(replace(layer, neuron=neuron, value_bits=layers[-1].count_bits if layers else layer.value_bits))
    return replace(spec, layers=tuple(layers))


def _with_odd_rows(draw: st.DrawFn, layer: Any) -> Any:
    """Some axons without any synapse, some with all, a neuron without any, delays that are all the longest or none."""
    weights = layer.weights.copy()
    limit = (1 << (layer.weight_bits - 1)) - 1
    for axon in draw(st.sets(st.integers(0, layer.axons - 1), max_size=3)):
        weights[:, axon] = draw(st.sampled_from([0, 0, 1, -1, limit, -limit]))
    for neuron in draw(st.sets(st.integers(0, layer.neurons - 1), max_size=2)):
        weights[neuron] = 0
    odd: dict[str, Any] = {"weights": weights}
    for name in ("delays", "onward"):
        delays = getattr(layer, name)
        if delays is not None and draw(st.integers(0, 3)) == 0:
            odd[name] = np.full_like(delays, draw(st.sampled_from([0, int(delays.max())])))
    return replace(layer, **odd)


def stimulus(case: Case, sample: int, stream: dict[str, int]) -> list[tuple[int, int]]:
    """Input beats of a sample; in a broken one there are events that the core must drop and flag."""
    words = beats(case.counts[sample], stream)
    if sample not in case.broken:
        return words
    rng = random.Random(case.seed + sample)
    mark, axons = 1 << stream["mark_bit"], 1 << stream["axon_bits"]
    begins = [0, *(index + 1 for index, (data, _) in enumerate(words[:-1]) if data & mark)]
    for begin in sorted(rng.sample(begins, min(2, len(begins))), reverse=True):
        # After all events of the step, an axon that is not above the last one, or beyond all.
        end = next(index for index in range(begin, len(words)) if words[index][0] & mark)
        last = words[end - 1][0] % axons if end > begin else -1
        bad = [*range(min(last + 1, 2)), *range(case.spec.inputs, min(axons, case.spec.inputs + 2))]
        if bad:
            words.insert(end, (rng.choice(bad) | 1 << stream["axon_bits"], 0))
    return words


def mismatches(case: Case, folder: Path) -> list[str]:
    """Everything in which the Verilog of a case differs from the model; empty if it is as it should be."""
    build_dir = case.build(folder)
    found = []
    for number, network in enumerate(case.networks):
        dut = Dut.open(build_dir, folder / f"{number}.safetensors" if number else None)
        found += [f"network {number}: {line}" if number else line for line in _mismatches_of(network, dut, case)]
    return found


def _mismatches_of(network: NetworkSpec, dut: Dut, case: Case) -> list[str]:
    core = dut.core
    found = [] if _equal(unpack(core), core.network) else ["unpack(pack(network)) is another network"]
    values = case.counts
    trace = IntegerNetwork(core.network).run(torch.from_numpy(values.copy()))
    whole = IntegerNetwork(network).run(torch.from_numpy(values.copy()))
    if not torch.equal(whole.scores, trace.scores):
        found.append("the network without idle neurons has other scores")
    plain = native.Job(dut, values, trace)
    sent = {b: stimulus(case, b, dut.stream) for b in case.broken}
    flagged = {b: words for b, words in sent.items() if len(words) > len(dut.beats(case.counts[b]))}
    broken = replace(plain, broken=flagged)
    executable = dut.compiled("native", lambda message: None, quick=True)
    drives = [(plain, native.Drive()), (plain, native.Drive(close=True, repeat=2, label=" back to back"))]
    drives += [(plain, native.Drive(close=True, stall=0.3, label=" with pauses"))]
    drives += [(broken, native.Drive(close=True, stall=0.1, label=" with bad events"))] if flagged else []
    for job, drive in drives:
        report = native.run_native(
            executable, job, seed=case.seed, progress=lambda message: None, processes=1, drive=drive
        )
        found += report.details
        if (report.mismatches or report.cycle_mismatches) and not report.details:
            found.append(f"{report.mismatches} mismatches, {report.cycle_mismatches} cycle mismatches")
    return found


def _equal(one: NetworkSpec, other: NetworkSpec) -> bool:
    return all(
        np.array_equal(getattr(a, name), getattr(b, name))
        for a, b in zip(one.layers, other.layers, strict=True)
        for name in ("weights", "bias", "threshold", "floor", "delays", "onward")
        if getattr(a, name) is not None
    )


def describe(case: Case) -> str:
    """A case in a line."""
    layers = [
        f"{layer.inputs}-{layer.neurons}{' recurrent' if layer.recurrent else ''}"
        f"{'' if layer.onward is None else ' delayed'}, {layer.synapses} synapses of {layer.weight_bits} bits"
        f"{', currents' if layer.current_decay else ''}"
        for layer in case.spec.layers
    ]
    return f"{json.dumps(case.options)}, T {case.counts.shape[1]}, {'; '.join(layers)}"


class Distinct:
    """Tells networks that are drawn from those that Hypothesis makes of the one before by a small change.

    The changed ones are most of all, tell little, and take as much time. One that was let pass always is.
    """

    def __init__(self) -> None:
        self._passed: dict[int, str] = {}

    def __call__(self, case: Case) -> bool:
        described = describe(case)
        return self._passed.setdefault(case.seed, described) == described
