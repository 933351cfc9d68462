"""Clock cycles of three other cores for the work of ours, by formulas that follow from their public sources.

    python bench/peers.py --data DIR [--samples 20] [--lanes 1,4,16,32] [--engines parallel,shared] [--json] [--write]

A formula counts the states that another core's state machines pass through, from the events, synapses and neurons of
our integer network on the same recordings; each says below which file and which state machine it follows. Nothing of
the others is needed to run this, and nothing of them was copied. Where a core cannot compute all of the network, the
formula is for what it can, and says so. Our cycles are those of the cycle model, which simulations hold to be exact.

With --write, the figures go into `bench/results/peers.json`, of which `bench/results.py` makes a page.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch

from spikewright.contract.names import LAYERS, Layers
from spikewright.contract.network import NetworkSpec
from spikewright.data.shd import load_split
from spikewright.integer.rates import SAMPLES, measured
from spikewright.integer.reference import IntegerNetwork
from spikewright.integer.rounding import quantize
from spikewright.layout.pack import pack
from spikewright.learn.checkpoint import load_checkpoint
from spikewright.predict.cycles import CycleModel
from spikewright.support.shipped import checkpoint_path

Flags = npt.NDArray[np.bool_]
RESULTS = Path(__file__).parent / "results" / "peers.json"
NETWORKS = {"shd-adabreg90": ("n1", "spiker"), "shd-small-adabreg": ("n1", "spiker", "syntzulu")}
"""Shipped networks, and the cores whose formulas are taken for each: SYNtzulu is made for small ones."""


@dataclass(frozen=True)
class Work:
    """What one recording asks of a network, whoever computes it.

    Parameters
    ----------
    events : per layer, (T, axons of the layer before)
        Whether an axon has an event in a step: the inputs, then the spikes of each layer that fires.
    forward : per layer, (axons,)
        Stored synapses of each axon into the layer.
    recurrent : per layer, (neurons,) or None
        Stored synapses of each neuron into its own layer.
    delays : per layer, (neurons,) or None
        Steps that those take beyond the next one.
    neurons : per layer
    """

    events: tuple[Flags, ...]
    forward: tuple[npt.NDArray[np.int64], ...]
    recurrent: tuple[npt.NDArray[np.int64] | None, ...]
    delays: tuple[npt.NDArray[np.int64] | None, ...]
    neurons: tuple[int, ...]

    @property
    def steps(self) -> int:
        return len(self.events[0])

    @property
    def inputs(self) -> int:
        return self.events[0].shape[1]


def work_of(network: NetworkSpec, values: npt.NDArray[np.integer], spikes: Sequence[Flags]) -> Work:
    """The work of one recording (T, inputs), with the spikes (T, neurons) of every layer that fires."""
    forward, recurrent, delays = [], [], []
    sources = network.inputs
    for layer in network.layers:
        synapses = np.count_nonzero(layer.weights, axis=0)
        forward.append(synapses[:sources])
        recurrent.append(synapses[sources:] if layer.delays is not None else None)
        delays.append(None if layer.delays is None else np.asarray(layer.delays, np.int64))
        sources = layer.neurons
    events = (np.asarray(values) != 0, *(np.asarray(fired) != 0 for fired in spikes))
    neurons = tuple(layer.neurons for layer in network.layers)
    return Work(events, tuple(forward), tuple(recurrent), tuple(delays), neurons)


def n1(work: Work) -> int:
    """Catalyst N1, `rtl/scalable_core_v2.v`, its one state machine, learning and dendrites off.

    A step takes four cycles of its own (idle with the start, the look at the delay queue, the look at an empty spike
    queue, done) and four for every neuron (address, read, calculate, write). Each spike takes three (pop, wait, read of
    its index), each of its synapses six (wait for the pool, address, wait, axon type, accumulate, next); what was
    delayed takes four more when it leaves the queue (wait, capture, wait, accumulate), if it does before the end.
    Inputs are neurons of their own, each event written by the host in a cycle; a delay of 0 is the next step.

    In favour of N1: there are only as many neurons as needed, queues of spikes and delays are as deep as needed (beyond
    their depth it loses spikes, and delivers delayed ones at once), and no step is added for a way of several layers.
    """
    neurons = work.inputs + sum(work.neurons)
    cycles = work.steps * (4 + 4 * neurons) + int(work.events[0].sum())
    for index, events in enumerate(work.events):
        fired = events.sum(axis=0, dtype=np.int64)
        cycles += int(3 * fired.sum() + 6 * (fired @ work.forward[index]))
    for index, (synapses, delays) in enumerate(zip(work.recurrent, work.delays, strict=True)):
        if synapses is None or delays is None:
            continue
        events = work.events[index + 1]
        in_time = np.arange(work.steps)[:, None] + 1 + delays < work.steps
        cycles += int(6 * (events.sum(axis=0, dtype=np.int64) @ synapses))
        cycles += int(4 * ((events & in_time & (delays > 0)).sum(axis=0, dtype=np.int64) @ synapses))
    return cycles


def spiker(work: Work) -> int:
    """Spiker+, package `spikerplus` 2.0.3: `multi_cycle_cu.py` around a `multi_input_cu.py` for each layer.

    All layers do a step at once, and the longest decides. A layer reads its spikes one after the other, whether there
    is one or not, all neurons at a time: a cycle to sample them, two until the neurons are ready, one for every axon;
    if it is recurrent, two and one for every neuron again. Without any spike it skips that part. Two cycles go to the
    start of the next step. Zero weights save nothing, and there are no delays: recurrent spikes come in the next step.
    """
    longest = np.zeros(work.steps, np.int64)
    for index, events in enumerate(work.events):
        cycles = 3 + (2 + events.shape[1]) * events.any(axis=1)
        if work.recurrent[index] is not None:
            own = work.events[index + 1].any(axis=1)
            cycles[1:] += (2 + work.neurons[index]) * own[:-1]
        longest = np.maximum(longest, cycles)
    return int(longest.sum())


def syntzulu(work: Work) -> int:
    """SYNtzulu, `rtl/syntzulu/snn_lp.sv` with `stack.v`, `conv.sv` and `neuron_lp.sv`.

    Inputs come four a cycle. The layers of a step follow each other: two neurons at a time take a cycle for each group
    of four axons with a spike, at least one; 14 cycles pass from the last group to the start of the next layer (one to
    the address, two to enable, five through the tree of adders, one and four through the integrator, one to pair the
    spikes). It has neither recurrence, which is left out here, nor delays, nor counts; zero weights save nothing.
    """
    cycles = work.steps * -(-work.inputs // 4)
    for events, neurons in zip(work.events, work.neurons, strict=True):
        padded = np.pad(events, ((0, 0), (0, -events.shape[1] % 4)))
        groups = padded.reshape(work.steps, -1, 4).any(axis=2).sum(axis=1)
        cycles += int((-(-neurons // 2) * np.maximum(groups, 1) + 14).sum())
    return cycles


FORMULAS = {"n1": n1, "spiker": spiker, "syntzulu": syntzulu}
TITLES = {"n1": "Catalyst N1", "spiker": "Spiker+", "syntzulu": "SYNtzulu"}
SIMULATED = {
    ("shd-adabreg90", "n1"): "12 (1 lane), 149 (16), 265 (32)",
    ("shd-adabreg90", "spiker"): "4.0 (16 lanes), 7.1 (32)",
    ("shd-small-adabreg", "spiker"): "0.57 (1 lane), 1.85 (4)",
    ("shd-small-adabreg", "syntzulu"): "2.0 (1 lane; 140-44-44-20 without recurrence)",
}
"""Ratios of the cores themselves, simulated, as `docs/compared.md` has them."""


def measure(
    name: str, data: Path, samples: int, engines: Sequence[Layers], lanes: Sequence[int]
) -> tuple[dict[tuple[Layers, int], float], dict[str, float]]:
    """Mean cycles of an inference: ours by engine and lanes, and the others' by their names."""
    training = load_split(data, "train", samples=SAMPLES).counts
    counts = load_split(data, "test", samples=samples).counts
    network = measured(quantize(load_checkpoint(checkpoint_path(name))), training)
    trace = IntegerNetwork(network).run(torch.from_numpy(counts))
    spikes = [[layer[index].numpy() for layer in trace.spikes] for index in range(len(counts))]
    theirs = {
        peer: float(np.mean([FORMULAS[peer](work_of(network, *of)) for of in zip(counts, spikes, strict=True)]))
        for peer in NETWORKS[name]
    }
    ours = {}
    for engine in engines:
        for number in lanes:
            model = CycleModel(pack(network, number, layers=engine))
            cycles, start = [], 0
            for values, fired in zip(counts, spikes, strict=True):
                found = model.run(values, fired, start)
                start = found.done + 10_000
                cycles.append(found.latency)
            ours[engine, number] = float(np.mean(cycles))
    return ours, theirs


