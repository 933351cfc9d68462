"""How cores of every kind are predicted: their cycles, their memories and their logic."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, Protocol

from spikewright.contract.names import Layers
from spikewright.layout.price import Memory
from spikewright.predict.cycles_parallel import run_parallel
from spikewright.predict.cycles_shared import run_shared
from spikewright.predict.cycles_slotted import SlottedRuns
from spikewright.predict.records import Sample
from spikewright.predict.resources_parallel import layer_memories, layers
from spikewright.predict.resources_shared import engine, engine_memories
from spikewright.predict.resources_slotted import slotted_layers, slotted_memories
from spikewright.predict.wiring import QueuedRuns


class Runs(Protocol):
    """Samples that pass through one core, one after the other."""

    def run(self, sample: Sample) -> tuple[int, int]:
        """The cycles in which the last beat and the class are taken; `began` and `integrating` are filled."""
        ...


class Engine(NamedTuple):
    """What is asked of a core of one kind.

    Its `runs`, from idle on. `memories`, and the LUTs and flip-flops of the `logic` of
    each of its parts, both of a core of the kind.
    """

    runs: Callable[[Any], Runs]
    memories: Callable[[Any], list[Memory]]
    logic: Callable[[Any], list[tuple[float, float]]]


ENGINES: dict[Layers, Engine] = {
    "parallel": Engine(partial(QueuedRuns, run=run_parallel), layer_memories, layers),
    "shared": Engine(partial(QueuedRuns, run=run_shared), engine_memories, engine),
    "slotted": Engine(SlottedRuns, slotted_memories, slotted_layers),
}
