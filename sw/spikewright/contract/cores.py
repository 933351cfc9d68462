"""The kinds of cores: how layers share lanes and memories, and what that changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from spikewright.contract.core import CoreSpec
from spikewright.contract.delays import DelayPlan
from spikewright.contract.image import LayerImage
from spikewright.contract.integers import IntArray, unsigned_bits
from spikewright.contract.names import LAYERS, Layers
from spikewright.contract.network import NetworkSpec
from spikewright.contract.slots import SlotImage


@dataclass(frozen=True, eq=False, kw_only=True)
class ParallelCore(CoreSpec):
    """A core whose layers have lanes of their own, all at work at once, see `CoreSpec`."""

    kind: ClassVar[Layers] = "parallel"

    @property
    def memories(self) -> dict[str, LayerImage]:
        return {f"layer{index}": image for index, image in enumerate(self.layers)}

    @property
    def pipelines(self) -> list[int]:
        return list(range(len(self.layers)))

    def synapses(self, index: int, lane: int) -> tuple[IntArray, IntArray, IntArray]:
        return self.layers[index].synapses(lane)

    def states(self, index: int) -> list[tuple[str, int, int]]:
        rows, kept = self.layers[index].rows, self.kept_bits(index)
        membranes = f"layer{index}_membranes"
        if index not in self.with_currents:
            return [(membranes, rows, self.state_bits(index) + kept)]
        currents = f"layer{index}_currents", rows, self.state_bits(index) + kept
        return [currents, (membranes, rows, self.membrane_bits(index))]


@dataclass(frozen=True, eq=False, kw_only=True)
class SharedCore(CoreSpec):
    """A core whose layers take turns on the same lanes, its engine, see `CoreSpec`.

    Parameters
    ----------
    engine : LayerImage
        The synapses of all layers, as those of one layer with the axons of all. Which neuron a row means depends on
        the layer whose turn it is.
    """

    engine: LayerImage
    kind: ClassVar[Layers] = "shared"
    shares: ClassVar[tuple[str, ...]] = ("engine",)

    @property
    def memories(self) -> dict[str, LayerImage]:
        return {"engine": self.engine}

    @property
    def pipelines(self) -> list[int]:
        return [0] * len(self.layers)

    def synapses(self, index: int, lane: int) -> tuple[IntArray, IntArray, IntArray]:
        axon, row, weight = self.engine.synapses(lane)
        base = self.axon_bases[index]
        own = (axon >= base) & (axon < base + self.layers[index].spec.axons)
        return axon[own] - base, row[own], weight[own]

    def states(self, index: int) -> list[tuple[str, int, int]]:
        # As wide as the widest. Without currents, membranes are in the first.
        layers = range(len(self.layers))
        first = self.engine_rows, max(map(self.state_bits, layers)) + self.kept_bits(index)
        if not self.with_currents:
            return [("engine_membranes", *first)]
        second = self.engine_rows, max(map(self.membrane_bits, layers))
        return [("engine_currents", *first), ("engine_membranes", *second)]

    def kept_bits(self, index: int) -> int:
        # Room for that of any layer.
        return max(int(image.spec.remembers) for image in self.layers)

    @property
    def axon_bases(self) -> list[int]:
        """First axon of every layer in the engine."""
        axons = [image.spec.axons for image in self.layers]
        return [sum(axons[:index]) for index in range(len(axons))]

    @property
    def row_bases(self) -> list[int]:
        """Where the rows of every layer begin in the memories of the engine: a row joins its base without a carry."""
        bases = [0] * len(self.layers)
        end = 0
        # The largest first: each then begins at a multiple of its own size.
        for index in sorted(range(len(bases)), key=lambda index: -self.layers[index].row_bits):
            bases[index] = end
            end += 1 << self.layers[index].row_bits
        return bases

    @property
    def engine_rows(self) -> int:
        """Words of a memory of the engine with a word per row."""
        return max(base + image.rows for base, image in zip(self.row_bases, self.layers, strict=True))


@dataclass(frozen=True, eq=False, kw_only=True)
class SlottedCore(CoreSpec):
    """A core whose layers, all at work at once, read the words of an axon for all of their neurons, see `CoreSpec`.

    The lanes of a layer are as many neurons as are updated at once. What `layers` tells of runs of synapses is not how
    they are stored: that is in `slots`.

    Parameters
    ----------
    slots : tuple of SlotImage
        One per layer.
    """

    slots: tuple[SlotImage, ...]
    kind: ClassVar[Layers] = "slotted"
    encodes: ClassVar[bool] = False

    @classmethod
    def refusal(cls, network: NetworkSpec) -> str | None:
        for index, spec in enumerate(network.layers):
            for name in ("onward", "current_decay", "start"):
                if getattr(spec, name) is not None:
                    return f"layer {index} must have no {name} where layers are {cls.kind}"
            if spec.count_bits > 1:
                return f"layer {index} must send single spikes where layers are {cls.kind}, not several in a step"
        return None

    @property
    def memories(self) -> dict[str, LayerImage]:
        return {}

    @property
    def pipelines(self) -> list[int]:
        return list(range(len(self.layers)))

    def synapses(self, index: int, lane: int) -> tuple[IntArray, IntArray, IntArray]:
        return self.slots[index].synapses(lane)

    def states(self, index: int) -> list[tuple[str, int, int]]:
        return [(f"layer{index}_membranes", self.layers[index].rows, self.state_bits(index) + self.kept_bits(index))]

    def ring_bits(self, plan: DelayPlan) -> int:
        # Steps are kept in a power of two of them.
        return plan.rows * plan.lanes << max(1, (plan.slots - 1).bit_length())

    def place_bits(self, index: int) -> tuple[int, int]:
        """Widths of the row and the bit in the number by which a layer knows the axon of a spike.

        Those of the layer before, and its own where its spikes come back to it; the input has no rows.
        """
        spec = self.layers[index].spec
        feed = self.layers[index - 1] if index else None
        rows, bits = (feed.row_bits, feed.lane_bits) if feed else (0, unsigned_bits(spec.inputs - 1))
        if not spec.recurrent:
            return rows, bits
        own = self.layers[index]
        if not feed:
            return own.row_bits, max(bits - own.row_bits, own.lane_bits)
        return max(rows, own.row_bits), max(bits, own.lane_bits)

    def axon_words(self, index: int) -> int:
        """Words of the memory in which a layer looks up an axon."""
        return 1 << (sum(self.place_bits(index)) + self.slots[index].chunk_bits + self.layers[index].spec.recurrent)

    @property
    def multipliers(self) -> int:
        valued = [slots for slots in self.slots if slots.multiplies]
        return sum(slots.image.lanes * slots.slots * slots.reads for slots in valued)

    @property
    def beat_events(self) -> int:
        # A recurrent layer has its own spikes beside those of the input.
        return 1 if self.layers[0].spec.recurrent else self.slots[0].reads


CORES: dict[Layers, type[CoreSpec]] = dict(zip(LAYERS, (ParallelCore, SharedCore, SlottedCore), strict=True))
"""Those that there are, by their `kind`."""
