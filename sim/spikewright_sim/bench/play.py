"""What the cocotb benches of single components share: the loop over cycles, the job and the recording.

As for the whole core, all comparison happens outside of the simulator, see `components`.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from cocotb.clock import Clock
from cocotb.triggers import FallingEdge, ReadOnly

HUNG = 3_000
"""Cycles without any sign of life after which a component is given up."""

LONGEST_FALSE_START = 600
"""Cycles."""


class Player(Protocol):
    """Plays the surroundings of a component, one cycle at a time."""

    seen: dict[str, list[Any]]
    """What was recorded."""

    @property
    def done(self) -> bool: ...

    def drive(self, cycle: int) -> None:
        """Set the inputs of the cycle."""

    def sample(self, cycle: int) -> bool:
        """Look at the outputs of the cycle, all settled; True as a sign of life."""


class Ports:
    """Ports of one of the components that were compiled side by side."""

    def __init__(self, dut: Any, component: str) -> None:
        self._dut = dut
        self._prefix = f"{component}__"

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dut, self._prefix + name)


async def play(dut: Any, player: Callable[[Ports, Any, random.Random], Player]) -> None:
    """Run the job of every component, and write the recording once all are done.

    All is first begun and cut off by a reset at a random moment: what that leaves in the memories must not matter.

    Parameters
    ----------
    player : callable
        Makes the player of a component from its ports, its job and a source of random numbers.
    """
    job = json.loads(Path(os.environ["SPIKEWRIGHT_JOB"]).read_text())
    rng = random.Random(job["seed"])
    jobs = job["components"]
    Clock(dut.clk, 2, unit="ns").start()
    for limit in (rng.randint(1, LONGEST_FALSE_START), None):
        players = {name: player(Ports(dut, name), of_component, rng) for name, of_component in jobs.items()}
        dut.rst.value = 1
        for _ in range(3):
            await FallingEdge(dut.clk)
        dut.rst.value = 0
        cycle = last_sign = 0
        while cycle != limit and not all(item.done for item in players.values()):
            for item in players.values():
                item.drive(cycle)
            await ReadOnly()
            alive = [item.sample(cycle) for item in players.values()]
            if any(alive):
                last_sign = cycle
            if cycle - last_sign > HUNG:
                hanging = [name for name, item in players.items() if not item.done]
                raise AssertionError(f"{', '.join(hanging)} hanging since cycle {last_sign}, seed {job['seed']}")
            cycle += 1
            await FallingEdge(dut.clk)
    recording = {name: item.seen for name, item in players.items()}
    Path(os.environ["SPIKEWRIGHT_RECORDING"]).write_text(json.dumps(recording))
