"""cocotb bench of the synapse path: events go in, and the bench sweeps the membranes as an update would."""

from __future__ import annotations

import random
from typing import Any

import cocotb

from spikewright_sim.bench import Ports, play
from spikewright_sim.stream import Port, StreamDriver

WRITTEN_AFTER = 4
"""Cycles from the read of a row to its write, as in `NeuronUpdate`."""


class SweepPlayer:
    """Plays the end of steps to a synapse path: reads every membrane, and then replaces it.

    Job: `stall`, `lanes`, `rows`, `beats` (of all steps, in order), `states` (by sweep, row and lane: what it writes;
    the first sweep sets what the first step starts from). A sweep is one row a cycle, and follows in the cycle after a
    mark waits, no lane is busy and the sweep before has written all; with stalls, later.
    Recorded: `taken` (cycle of every beat), `sweeps` (cycle in which a sweep is decided), `marks` (beats), `read` (by
    sweep but the first and by row, the membranes of all lanes).
    """

    def __init__(self, ports: Ports, job: Any, rng: random.Random) -> None:
        self.seen: dict[str, list[Any]] = {"taken": [], "sweeps": [], "marks": [], "read": []}
        self._rng = rng
        self._stall = job["stall"]
        self._rows = job["rows"]
        self._states = job["states"]
        self._busy = ports.busy
        self._driver = StreamDriver(Port.amaranth(ports, "events"), rng, job["stall"])
        self._driver.send([(beat,) for beat in job["beats"]])
        self._marks = Port.amaranth(ports, "marks")
        self._lanes = [
            {name: getattr(ports, f"states__{lane}__{name}") for name in ("read_addr", "read_data", "read_en")}
            | {name: getattr(ports, f"states__{lane}__{name}") for name in ("write_addr", "write_data", "write_en")}
            for lane in range(job["lanes"])
        ]
        self._row: int | None = 0
        self._reading = False
        self._sweep = 0
        self._writes: list[tuple[int, int, list[int]]] = []
        self._writing = False

    @property
    def done(self) -> bool:
        return len(self.seen["sweeps"]) == len(self._states) - 1 and self._row is None and not self._writes

    def drive(self, cycle: int) -> None:
        row = self._row
        if row is not None:
            self._writes.append((cycle + WRITTEN_AFTER, row, self._states[self._sweep][row]))
        self._writing = bool(self._writes)
        write = self._writes.pop(0) if self._writes and self._writes[0][0] == cycle else None
        for index, lane in enumerate(self._lanes):
            lane["read_en"].value = row is not None
            lane["read_addr"].value = row or 0
            lane["write_en"].value = write is not None
            if write is not None:
                lane["write_addr"].value = write[1]
                lane["write_data"].value = write[2][index]
        self._marks.ready.value = self._sweep > 0 and row == self._rows - 1
        # The states are not set before the first sweep: nothing may be added.
        if self._sweep or row is None:
            self._driver.offer()

    def sample(self, cycle: int) -> bool:
        taken = self._driver.taken()
        if taken:
            self.seen["taken"].append(cycle)
        if self._reading:
            self.seen["read"][-1].append([int(lane["read_data"].value) for lane in self._lanes])
        self._reading = self._row is not None and self._sweep > 0
        if self._row is not None:
            self._row += 1
            if self._row == self._rows:
                self._row = None
                if self._sweep:
                    self.seen["marks"].append(int(self._marks.payload[0].value))
        elif (
            int(self._marks.valid.value)
            and not int(self._busy.value)
            and not self._writing
            and self._rng.random() >= self._stall
        ):
            self.seen["sweeps"].append(cycle)
            self.seen["read"].append([])
            self._sweep += 1
            self._row = 0
        return taken or self._row is not None


@cocotb.test()
async def synapse_paths(dut: Any) -> None:
    await play(dut, SweepPlayer)
