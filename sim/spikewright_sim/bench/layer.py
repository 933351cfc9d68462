"""cocotb bench of a spiking layer: events of samples go in, spikes come out, the trace is watched."""

from __future__ import annotations

import random
from typing import Any

import cocotb

from spikewright_sim.bench.play import Ports, play
from spikewright_sim.bench.stream import Port, StreamDriver, StreamMonitor


class LayerPlayer:
    """Plays the layers before and behind a layer.

    Job: `stall`, `mark_bit` (position in a beat of `spikes`), `steps` (in all), `beats` (of all samples, back to back).
    Recorded: `rows` (cycle, row, spikes, v) and `spikes` (cycle, beat).
    """

    def __init__(self, ports: Ports, job: Any, rng: random.Random) -> None:
        self.seen: dict[str, list[Any]] = {"rows": [], "spikes": []}
        self._driver = StreamDriver(Port.amaranth(ports, "events"), rng, job["stall"])
        self._driver.send([(beat,) for beat in job["beats"]])
        self._monitor = StreamMonitor(Port.amaranth(ports, "spikes"), rng, job["stall"])
        self._trace = [getattr(ports, f"trace__{name}") for name in ("valid", "row", "spikes", "v")]
        self._mark_bit = job["mark_bit"]
        self._steps: int = job["steps"]

    @property
    def done(self) -> bool:
        return self._steps == 0

    def drive(self, cycle: int) -> None:
        self._driver.offer()
        self._monitor.accept()

    def sample(self, cycle: int) -> bool:
        taken = self._driver.taken()
        valid, *row = self._trace
        if int(valid.value):
            self.seen["rows"].append((cycle, *(int(handle.value) for handle in row)))
        beat = self._monitor.given()
        if beat is not None:
            self.seen["spikes"].append((cycle, beat[0]))
            self._steps -= beat[0] >> self._mark_bit & 1
        return taken or beat is not None


@cocotb.test()
async def layers(dut: Any) -> None:
    await play(dut, LayerPlayer)
