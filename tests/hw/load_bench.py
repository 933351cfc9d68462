"""Plays load images and samples into the top level of a core in Amaranth's simulator."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from amaranth.sim import Simulator

from spikewright_hw.core import AxiCore

Beats = list[tuple[int, int]]


@dataclass
class Played:
    """Answers (scores, then the class, as they came), and cycles of what happened."""

    answers: list[list[int]] = field(default_factory=list)
    answered: list[int] = field(default_factory=list)
    event_cycles: list[int] = field(default_factory=list)
    load_cycles: list[int] = field(default_factory=list)
    loaded: list[int] = field(default_factory=list)
    errors: list[int] = field(default_factory=list)
    working: list[int] = field(default_factory=list)
    """Cycles in which the core offers an answer or shows a trace."""


def play(dut: AxiCore, loads: list[tuple[int, Beats]], events: Beats, cycles: int, first_event: int = 0) -> Played:
    """Offer every load from its cycle on, and events from `first_event` on; both in order."""
    seen = Played()

    async def bench(ctx: Any) -> None:
        load_beats = deque((cycle, *beat) for cycle, beats in loads for beat in beats)
        event_beats = deque(events)
        answer: list[int] = []
        ctx.set(dut.m_axis_tready, 1)
        for cycle in range(cycles):
            loading = bool(load_beats) and load_beats[0][0] <= cycle
            if loading:
                ctx.set(dut.s_load_tdata, load_beats[0][1])
                ctx.set(dut.s_load_tlast, load_beats[0][2])
            ctx.set(dut.s_load_tvalid, loading)
            sending = bool(event_beats) and cycle >= first_event
            if sending:
                ctx.set(dut.s_axis_tdata, event_beats[0][0])
                ctx.set(dut.s_axis_tlast, event_beats[0][1])
            ctx.set(dut.s_axis_tvalid, sending)
            if loading and ctx.get(dut.s_load_tready):
                load_beats.popleft()
                seen.load_cycles.append(cycle)
            if sending and ctx.get(dut.s_axis_tready):
                event_beats.popleft()
                seen.event_cycles.append(cycle)
            seen.loaded.append(ctx.get(dut.loaded))
            seen.errors.append(ctx.get(dut.load_error))
            if ctx.get(dut.m_axis_tvalid) or ctx.get(dut.trace_valid):
                seen.working.append(cycle)
            if ctx.get(dut.m_axis_tvalid):
                answer.append(ctx.get(dut.m_axis_tdata))
                if ctx.get(dut.m_axis_tlast):
                    seen.answers.append(answer)
                    seen.answered.append(cycle)
                    answer = []
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
    return seen
