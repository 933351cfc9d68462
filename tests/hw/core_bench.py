"""Runs a core in Amaranth's simulator and collects what it shows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
from amaranth.sim import Simulator

from spikewright.contract.core import CoreSpec
from spikewright_hw.core import Core


def to_signed(word: int, bits: int) -> int:
    word &= (1 << bits) - 1
    return word - (word >> (bits - 1) << bits)


@dataclass
class Recording:
    """`rows[k]`: (cycle, row, spikes, [v of every lane]) of every traced row of layer k."""

    rows: list[list[tuple[int, int, int, list[int]]]] = field(default_factory=list)
    results: list[tuple[list[int], int, int]] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    accepted: list[int] = field(default_factory=list)
    done: list[int] = field(default_factory=list)

    def membranes(self, core: CoreSpec, layer: int) -> npt.NDArray[np.int64]:
        """(steps of all samples, neurons), neurons in the order of the network."""
        image = core.layers[layer]
        flat = np.array([v for _, _, _, v in self.rows[layer]]).reshape(-1, image.rows * image.lanes)
        ordered = np.empty((len(flat), image.spec.neurons), dtype=np.int64)
        ordered[:, image.order] = flat[:, : image.spec.neurons]
        return ordered

    def step_cycles(self, layer: int) -> list[int]:
        return [cycle for cycle, row, _, _ in self.rows[layer] if row == 0]


def _beats(sample: npt.NDArray[np.int64], together: int) -> list[tuple[tuple[int, int], tuple[int, int], int, int]]:
    """The first and the last event of every beat, which has so many `together`; whether it is a mark, the last one."""
    beats: list[tuple[tuple[int, int], tuple[int, int], int, int]] = []
    for t, row in enumerate(sample):
        events = [(int(axon), int(row[axon])) for axon in np.flatnonzero(row)]
        events += [(0, 0)] * (-len(events) % together)
        beats += [(events[k], events[k + together - 1], 0, 0) for k in range(0, len(events), together)]
        beats.append(((0, 0), (0, 0), 1, int(t == len(sample) - 1)))
    return beats


def run(
    core: CoreSpec,
    samples: npt.NDArray[np.int64],
    *,
    idle: int | None = None,
    stall_input: Callable[[], bool] = lambda: False,
    stall_output: Callable[[], bool] = lambda: False,
    attach: Callable[[Simulator], None] = lambda simulator: None,
) -> Recording:
    """Feed `samples` (B, T, inputs) back to back, after `idle` cycles in which the core clears its memories.

    If not given, these are as many as it surely does that in.
    """
    dut = Core(core)
    idle = core.settle if idle is None else idle
    seen = Recording(rows=[[] for _ in core.layers])
    cycle = [0]
    bits = [len(getattr(dut, f"trace{k}").v) for k in range(len(core.layers))]

    async def drive(ctx: Any) -> None:
        for _ in range(idle):
            await ctx.tick()
        payload = dut.events.payload
        for sample in samples:
            seen.starts.append(cycle[0])
            for (axon, value), second, mark, last in _beats(sample, core.beat_events):
                while stall_input():
                    ctx.set(dut.events.valid, 0)
                    await ctx.tick()
                ctx.set(payload.axon, axon)
                ctx.set(payload.value, value)
                ctx.set(payload.mark, mark)
                ctx.set(payload.last, last)
                if core.beat_events > 1:
                    ctx.set(payload.second_axon, second[0])
                    ctx.set(payload.second_value, second[1])
                ctx.set(dut.events.valid, 1)
                await ctx.tick().until(dut.events.ready)
            seen.accepted.append(cycle[0] - 1)
            ctx.set(dut.events.valid, 0)

    async def collect(ctx: Any) -> None:
        for _ in samples:
            scores: list[int] = []
            while True:
                while stall_output():
                    ctx.set(dut.results.ready, 0)
                    await ctx.tick()
                ctx.set(dut.results.ready, 1)
                (payload,) = await ctx.tick().sample(dut.results.payload).until(dut.results.valid)
                if payload.last:
                    seen.results.append((scores, payload.score, payload.error))
                    seen.done.append(cycle[0] - 1)
                    break
                scores.append(payload.score)

    async def watch(ctx: Any) -> None:
        signals = []
        for k in range(len(core.layers)):
            trace = getattr(dut, f"trace{k}")
            signals += [trace.valid, trace.row, getattr(trace, "spikes", trace.valid), trace.v]
        async for _, _, *values in ctx.tick().sample(*signals):
            for k, image in enumerate(core.layers):
                valid, row, spikes, v = values[4 * k : 4 * k + 4]
                if valid:
                    lanes = image.lanes
                    width = bits[k] // lanes
                    seen.rows[k].append(
                        (cycle[0], row, spikes, [to_signed(v >> lane * width, width) for lane in range(lanes)])
                    )
            cycle[0] += 1

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    # The first test bench counts: the others, resumed after it, see the number of the cycle that follows the edge.
    simulator.add_testbench(watch, background=True)
    attach(simulator)
    simulator.add_testbench(drive)
    simulator.add_testbench(collect)
    simulator.run()
    return seen
