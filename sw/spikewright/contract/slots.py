"""Synapses in slots: wide words that are read whole, one or two a cycle, for all neurons of a layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from spikewright.contract.image import LayerImage
from spikewright.contract.integers import IntArray, signed_bits, unsigned_bits


@dataclass(frozen=True, eq=False, kw_only=True)
class SlotImage:
    """The synapses of a layer as wide rows of slots.

    A lane has a memory of its own, of which all lanes read the same row at once. Its neurons, in the order of their
    rows in `image`, are in groups of `group`, which share a slot of a word: the weight, and which of them it is for.
    So an axon takes as many words, the same ones in all lanes, as its fullest group has synapses; an axon without any
    takes none, and a slot without a synapse holds a weight of 0.

    Where events have values, there may be words for the weights times 2, 3 .. `values` too, behind all others, so that
    none is multiplied: an event of a greater value is read several times.

    Parameters
    ----------
    image : LayerImage
        The layer; `image.lanes` neurons are updated at once.
    group : int
        Neurons of a slot, a power of two.
    reads : int
        1 or 2: words that are read in a cycle.
    starts, counts : (axons,) integers
        First word of an axon, and how many it has.
    weights, members : (words, lanes, slots of a lane) integers
        Of the words for a value of 1. `members` is 0 .. group - 1.
    values : int
        Largest value for which there are words; 1 if weights are multiplied where events have values.
    """

    image: LayerImage
    group: int
    reads: int
    starts: IntArray
    counts: IntArray
    weights: IntArray
    members: IntArray
    values: int = 1

    @property
    def multiplies(self) -> bool:
        """Whether weights are multiplied by the values of events."""
        return self.image.spec.value_bits > 1 and self.values == 1

    @property
    def product_cycles(self) -> int:
        """Cycles in which a weight is multiplied by the value of an event: to the multiplier, there, and back."""
        return 3 if self.multiplies else 0

    @property
    def chunk_bits(self) -> int:
        """Width of the value, less one, by which words are looked up; 0 where there are only those for 1."""
        return (self.values - 1).bit_length()

    @property
    def input_words(self) -> int:
        """Words of the axons of the input for one value."""
        return int(self.counts[: self.image.spec.inputs].sum())

    @property
    def words(self) -> int:
        """Words of a lane."""
        return len(self.weights) + (self.values - 1) * self.input_words

    def start(self, axon: int, value: int) -> int:
        """First word of an axon for events of a value; those of spikes that come back to the layer have 1."""
        of_value = len(self.weights) + (value - 2) * self.input_words if value > 1 else 0
        return of_value + int(self.starts[axon])

    @property
    def slots(self) -> int:
        """Slots of a word of a lane."""
        return -(-self.image.rows // self.group)

    @property
    def member_bits(self) -> int:
        """Width of what tells the neuron of a slot; 0 where each has its own."""
        return (self.group - 1).bit_length()

    @property
    def term_bits(self) -> int:
        """Width of what a slot has for its neuron: a weight, or one times a value."""
        most = self.values << (self.image.spec.weight_bits - 1)
        return signed_bits(-most, most - self.values)

    @property
    def slot_bits(self) -> int:
        """Width of a slot: the weight in the low bits, then the member."""
        return self.term_bits + self.member_bits

    @property
    def width(self) -> int:
        """Width of a word of a lane."""
        return self.slots * self.slot_bits

    @property
    def address_bits(self) -> int:
        """Width of the address of a word."""
        return unsigned_bits(max(self.words, 2) - 1)

    @property
    def most(self) -> int:
        """Most words of an axon."""
        return max(1, int(self.counts.max(initial=0)))

    @property
    def kept_bits(self) -> int:
        """Width of the number of a step in the rings of delays, which keep a power of two of them."""
        delays = self.image.spec.delays
        return max(1, 0 if delays is None else int(delays.max()).bit_length())

    @property
    def sum_range(self) -> tuple[int, int]:
        """Least and largest sum of a step of any neuron, weights as they are stored."""
        low, high = self.image.spec.step_input()
        shift = self.image.spec.weight_shift
        return int(low.min()) >> shift, int(high.max()) >> shift

    @property
    def present(self) -> IntArray:
        """(axons,): 1 where an axon has a synapse."""
        present: IntArray = (self.counts > 0).astype(np.int64)
        return present

    def lane_words(self, lane: int) -> list[int]:
        """The memory of a lane."""
        mask = (1 << self.term_bits) - 1
        words = []
        for value in range(1, self.values + 1):
            count = len(self.weights) if value == 1 else self.input_words
            lists = (of[:count, lane].tolist() for of in (self.weights, self.members))
            for weights, members in zip(*lists, strict=True):
                word = 0
                for slot, (weight, member) in enumerate(zip(weights, members, strict=True)):
                    word |= (weight * value & mask | member << self.term_bits) << slot * self.slot_bits
                words.append(word)
        return words

    def synapses(self, lane: int) -> tuple[IntArray, IntArray, IntArray]:
        """Axon, row and weight of all synapses of a lane, as the hardware reads them."""
        axon = np.repeat(np.arange(len(self.counts)), self.counts)
        first = np.repeat(self.starts, self.counts)
        begins = np.repeat(np.cumsum(self.counts) - self.counts, self.counts)
        words = first + np.arange(len(axon)) - begins
        at, slot = np.nonzero(self.weights[words, lane])
        return axon[at], slot * self.group + self.members[words[at], lane, slot], self.weights[words[at], lane, slot]
