"""Networks laid out for a core: the memory images of their layers.

Plain NumPy, like `spec`: `spikewright_hw` builds a core from this.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, NamedTuple

import numpy as np
import numpy.typing as npt

from spikewright.contract.capacity import LayerCapacity
from spikewright.contract.encoding import Encoding, encoding_named
from spikewright.contract.integers import IntArray, run_addresses, signed_bits, unsigned_bits
from spikewright.contract.names import Layers, check_lanes
from spikewright.contract.network import LayerSpec, NetworkSpec


def in_registers(words: int, width: int) -> bool:
    """Whether a writable memory is made of registers, as it would waste a RAM."""
    return words <= 4 or words * width <= 128


class DelayEntry(NamedTuple):
    """Neurons of one row of hardware positions whose spikes take the same time: they are read together.

    Parameters
    ----------
    delay : int
        Steps.
    row : int
    lanes : tuple of int
    """

    delay: int
    row: int
    lanes: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class DelayPlan:
    """What a layer keeps of its spikes, and when it asks for them, so that they arrive after delays.

    Parameters
    ----------
    delays : (neurons,) integers
        Steps, by hardware position.
    lanes : int
    most : (int, int), optional
        Entries and delay that memories which are loaded at run time can hold; without it, those of the contents.
    value_bits : int
        Width of the number of spikes of a neuron in a step.
    """

    delays: IntArray
    lanes: int
    most: tuple[int, int] | None = None
    value_bits: int = 1

    @property
    def neurons(self) -> int:
        return len(self.delays)

    @property
    def rows(self) -> int:
        """Neurons per lane, the last row perhaps not full."""
        return -(-self.neurons // self.lanes)

    @property
    def row_bits(self) -> int:
        return unsigned_bits(self.rows - 1)

    @property
    def program(self) -> list[DelayEntry]:
        """What a step asks of the steps before, long delays first."""
        members: dict[tuple[int, int], list[int]] = {}
        for position, delay in enumerate(self.delays.tolist()):
            members.setdefault((-delay, position // self.lanes), []).append(position % self.lanes)
        return [DelayEntry(-delay, row, tuple(lanes)) for (delay, row), lanes in sorted(members.items())]

    @property
    def loadable(self) -> bool:
        return self.most is not None

    @property
    def entries(self) -> int:
        """Most entries of the program."""
        return self.most[0] if self.most else len(self.program)

    @property
    def slots(self) -> int:
        """Steps whose spikes are kept."""
        return 1 + (self.most[1] if self.most else int(self.delays.max()))

    @property
    def ring_words(self) -> int:
        """Rows of spikes that are kept: a slot for every step that may be asked for."""
        return self.slots * self.rows

    @property
    def ring_width(self) -> int:
        """Width of a row of spikes."""
        return self.lanes * self.value_bits


class Constant(NamedTuple):
    """A field of the word that is stored for every neuron; one of no bits is left out.

    Parameters
    ----------
    bits : int
    signed : bool
    values : (neurons,) integers
    fill : int
        Of a position without a neuron.
    """

    bits: int
    signed: bool
    values: IntArray
    fill: int


@dataclass(frozen=True, eq=False, kw_only=True)
class LayerImage:
    """Memories of one layer, its neurons dealt out to lanes.

    Neuron `order[h]` of the network sits at hardware position h: lane `h % lanes`, row `h // lanes`. Events carry
    hardware positions, so the axons of the following layer (and of the recurrence) are numbered by position too.

    Compressed sparse rows by presynaptic axon, one memory per lane: the synapses of axon a in lane l, its run, are
    `data[l][start : start + length]` with `start = starts[a, l]` and `length = lengths[a, l]`, by rising row of the
    neuron within the lane. Runs lie in any order; words between them are 0 and are never read. How `indices[l][...]`
    and `extents[a, l]` tell the rows is the `encoding`, see `Encoding`.

    Parameters
    ----------
    spec : LayerSpec
        What was packed, neurons and axons in the order of the network.
    lanes : int
    order : (neurons,) integers
        A permutation of 0 .. neurons - 1.
    starts, lengths : (axons, lanes) integers
        An empty run starts where the first run of its axon does.
    indices, data : per lane, (words of the lane,) integers
        What tells the row, and weight (never 0 within a run).
    encoding : str
        One of `encoding_names()`.
    extents : (axons, lanes) integers, optional
        What the pointer to a run tells of its synapses; without it, the length.
    capacity : LayerCapacity, optional
        What memories that are loaded at run time can hold; without it, all sizes are those of the contents.
    """

    spec: LayerSpec
    lanes: int
    order: IntArray
    starts: IntArray
    lengths: IntArray
    indices: tuple[IntArray, ...]
    data: tuple[IntArray, ...]
    encoding: str = "absolute"
    extents: npt.NDArray[Any] | None = None
    capacity: LayerCapacity | None = None

    @property
    def rows(self) -> int:
        """Neurons per lane, the last row perhaps not full."""
        return -(-self.spec.neurons // self.lanes)

    @property
    def bases(self) -> IntArray:
        """(axons,): address of the first run of an axon; its runs in other lanes start a short offset further on."""
        bases: IntArray = self.starts.min(axis=1)
        return bases

    def synapses(self, lane: int) -> tuple[IntArray, IntArray, IntArray]:
        """Axon, row and weight of all synapses of a lane, axon by axon, as the hardware reads them."""
        extents = self._extents[:, lane]
        lengths = self._encoding.lengths(extents)
        words = run_addresses(self.starts[:, lane], lengths)
        row = self._encoding.decode(extents, self.indices[lane][words], self.rows)
        return np.repeat(np.arange(len(lengths)), lengths), row, self.data[lane][words]

    def extent(self, axon: int, lane: int) -> int:
        """What the pointer to a run tells of its synapses."""
        return int(self._extents[axon, lane])

    @cached_property
    def _encoding(self) -> Encoding:
        return encoding_named(self.encoding)

    @property
    def _extents(self) -> npt.NDArray[Any]:
        return self.lengths if self.extents is None else self.extents

    # These widths are found by looking at all synapses, and asked for with every word of a memory.

    @cached_property
    def index_bits(self) -> int:
        """Width of what tells the row in a word of the synapse memory."""
        highest = max((int(indices.max(initial=0)) for indices in self.indices), default=0)
        return self._encoding.index_bits(self.rows, highest)

    @property
    def synapse_bits(self) -> int:
        """Width of a word of the synapse memory."""
        return self.index_bits + self.spec.weight_bits

    @cached_property
    def extent_bits(self) -> int:
        """Width of an `extent`."""
        return self._encoding.extent_bits(self.rows, self.length_bits)

    @property
    def row_bits(self) -> int:
        """Width of a row within a lane."""
        return unsigned_bits(self.rows - 1)

    @property
    def lane_bits(self) -> int:
        """Width of a lane, 0 of a single one."""
        return (self.lanes - 1).bit_length()

    @cached_property
    def start_bits(self) -> int:
        """Width of an address of a lane's synapse memory."""
        words = self.capacity.synapses if self.capacity else max(len(data) for data in self.data)
        return unsigned_bits(max(words - 1, 0))

    @cached_property
    def offset_bits(self) -> int:
        """Width of the distance from the base of an axon to its run in a lane; 0 in a single lane."""
        if self.capacity:
            return self.capacity.offset_bits
        return int((self.starts - self.bases[:, None]).max()).bit_length()

    @cached_property
    def length_bits(self) -> int:
        """Width of the number of synapses of an axon in a lane."""
        return unsigned_bits(self.capacity.run if self.capacity else int(self.lengths.max(initial=0)))

    @property
    def threshold_bits(self) -> int:
        """Width of a threshold; 0 for a read-out."""
        if self.spec.threshold is None:
            return 0
        return self.capacity.threshold_bits if self.capacity else unsigned_bits(int(self.spec.threshold.max()))

    @property
    def bias_bits(self) -> int:
        if self.capacity:
            return self.capacity.bias_bits
        return signed_bits(int(self.spec.bias.min()), int(self.spec.bias.max()))

    @property
    def floor_bits(self) -> int:
        """Width of a floor, which is stored negated; 0 where there is none, or each is its threshold, negated."""
        floor, threshold = self.spec.floor, self.spec.threshold
        if floor is None:
            return 0
        if self.capacity:
            return self.capacity.floor_bits
        same = threshold is not None and np.array_equal(floor, -threshold)
        return 0 if same else unsigned_bits(self.deepest)

    @property
    def deepest(self) -> int:
        """The lowest floor, negated; 0 without floors."""
        return 0 if self.spec.floor is None else -int(self.spec.floor.min())

    @property
    def constants(self) -> dict[str, Constant]:
        """The word of every neuron by its fields, those in the lowest bits first."""
        spec = self.spec
        found = {}
        if spec.threshold is not None:
            # A position without a neuron has no synapses and no bias: a threshold of 1 keeps it silent.
            found["threshold"] = Constant(self.threshold_bits, False, spec.threshold, 1)
        found["bias"] = Constant(self.bias_bits, True, spec.bias, 0)
        if spec.floor is not None:
            found["floor"] = Constant(self.floor_bits, False, -spec.floor, 0)
        for name, start in (("start", spec.start), ("current_start", spec.current_start)):
            if start is not None:
                bits = signed_bits(int(start.min()), int(start.max()))
                bits = getattr(self.capacity, f"{name}_bits") if self.capacity else bits
                found[name] = Constant(bits, True, start, 0)
        for name, multipliers in (("leak", spec.multipliers), ("current_leak", spec.current_multipliers)):
            if multipliers is not None:
                bits = unsigned_bits(int(multipliers.max()))
                bits = getattr(self.capacity, f"{name}_bits") if self.capacity else bits
                found[name] = Constant(bits, False, multipliers, 0)
        return found

    @property
    def word_bits(self) -> int:
        """Width of the word of a neuron."""
        return sum(constant.bits for constant in self.constants.values())

    @property
    def pointer_bits(self) -> int:
        """Width of what points at the runs of an axon: its base; for every lane an offset and an extent."""
        return self.start_bits + self.lanes * (self.offset_bits + self.extent_bits)

    @property
    def loop(self) -> DelayPlan | None:
        """Of the spikes that come back to the layer, if it is recurrent."""
        most = None if self.capacity is None else (self.capacity.entries, self.capacity.delay)
        return self._plan(self.spec.delays, most)

    @property
    def onward(self) -> DelayPlan | None:
        """Of the spikes on their way to the next layer, if there are delays."""
        most = None if self.capacity is None else (self.capacity.onward_entries, self.capacity.onward_delay)
        return self._plan(self.spec.onward, most)

    def _plan(self, delays: IntArray | None, most: tuple[int, int] | None) -> DelayPlan | None:
        return None if delays is None else DelayPlan(delays[self.order], self.lanes, most, self.spec.count_bits)

    @property
    def plans(self) -> dict[str, DelayPlan]:
        """Both, as far as there are any, by what the names of their memories begin with."""
        named = {"": self.loop, "onward_": self.onward}
        return {name: plan for name, plan in named.items() if plan is not None}

    def by_position(self, per_neuron: IntArray, fill: int) -> IntArray:
        """(rows, lanes) from (neurons,), positions without a neuron filled."""
        grid = np.full(self.rows * self.lanes, fill, dtype=np.int64)
        grid[: self.spec.neurons] = per_neuron[self.order]
        return grid.reshape(self.rows, self.lanes)


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
        return image.capacity.state_bits if image.capacity else image.spec.bounds(self.network.timesteps).state_bits

    def kept_bits(self, index: int) -> int:
        """Bits that are kept below a membrane of a layer, in the same word, see `Neuron.remembers`."""
        return int(self.layers[index].spec.remembers)

    def membrane_bits(self, index: int) -> int:
        """Width of a membrane of a layer."""
        image = self.layers[index]
        if image.spec.current_decay is None:
            return self.state_bits(index)
        return (
            image.capacity.membrane_bits if image.capacity else image.spec.bounds(self.network.timesteps).membrane_bits
        )

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
