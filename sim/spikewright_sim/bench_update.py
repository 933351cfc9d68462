"""cocotb bench of the neuron update: the bench plays the membranes of all lanes, and adds to them between sweeps."""

from __future__ import annotations

import random
from typing import Any

import cocotb

from spikewright_sim.bench import Ports, play
from spikewright_sim.stream import Port, StreamDriver, StreamMonitor


class LanesPlayer:
    """Plays lanes with a memory of membranes, marks, and a serializer that is always ready.

    Job: `stall`, `lanes`, `rows`, `state_bits`, `marks` (a beat per step), `added` (by step, row and lane: what the
    events of the step sum up to). It is added to what the sweep before writes, as that is written; `start` is given as
    soon as that sweep has read its last row or, with stalls, later.
    Recorded: `reads` (cycle, row), `writes` (cycle, row, states by lane), `rows` (cycle, row, spikes, v), `spikes`
    (cycle, beat), by step `offered` and `marks` (first and last cycle of its mark) and `starts` (first cycle of
    `start`).
    """

    def __init__(self, ports: Ports, job: Any, rng: random.Random) -> None:
        names = ("reads", "writes", "rows", "spikes", "offered", "marks", "starts")
        self.seen: dict[str, list[Any]] = {name: [] for name in names}
        self._rng = rng
        self._stall = job["stall"]
        self._rows = job["rows"]
        self._mask = (1 << job["state_bits"]) - 1
        self._added = job["added"]
        self._states = [[0] * job["lanes"] for _ in range(job["rows"])]
        self._outputs = [0] * job["lanes"]
        self._steps = 0
        self._start = False
        self._start_port = ports.start
        self._marks = Port.amaranth(ports, "marks")
        self._driver = StreamDriver(self._marks, rng, job["stall"])
        self._driver.send([(mark,) for mark in job["marks"]])
        self._monitor = StreamMonitor(Port.amaranth(ports, "spikes"), rng)
        self._trace = [getattr(ports, f"trace__{name}") for name in ("valid", "row", "spikes", "v")]
        self._lanes = [
            [getattr(ports, f"states__{lane}__{name}") for name in ("read_data", "write_data")]
            for lane in range(job["lanes"])
        ]
        # All lanes are swept alike, as the test compares what each of them is told to write.
        self._sweep = [
            [getattr(ports, f"states__{lane}__{name}") for name in ("read_en", "read_addr", "write_en", "write_addr")]
            for lane in range(job["lanes"])
        ]

    @property
    def done(self) -> bool:
        return len(self.seen["writes"]) == self._rows * (1 + len(self._added)) and self._driver.idle

    def drive(self, cycle: int) -> None:
        complete = len(self.seen["reads"]) == self._rows * (1 + self._steps)
        if complete and self._steps < len(self._added) and self._rng.random() >= self._stall:
            self._steps += 1
            self._start = True
            self.seen["starts"].append(cycle)
        self._start_port.value = self._start
        for (read_data, _), output in zip(self._lanes, self._outputs, strict=True):
            read_data.value = output
        self._driver.offer()
        self._monitor.accept()

    def sample(self, cycle: int) -> bool:
        sweeps = [[int(handle.value) for handle in lane] for lane in self._sweep]
        if any(sweep != sweeps[0] for sweep in sweeps):
            raise AssertionError(f"lanes must be swept alike in cycle {cycle}: {sweeps}")
        read_en, read_addr, write_en, write_addr = sweeps[0]
        if read_en:
            self.seen["reads"].append((cycle, read_addr))
            self._outputs = list(self._states[read_addr])
            self._start = False
        if write_en:
            states = [int(write_data.value) for _, write_data in self._lanes]
            step = len(self.seen["writes"]) // self._rows
            added = self._added[step][write_addr] if step < len(self._added) else [0] * len(states)
            self._states[write_addr] = [(v + more) & self._mask for v, more in zip(states, added, strict=True)]
            self.seen["writes"].append((cycle, write_addr, states))
        if int(self._marks.valid.value) and len(self.seen["offered"]) == len(self.seen["marks"]):
            self.seen["offered"].append(cycle)
        if self._driver.taken():
            self.seen["marks"].append(cycle)
        valid, *row = self._trace
        if int(valid.value):
            self.seen["rows"].append((cycle, *(int(handle.value) for handle in row)))
        spikes = self._monitor.given()
        if spikes is not None:
            self.seen["spikes"].append((cycle, spikes[0]))
        return bool(read_en or write_en)


@cocotb.test()
async def neuron_updates(dut: Any) -> None:
    await play(dut, LanesPlayer)
