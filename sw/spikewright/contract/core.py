"""Networks laid out for a core, whatever its kind: the memories of the layers, and the widths of what is in them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar

from spikewright.contract.bounds import Bounds, layer_bounds
from spikewright.contract.delays import DelayPlan
from spikewright.contract.image import LayerImage
from spikewright.contract.integers import IntArray, signed_bits, unsigned_bits
from spikewright.contract.names import Layers, check_lanes
from spikewright.contract.network import NetworkSpec


@dataclass(frozen=True, eq=False, kw_only=True)
class CoreSpec:
    """A network laid out for a core of `lanes` lanes: what `spikewright_hw` builds and the cycle model predicts.

    Always one of `CORES`, by how the layers work; what differs among these is in their methods, or found by their
    `kind` in a table of the room that it belongs to.

    Parameters
    ----------
    network : NetworkSpec
    lanes : int
        Lanes of the largest layer, one of `LANES`; others have as many as they need to keep up.
    layers : tuple of LayerImage
        One per layer of the network.
    queue_depth : int
        Runs that wait in front of a lane: 8 .. 64.
    score_capacity : int, optional
        Bits of a score where the memories are loaded at run time, as the `capacity` of the layers.
    """

    network: NetworkSpec
    lanes: int
    layers: tuple[LayerImage, ...]
    queue_depth: int = 16
    score_capacity: int | None = None
    kind: ClassVar[Layers]
    shares: ClassVar[tuple[str, ...]] = ()
    """Fields for memories of no single layer, named as in `memories`."""
    encodes: ClassVar[bool] = True
    """Memories tell the rows of synapses in an encoding, and may be loaded at run time."""

    def __post_init__(self) -> None:
        check_lanes(self.lanes)
        if not 8 <= self.queue_depth <= 64:
            raise ValueError(f"queue_depth must be 8 .. 64, not {self.queue_depth}")

    @classmethod
    def refusal(cls, network: NetworkSpec) -> str | None:
        """Why a core of this kind cannot have a network, or None."""
        return None

    @property
    def memories(self) -> dict[str, LayerImage]:
        """Whose synapses lie in which row and synapse memories, by the prefix of their names."""
        raise NotImplementedError

    @property
    def common(self) -> dict[str, LayerImage]:
        """Those of `memories` that are of no single layer; if there are any, layers have none."""
        return {name: self.memories[name] for name in self.shares}

    @property
    def pipelines(self) -> list[int]:
        """By layer, the number of the lanes, with what feeds them and what joins their steps, that work for it."""
        raise NotImplementedError

    def synapses(self, index: int, lane: int) -> tuple[IntArray, IntArray, IntArray]:
        """Axon, row and weight of all synapses of a layer in a lane, see `LayerImage.synapses`."""
        raise NotImplementedError

    def states(self, index: int) -> list[tuple[str, int, int]]:
        """Name, words and width of the memories, one in every lane, of the state of a layer.

        Events are added to what is in the first, which are the membranes, or where a layer has them, synaptic currents.
        """
        raise NotImplementedError

    def ring_bits(self, plan: DelayPlan) -> int:
        """Bits of the spikes that are kept for delays."""
        return plan.ring_words * plan.ring_width

    @property
    def multipliers(self) -> int:
        """Products of weights with the values of events in a cycle."""
        return sum(image.lanes for image in self.memories.values() if image.spec.event_bits > 1)

    @property
    def beat_events(self) -> int:
        """Events of an input beat, at most."""
        return 1

    @property
    def loadable(self) -> bool:
        """Memories are loaded at run time."""
        return self.score_capacity is not None

    def state_bits(self, index: int) -> int:
        """Width of what the events of a layer are added to: a membrane, or a synaptic current."""
        image = self.layers[index]
        return image.capacity.state_bits if image.capacity else self._bounds[index].state_bits

    def kept_bits(self, index: int) -> int:
        """Bits that are kept below a membrane of a layer, in the same word, see `Neuron.remembers`."""
        return int(self.layers[index].spec.remembers)

    def membrane_bits(self, index: int) -> int:
        """Width of a membrane of a layer."""
        image = self.layers[index]
        if image.spec.current_decay is None:
            return self.state_bits(index)
        return image.capacity.membrane_bits if image.capacity else self._bounds[index].membrane_bits

    @cached_property
    def _bounds(self) -> list[Bounds]:
        """By layer; found by looking at all synapses, and asked for again and again."""
        return [layer_bounds(image.spec, self.network.timesteps) for image in self.layers]

    @property
    def with_currents(self) -> list[int]:
        """Layers whose neurons have a synaptic current."""
        return [index for index, image in enumerate(self.layers) if image.spec.current_decay is not None]

    @property
    def settle(self) -> int:
        """Cycles in which a core surely finishes what it does after a result: a sweep, and programs of delays."""
        return 64 + max(
            self.states(index)[0][1] + sum(plan.entries for plan in layer.plans.values())
            for index, layer in enumerate(self.layers)
        )

    @property
    def score_bits(self) -> int:
        """Width of a score, and of the class, which travels in the place of one."""
        if self.score_capacity is not None:
            return self.score_capacity
        return max(signed_bits(*self.network.score_bounds), unsigned_bits(self.network.classes - 1) + 1)