def number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def tables(figures: dict[str, Any], command: str, data: str, samples: int) -> list[dict[str, Any]]:
    """A table for each network: a row for each engine and its lanes, a column for each other core."""
    found = []
    for name, (ours, theirs) in figures.items():
        cycles = ", ".join(f"{TITLES[peer]} {value:,.0f}" for peer, value in theirs.items())
        simulated = "; ".join(f"{TITLES[peer]} {SIMULATED[name, peer]}" for peer in theirs if (name, peer) in SIMULATED)
        found.append(
            {
                "title": f"`{name}`",
                "text": [f"Cycles of an inference by the formulas: {cycles}. Below: theirs over ours."],
                "columns": ["our engine", "lanes", "our cycles", *(TITLES[peer] for peer in theirs)],
                "rows": [
                    [engine, str(lanes), f"{mine:,.0f}", *(number(value / mine) for value in theirs.values())]
                    for (engine, lanes), mine in ours.items()
                ],
                "notes": [f"Simulated, theirs over ours with a lane or more for each layer: {simulated}."],
                "command": command,
                "data": data,
                "seeds": "0, the shipped network",
                "spread": f"means of {samples} test recordings; nothing is random",
            }
        )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--samples", type=int, default=20)
    parser.add_argument("--lanes", type=lambda text: [int(item) for item in text.split(",")], default=[1, 4, 16, 32])
    parser.add_argument("--engines", type=lambda text: text.split(","), default=list(LAYERS))
    parser.add_argument("--json", action="store_true", help="one JSON object on standard output")
    parser.add_argument("--write", action="store_true", help="write the figures of the page")
    args = parser.parse_args()
    engines = cast(list[Layers], args.engines)
    figures = {name: measure(name, args.data, args.samples, engines, args.lanes) for name in NETWORKS}
    if args.write:
        page = json.loads(RESULTS.read_text("utf-8"))
        command = f"python bench/peers.py --data DIR --samples {args.samples} --write"
        page["tables"] = tables(figures, command, page["data"], args.samples)
        RESULTS.write_text(json.dumps(page, indent=2, ensure_ascii=False) + "\n", "utf-8")
    if args.json:
        plain = {
            name: {"ours": [[*of, cycles] for of, cycles in ours.items()], "theirs": theirs}
            for name, (ours, theirs) in figures.items()
        }
        print(json.dumps(plain))
        return
    for name, (ours, theirs) in figures.items():
        print(f"{name}: " + ", ".join(f"{TITLES[peer]} {value:,.0f} cycles" for peer, value in theirs.items()))
        for (engine, lanes), mine in ours.items():
            ratios = ", ".join(f"{TITLES[peer]} {number(value / mine)}" for peer, value in theirs.items())
            print(f"  {engine}, {lanes} lanes: {mine:,.0f} cycles; theirs over ours: {ratios}")


if __name__ == "__main__":
    main()
