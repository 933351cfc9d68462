"""How cores of every kind are predicted: their cycles, their memories and their logic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from spikewright.contract.names import Layers
from spikewright.layout.price import Memory
from spikewright.predict.cycles_parallel import run_parallel
from spikewright.predict.cycles_shared import run_shared
from spikewright.predict.records import Sample, State, Wiring
from spikewright.predict.resources_parallel import layer_memories, layers
from spikewright.predict.resources_shared import engine, engine_memories


class Engine(NamedTuple):
    """What is asked of a core of one kind.

    `run` one sample: the cycle in which its class is taken. `memories`, and the LUTs and flip-flops of the `logic` of
    each of its parts, both of a core of the kind.
    """

    run: Callable[[Wiring, State, Sample], int]
    memories: Callable[[Any], list[Memory]]
    logic: Callable[[Any], list[tuple[float, float]]]


ENGINES: dict[Layers, Engine] = {
    "parallel": Engine(run_parallel, layer_memories, layers),
    "shared": Engine(run_shared, engine_memories, engine),
}
