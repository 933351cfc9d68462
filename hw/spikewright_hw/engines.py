"""What works on the layers of a core, for every kind of core; `Core` puts a gate in front of it."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Protocol

from amaranth.hdl import Module
from amaranth.lib import wiring

from spikewright.contract.core import CoreSpec
from spikewright.contract.cores import ParallelCore, SharedCore

from .layer import ReadoutLayer, SpikingLayer
from .rom import LoadTarget
from .shared import SharedEngine
from .slotted import SlotChain


class Engine(Protocol):
    """Components with a `reset` each, by their names, and which of their ports are those of a core.

    `connect` is for what lies between them.
    """

    parts: dict[str, Any]
    events: Any
    results: Any
    traces: list[Any]
    targets: list[LoadTarget]

    def connect(self, m: Module) -> None: ...


class LayerChain:
    """Layers with lanes of their own, all at work at once on successive steps.

    A zero weight takes no memory, no addition and no cycle: a lane has a run of words for each axon, only of its
    non-zero synapses. An event takes as many cycles as the busiest lane has synapses of its axon, and at least one.
    """

    def __init__(self, core: ParallelCore) -> None:
        spiking = [SpikingLayer(core, index) for index in range(len(core.layers) - 1)]
        layers: list[Any] = [*spiking, ReadoutLayer(core)]
        self.parts = {f"layer{index}": layer for index, layer in enumerate(layers)}
        self.events = layers[0].events
        self.results = layers[-1].results
        self.traces = [layer.trace for layer in layers]
        self.targets: list[LoadTarget] = [target for layer in layers for target in layer.targets]

    def connect(self, m: Module) -> None:
        for layer, following in pairwise(self.parts.values()):
            wiring.connect(m, layer.spikes, following.events)


class Turns:
    """Layers that take turns on the same lanes, one after the other.

    A zero weight takes no memory, no addition and no cycle, as in `LayerChain`.
    """

    def __init__(self, core: SharedCore) -> None:
        engine = SharedEngine(core)
        self.parts: dict[str, Any] = {"engine": engine}
        self.events = engine.events
        self.results = engine.results
        self.traces = [getattr(engine, f"trace{index}") for index in range(len(core.layers))]
        self.targets = engine.targets

    def connect(self, m: Module) -> None:
        """There is nothing between."""


_ENGINES: dict[str, Any] = {"parallel": LayerChain, "shared": Turns, "slotted": SlotChain}


def engine_of(core: CoreSpec) -> Engine:
    """The engine of a core, by its kind."""
    engine: Engine = _ENGINES[core.kind](core)
    return engine
