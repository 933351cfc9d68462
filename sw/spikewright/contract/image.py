"""Layers laid out for a core: what is in their memories, and how wide it is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from spikewright.contract.capacity import LayerCapacity
from spikewright.contract.delays import DelayPlan
from spikewright.contract.encoding import Encoding, encoding_named
from spikewright.contract.integers import IntArray, run_addresses, signed_bits, unsigned_bits
from spikewright.contract.layer import LayerSpec


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
