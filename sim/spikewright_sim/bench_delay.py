"""cocotb bench of the delay buffer: samples of spikes go in, delayed ones come out."""

from __future__ import annotations

import random
from typing import Any

import cocotb

from spikewright_sim.bench import Ports, play
from spikewright_sim.stream import Port, StreamDriver, StreamMonitor


class DelayPlayer:
    """Plays the layer around a delay buffer.

    The spikes of a step may come early, but its mark only after the mark of its delayed spikes has been taken, and a
    step is over when both have.

    Job: `stall`, `mark_bit` (position in a beat), `steps` (per step: its beats, the mark being the last).
    Recorded: `taken` and `given` as (cycle, beat).
    """

    def __init__(self, ports: Ports, job: Any, rng: random.Random) -> None:
        self.seen: dict[str, list[Any]] = {"taken": [], "given": []}
        self._driver = StreamDriver(Port.amaranth(ports, "spikes"), rng, job["stall"])
        self._monitor = StreamMonitor(Port.amaranth(ports, "events"), rng, job["stall"])
        self._mark_bit = job["mark_bit"]
        self._steps = list(reversed(job["steps"]))
        self._beats: list[int] = []
        self._pending: int | None = None
        self._arrived = 0
        self._sent = 0
        self._left = len(self._steps)

    @property
    def done(self) -> bool:
        # The step after the last is empty, and shows that nothing comes late.
        return self._arrived > self._left

    def _next(self) -> int | None:
        """The next beat, unless there is none or it has to wait."""
        if not self._beats and self._steps:
            self._beats = list(self._steps.pop())
        if not self._beats or (len(self._beats) == 1 and self._arrived <= self._sent):
            return None
        self._sent += len(self._beats) == 1
        return self._beats.pop(0)

    def drive(self, cycle: int) -> None:
        if self._driver.idle:
            self._pending = self._next()
            if self._pending is not None:
                self._driver.send([(self._pending,)])
        self._driver.offer()
        self._monitor.accept()

    def sample(self, cycle: int) -> bool:
        taken = self._driver.taken()
        if taken:
            self.seen["taken"].append((cycle, self._pending))
        beat = self._monitor.given()
        if beat is not None:
            self.seen["given"].append((cycle, beat[0]))
            self._arrived += beat[0] >> self._mark_bit & 1
        return taken or beat is not None


@cocotb.test()
async def delay_buffers(dut: Any) -> None:
    await play(dut, DelayPlayer)
