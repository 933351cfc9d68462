"""How synapses are stored: where their runs lie, so that pointing at them takes few bits, and in which encoding."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from spikewright.contract.encoding import encoding_named, encoding_names
from spikewright.contract.image import LayerImage
from spikewright.contract.integers import IntArray, unsigned_bits
from spikewright.support.compiled import compiled

_AHEAD = 512
"""Axons among which the next one is chosen."""


class Placement:
    """Starts of runs, such that the runs of an axon start at about the same address in all lanes.

    A pointer is then an address for all lanes and a short offset for each. Lanes fill up at different speeds, as an
    axon has more synapses in one than in another; but the order of the axons within the memories is free. The next
    one is that which brings the ends of the lanes closest together, of similar ones the largest: putting vectors of
    mean zero in an order that keeps all partial sums short (the Steinitz lemma; here greedily). Where the offsets get
    shorter still by leaving words unused, and the memories smaller by that altogether, words are left unused.

    Parameters
    ----------
    lengths : (axons, lanes) integers
        Synapses of an axon in a lane.
    """

    def __init__(self, lengths: IntArray) -> None:
        self._lengths = lengths
        self._found: dict[int | None, IntArray] = {}

    def starts(self, synapse_bits: int, offset_bits: int | None = None) -> IntArray:
        """Those that take the fewest bits.

        Parameters
        ----------
        synapse_bits : int
            Width of a word of the synapse memories.
        offset_bits : int, optional
            Width of the offsets in pointers that are made already: no offset is longer, and no more words are left
            unused than that takes.

        Returns
        -------
        (axons, lanes) integers
            An empty run starts where the first run of its axon does; without any, at 0. Depends on nothing but
            integers.
        """
        axons, lanes = self._lengths.shape
        if lanes == 1:
            starts = np.cumsum(self._lengths, axis=0) - self._lengths
            return np.where(self._lengths > 0, starts, 0)
        best = self._within(None)
        if offset_bits is not None:
            return best if _offset_bits(best) <= offset_bits else self._within((1 << offset_bits) - 1)

        def cost(starts: IntArray) -> tuple[int, int]:
            ends = _ends(self._lengths, starts)
            return _address_bits(ends), axons * lanes * _offset_bits(starts) + int(ends.sum()) * synapse_bits

        for narrower in range(_offset_bits(best) - 1, -1, -1):
            candidate = self._within((1 << narrower) - 1)
            if cost(candidate) >= cost(best):
                break
            best = candidate
        return best

    def _within(self, most: int | None) -> IntArray:
        if most not in self._found:
            self._found[most] = _place(self._lengths, most)
        return self._found[most]


def _offset_bits(starts: IntArray) -> int:
    return int((starts - starts.min(axis=1, keepdims=True)).max()).bit_length()


def _ends(lengths: IntArray, starts: IntArray) -> IntArray:
    """(lanes,) words of every lane."""
    ends: IntArray = (starts + lengths).max(axis=0, initial=0, where=lengths > 0)
    return ends


def _address_bits(ends: IntArray) -> int:
    return unsigned_bits(max(0, int(ends.max(initial=0)) - 1))


def _place(lengths: IntArray, most: int | None) -> IntArray:
    """Starts of runs, no offset above `most` where that is given."""
    axons, lanes = lengths.shape
    # What an axon adds to a lane beyond the mean of the lanes, less the mean of all axons; times axons and lanes.
    beyond = lanes * lengths - lengths.sum(axis=1, keepdims=True)
    beyond = axons * beyond - beyond.sum(axis=0)
    size = np.abs(beyond).max(axis=1)
    largest_first = np.argsort(-size, kind="stable")
    return _one_by_one(np.ascontiguousarray(lengths), beyond, size, largest_first, -1 if most is None else most)


@compiled
def _one_by_one(lengths: IntArray, beyond: IntArray, size: IntArray, left: IntArray, most: int) -> IntArray:
    """`_place`, compiled: the axons in `left`, largest first, the next one always chosen among the first of them."""
    axons, lanes = lengths.shape
    starts = np.zeros_like(lengths)
    ahead = np.zeros(lanes, dtype=np.int64)
    ends = np.zeros(lanes, dtype=np.int64)
    for remaining in range(axons, 0, -1):
        chosen, best = -1, np.int64(0)
        for candidate in range(min(remaining, _AHEAD)):
            of_axon = beyond[left[candidate]]
            least = most_ahead = ahead[0] + of_axon[0]
            # From this spread on, the candidate is no better than the best one.
            enough = (best + size[left[candidate]] + 1) // 2
            for lane in range(1, lanes):
                after = ahead[lane] + of_axon[lane]
                least = min(least, after)
                most_ahead = max(most_ahead, after)
                if chosen >= 0 and most_ahead - least >= enough:
                    break
            else:
                chosen, best = candidate, 2 * (most_ahead - least) - size[left[candidate]]
        axon = left[chosen]
        for index in range(chosen, remaining - 1):
            left[index] = left[index + 1]
        lowest = highest = np.int64(-1)
        for lane in range(lanes):
            ahead[lane] += beyond[axon, lane]
            if lengths[axon, lane]:
                highest = max(highest, ends[lane])
        if highest < 0:
            continue
        for lane in range(lanes):
            if lengths[axon, lane]:
                if most >= 0 and ends[lane] < highest - most:
                    ahead[lane] += (highest - most - ends[lane]) * axons * lanes
                    ends[lane] = highest - most
                lowest = ends[lane] if lowest < 0 else min(lowest, ends[lane])
        for lane in range(lanes):
            starts[axon, lane] = ends[lane] if lengths[axon, lane] else lowest
            ends[lane] += lengths[axon, lane]
    return starts


@dataclass(frozen=True)
class Stored:
    """What the synapses of a layer take in one encoding.

    Parameters
    ----------
    rows : (words, width)
        Row memory: the pointers.
    lanes : tuple of (words, width)
        Synapse memories.
    run : int
        Bits of a run that waits for its lane: its address and its extent.
    """

    rows: tuple[int, int]
    lanes: tuple[tuple[int, int], ...]
    run: int

    @property
    def bits(self) -> int:
        return sum(words * width for words, width in (self.rows, *self.lanes))


@dataclass(frozen=True, eq=False)
class Encoded:
    """The positions of a layer's synapses in one encoding, see `LayerImage`.

    Parameters
    ----------
    encoding : str
    starts : (axons, lanes) integers
    indices : (synapses,) integers
        By axon, lane and row.
    extents : (axons, lanes) integers
    index_bits : int
    stored : Stored
    """

    encoding: str
    starts: IntArray
    indices: IntArray
    extents: npt.NDArray[Any]
    index_bits: int
    stored: Stored


class Encoder:
    """The positions of the synapses of a layer in any encoding; what encodings have in common is found once.

    Parameters
    ----------
    present : (axons, lanes, rows) bool
        Where there are synapses.
    weight_bits : int
    """

    def __init__(self, present: npt.NDArray[np.bool_], weight_bits: int) -> None:
        self._present = present
        self._weight_bits = weight_bits
        self.lengths: IntArray = present.sum(axis=2)
        self._placement = Placement(self.lengths)
        self._found: dict[tuple[str, int | None], Encoded] = {}

    def encode(self, name: str, offset_bits: int | None = None) -> Encoded:
        """In one encoding.

        Parameters
        ----------
        name : str
            One of `encoding_names()`, which such lanes can have.
        offset_bits : int, optional
            See `Placement.starts`.
        """
        if (name, offset_bits) not in self._found:
            self._found[name, offset_bits] = self._encode(name, offset_bits)
        return self._found[name, offset_bits]

    def _encode(self, name: str, offset_bits: int | None) -> Encoded:
        axons, lanes, rows = self._present.shape
        encoding = encoding_named(name)
        indices = encoding.encode(self._present)
        index_bits = encoding.index_bits(rows, int(indices.max(initial=0)))
        width = index_bits + self._weight_bits
        starts = self._placement.starts(width, offset_bits)
        ends = _ends(self.lengths, starts)
        extent = encoding.extent_bits(rows, unsigned_bits(int(self.lengths.max(initial=0))))
        address = _address_bits(ends)
        pointer = address + lanes * (_offset_bits(starts) + extent)
        stored = Stored((axons, pointer), tuple((words, width) for words in ends.tolist()), address + extent)
        return Encoded(name, starts, indices, encoding.extents(self._present), index_bits, stored)


def encodings(image: LayerImage) -> dict[str, Stored]:
    """What the synapses of a layer take in every encoding, whichever they are stored in."""
    present = np.zeros((image.spec.axons, image.lanes, image.rows), dtype=np.bool_)
    for lane in range(image.lanes):
        axon, row, _ = image.synapses(lane)
        present[axon, lane, row] = True
    encoder = Encoder(present, image.spec.weight_bits)
    return {name: encoder.encode(name).stored for name in encoding_names()}
