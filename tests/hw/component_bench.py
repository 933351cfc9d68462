"""Plays beats into the streams of a component in Amaranth's simulator, and notes the cycle of every transfer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from amaranth.lib import data
from amaranth.sim import Simulator

from spikewright_sim.bench.stream import StreamRules

Beat = int | tuple[int, ...]


@dataclass
class Seen:
    """`taken[port]`: cycle and beat of every transfer of an input; `given[port]`: of every transfer of an output.

    `offered[port]`: first cycle in which each beat of an output was offered. `watched[name]`: value of every cycle.
    """

    taken: dict[str, list[tuple[int, Beat]]] = field(default_factory=dict)
    given: dict[str, list[tuple[int, Beat]]] = field(default_factory=dict)
    offered: dict[str, list[int]] = field(default_factory=dict)
    watched: dict[str, list[int]] = field(default_factory=dict)

    def beats(self, port: str) -> list[Beat]:
        return [beat for _, beat in self.given[port]]

    def cycles(self, port: str) -> list[int]:
        return [cycle for cycle, _ in (self.given if port in self.given else self.taken)[port]]


def _port(dut: Any, name: str) -> Any:
    for part in name.split("."):
        dut = dut[int(part)] if part.isdigit() else getattr(dut, part)
    return dut


def _set(ctx: Any, payload: Any, beat: Beat) -> None:
    if isinstance(beat, tuple):
        for (name, _), value in zip(payload.shape(), beat, strict=True):
            ctx.set(payload[name], value)
    else:
        ctx.set(payload, beat)


def _get(ctx: Any, value: Any) -> Any:
    got = ctx.get(value)
    if isinstance(got, data.Const):
        return tuple(got[name] for name, _ in got.shape())
    return got


def play(
    dut: Any,
    cycles: int,
    *,
    send: Mapping[str, Sequence[Beat | tuple[int, Beat]]] | None = None,
    take: Mapping[str, Callable[[int], bool]] | None = None,
    watch: Mapping[str, Any] | None = None,
    gate: Mapping[str, Callable[[Seen], bool]] | None = None,
    each: Callable[[Callable[[Any], int], Callable[[Any, int], None], int], None] = lambda get, put, cycle: None,
    pause: Callable[[], bool] = lambda: False,
    stable: bool = True,
) -> Seen:
    """Run for `cycles` cycles, the first being cycle 0.

    Parameters
    ----------
    send : by input port, beats
        A beat is an integer or a tuple of the payload's fields; `(cycle, beat)` with a tuple as beat is offered no
        earlier than in that cycle. Nested ports are named like "rows.1".
    take : by output port, whether it is ready in a cycle
    watch : by name, a signal
    gate : by input port, whether the next beat may be offered, given all transfers so far
    each : called as each(get, put, cycle) once a cycle, before the streams
        For ports that are no streams.
    pause : asked every cycle and port; True pauses it.
    stable : what an output offers must stay until it is taken
    """
    seen = Seen()
    waiting = {name: list(beats) for name, beats in (send or {}).items()}
    outputs = dict(take or {})
    seen.taken = {name: [] for name in waiting}
    seen.given = {name: [] for name in outputs}
    seen.offered = {name: [] for name in outputs}
    seen.watched = {name: [] for name in watch or {}}
    gates = gate or {}
    offering = dict.fromkeys(waiting, False)
    rules = {name: StreamRules(name, stable=stable) for name in outputs}

    def timed(beat: Any) -> tuple[int, Beat]:
        return beat if isinstance(beat, tuple) and len(beat) == 2 and isinstance(beat[1], tuple) else (0, beat)

    async def bench(ctx: Any) -> None:
        for cycle in range(cycles):
            each(lambda value: _get(ctx, value), ctx.set, cycle)
            for name, beats in waiting.items():
                port = _port(dut, name)
                due = beats and timed(beats[0])[0] <= cycle and (name not in gates or gates[name](seen))
                if due and not offering[name] and not pause():
                    _set(ctx, port.payload, timed(beats[0])[1])
                    offering[name] = True
                ctx.set(port.valid, offering[name])
            for name, ready in outputs.items():
                ctx.set(_port(dut, name).ready, ready(cycle) and not pause())
            for name in outputs:
                port = _port(dut, name)
                valid, beat = bool(ctx.get(port.valid)), _get(ctx, port.payload)
                if valid and not rules[name].waits:
                    seen.offered[name].append(cycle)
                if rules[name].cycle(valid, bool(ctx.get(port.ready)), beat):
                    seen.given[name].append((cycle, beat))
            for name, beats in waiting.items():
                if offering[name] and ctx.get(_port(dut, name).ready):
                    seen.taken[name].append((cycle, timed(beats.pop(0))[1]))
                    offering[name] = False
            for name, signal in (watch or {}).items():
                seen.watched[name].append(_get(ctx, signal))
            await ctx.tick()

    simulator = Simulator(dut)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
    left = {name: len(beats) for name, beats in waiting.items() if beats}
    assert not left, f"beats that were never taken: {left}"
    return seen


class Membranes:
    """Plays the lanes to an update: a memory behind each `states` port, to which inputs are added between sweeps.

    Parameters
    ----------
    dut : NeuronUpdate or ReadoutUpdate
    inputs : per step, per row, per lane
        Added in the cycle in which the sweep before writes its last state; `start` follows `wait` cycles later.
    per_sweep : int
        Writes of a sweep.
    wait : callable
        Asked before every step.
    """

    def __init__(
        self,
        dut: Any,
        inputs: Sequence[Sequence[Sequence[int]]],
        *,
        per_sweep: int,
        wait: Callable[[], int] = lambda: 0,
    ) -> None:
        self._dut = dut
        self._inputs = list(inputs)
        self._per_sweep = per_sweep
        self._wait = wait
        self._outputs = [0] * len(dut.states)
        self._start = -1
        self.states = [[0] * len(dut.states) for _ in inputs[0]]
        self.before: list[list[list[int]]] = []
        """Per step, the states that its sweep reads, by row and lane."""
        self.starts: list[int] = []
        """First cycle of `start`, by step."""
        self.reads: list[tuple[int, int]] = []
        self.writes: list[tuple[int, int, int, int]] = []
        """(cycle, row) and (cycle, row, lane, value), in order."""

    def each(self, get: Callable[[Any], int], put: Callable[[Any, int], None], cycle: int) -> None:
        for lane, port in enumerate(self._dut.states):
            put(port.read_data, self._outputs[lane])
            if get(port.read_en):
                row = get(port.read_addr)
                self._outputs[lane] = self.states[row][lane]
                if lane == 0:
                    self.reads.append((cycle, row))
                    put(self._dut.start, 0)
            if get(port.write_en):
                row, value = get(port.write_addr), get(port.write_data)
                self.writes.append((cycle, row, lane, value))
                self.states[row][lane] = value
        if self._inputs and len(self.writes) == self._per_sweep * (1 + len(self.before)):
            for of_row, added in zip(self.states, self._inputs.pop(0), strict=True):
                of_row[:] = [state + value for state, value in zip(of_row, added, strict=True)]
            self.before.append([list(of_row) for of_row in self.states])
            self._start = cycle + self._wait()
        if cycle == self._start:
            self.starts.append(cycle)
            put(self._dut.start, 1)
