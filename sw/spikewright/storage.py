"""How synapses are stored: where their runs lie, so that pointing at them takes few bits, and what encodings take."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .spec import IntArray, LayerImage, unsigned_bits

_AHEAD = 512
"""Axons among which the next one is chosen."""


def place_runs(lengths: IntArray, synapse_bits: int, offset_bits: int | None = None) -> IntArray:
    """Start of every run, such that the runs of an axon start at about the same address in all lanes.

    A pointer is then an address for all lanes and a short offset for each. Lanes fill up at different speeds, as an
    axon has more synapses in one than in another; but the order of the axons within the memories is free. The next
    one is that which brings the ends of the lanes closest together, of similar ones the largest: putting vectors of
    mean zero in an order that keeps all partial sums short (the Steinitz lemma; here greedily). Where the offsets get
    shorter still by leaving words unused, and the memories smaller by that altogether, words are left unused.

    Parameters
    ----------
    lengths : (axons, lanes) integers
        Synapses of an axon in a lane.
    synapse_bits : int
        Width of a word of the synapse memories.
    offset_bits : int, optional
        Of pointers that are made already: no offset is longer, and no more words are left unused than that takes.

    Returns
    -------
    (axons, lanes) integers
        An empty run starts where the first run of its axon does; without any, at 0. Depends on nothing but integers.
    """
    axons, lanes = lengths.shape
    if lanes == 1:
        starts = np.cumsum(lengths, axis=0) - lengths
        return np.where(lengths > 0, starts, 0)
    best = _place(lengths, None)
    if offset_bits is not None:
        return best if _offset_bits(best) <= offset_bits else _place(lengths, (1 << offset_bits) - 1)

    def cost(starts: IntArray) -> tuple[int, int]:
        ends = _ends(lengths, starts)
        return _address_bits(ends), axons * lanes * _offset_bits(starts) + int(ends.sum()) * synapse_bits

    for narrower in range(_offset_bits(best) - 1, -1, -1):
        candidate = _place(lengths, (1 << narrower) - 1)
        if cost(candidate) >= cost(best):
            break
        best = candidate
    return best


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
    left = np.argsort(-size, kind="stable")
    ahead: IntArray = np.zeros(lanes, dtype=np.int64)
    ends: IntArray = np.zeros(lanes, dtype=np.int64)
    starts: IntArray = np.zeros_like(lengths)
    while len(left):
        among = left[:_AHEAD]
        after = ahead + beyond[among]
        chosen = int(np.argmin(2 * (after.max(axis=1) - after.min(axis=1)) - size[among]))
        axon = int(among[chosen])
        left = np.delete(left, chosen)
        ahead = after[chosen]
        present = lengths[axon] > 0
        if not present.any():
            continue
        where = ends
        if most is not None:
            where = np.where(present, np.maximum(ends, ends[present].max() - most), ends)
            ahead = ahead + (where - ends) * axons * lanes
        starts[axon] = np.where(present, where, where[present].min())
        ends = np.where(present, where + lengths[axon], where)
    return starts


@dataclass(frozen=True)
class Stored:
    """What the synapses of a layer take in one encoding.

    Parameters
    ----------
    rows : (words, width)
        Row memory: the pointers, and bitmaps where these tell the neurons.
    lanes : tuple of (words, width)
        Synapse memories.
    """

    rows: tuple[int, int]
    lanes: tuple[tuple[int, int], ...]

    @property
    def bits(self) -> int:
        return sum(words * width for words, width in (self.rows, *self.lanes))


def encodings(image: LayerImage) -> dict[str, Stored]:
    """Every encoding of the neurons of a layer's synapses, the one that the hardware reads first.

    - absolute: the row within the lane, beside the weight.
    - relative: the distance from the synapse before, in the number of bits that makes the memories smallest; a longer
      distance takes words of weight 0 on its way, which cost a cycle each.
    - bitmap: a bit for every row of the lane, beside the offset; lengths are not needed.
    """
    spec = image.spec
    absolute = Stored(
        (spec.axons, image.pointer_bits),
        tuple((len(data), image.row_bits + spec.weight_bits) for data in image.data),
    )
    relative = []
    for bits in range(1, image.row_bits + 1):
        lengths = relative_lengths(image, bits)
        width = bits + spec.weight_bits
        relative.append((int(lengths.sum()) * width, width, lengths))
    _, width, lengths = min(relative, key=lambda found: found[:2])
    starts = place_runs(lengths, width)
    length_bits = unsigned_bits(int(lengths.max(initial=0)))
    marked = place_runs(image.lengths, spec.weight_bits)
    return {
        "absolute": absolute,
        "relative": _stored(lengths, starts, length_bits, width),
        "bitmap": _stored(image.lengths, marked, image.rows, spec.weight_bits),
    }


def relative_lengths(image: LayerImage, bits: int) -> IntArray:
    """(axons, lanes): words of a run whose synapses tell the distance from the one before in so many bits."""
    lengths = np.zeros_like(image.lengths)
    for lane, indices in enumerate(image.indices):
        of_lane = image.lengths[:, lane]
        axon = np.repeat(np.arange(len(of_lane)), of_lane)
        rows = indices[image.addresses(lane)]
        before = np.concatenate([[-1], rows[:-1]])
        before[np.cumsum(of_lane)[of_lane > 0] - of_lane[of_lane > 0]] = -1
        words = -(-(rows - before) // (1 << bits))
        lengths[:, lane] = np.bincount(axon, weights=words, minlength=len(of_lane)).astype(np.int64)
    return lengths


def _stored(lengths: IntArray, starts: IntArray, bits: int, width: int) -> Stored:
    """With `bits` beside the offset of every lane."""
    axons, lanes = lengths.shape
    ends = _ends(lengths, starts)
    pointer = _address_bits(ends) + lanes * (_offset_bits(starts) + bits)
    return Stored((axons, pointer), tuple((words, width) for words in ends.tolist()))
