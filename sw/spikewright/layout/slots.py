"""Slots: which neurons of a lane share one, and in which words the synapses of an axon then lie."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from spikewright.contract.image import LayerImage
from spikewright.contract.integers import IntArray, unsigned_bits
from spikewright.contract.layer import RATE_UNIT, LayerSpec
from spikewright.contract.slots import SlotImage
from spikewright.support.compiled import compiled

GROUPS = (8, 4, 2, 1)
_SLOWER = 1.02
"""An average step of a layer may take this much longer, where neurons share slots."""
_TRIALS = 200
"""Exchanges of two neurons that are tried, for every neuron."""


_PRODUCT_WORDS = 1024
"""Words of a lane, at most, where weights times values are stored: those of a block RAM of ECP5."""
_PASSES = 5
"""How often an event of the largest value may be read, at most; else weights are multiplied."""


MOST_BEAT_BITS = 63
"""Of an input beat: simulations keep it in 64, with its end."""


def slot_reads(spec: LayerSpec, first: bool) -> int:
    """Words that a layer reads in a cycle: two, unless its input has a single axon, or two would be too wide a beat."""
    if not first or spec.recurrent:
        return 2
    bits = 2 * (unsigned_bits(spec.inputs - 1) + spec.value_bits) + 1
    return 2 if spec.inputs > 1 and bits <= MOST_BEAT_BITS else 1


def grouped(spec: LayerSpec, lanes: int, reads: int) -> tuple[int, IntArray]:
    """How many neurons share a slot, and the neuron at each position.

    As many as possible without an average step that takes longer: with many zero weights, the few synapses of an axon
    then mostly are of different slots. A read-out keeps the order of its classes.

    Parameters
    ----------
    spec : LayerSpec
        The `rates` of its axons count; where they are not known, every axon is taken to have as many events.
    lanes : int
    reads : int
        Words that are read in a cycle.
    """
    rows = -(-spec.neurons // lanes)
    plain = np.arange(spec.neurons)
    alone = _cost(spec, lanes, rows, 1, plain)
    for group in GROUPS:
        if group > 1 and group // 2 < rows:
            order = plain if spec.readout else _exchanged(spec, lanes, rows, group)
            if reads + _cost(spec, lanes, rows, group, order) <= _SLOWER * (reads + alone):
                return group, order
    return 1, plain


def slot_image(image: LayerImage, weights: IntArray, group: int, reads: int) -> SlotImage:
    """The slots of a layer.

    Parameters
    ----------
    image : LayerImage
    weights : (neurons, axons) integers
        In the order of the hardware.
    group, reads : int
        See `SlotImage`.
    """
    rows, lanes = image.rows, image.lanes
    slots = -(-rows // group)
    axons = weights.shape[1]
    grid = np.zeros((slots * group * lanes, axons), dtype=np.int64)
    grid[: len(weights)] = weights
    by_slot = grid.reshape(slots, group, lanes, axons).transpose(3, 2, 0, 1)  # (axons, lanes, slots, members)
    present = by_slot != 0
    counts = present.sum(axis=3).max(axis=(1, 2))
    starts = np.cumsum(counts) - counts
    axon, lane, slot, member = np.nonzero(present)
    # The synapses of a slot lie in the words of the axon one after the other.
    nth = present.cumsum(axis=3)[axon, lane, slot, member] - 1
    word = starts[axon] + nth
    words = max(1, int(counts.sum()))
    stored = np.zeros((2, words, lanes, slots), dtype=np.int64)
    stored[:, word, lane, slot] = by_slot[axon, lane, slot, member], member
    image_of_ones = SlotImage(
        image=image, group=group, reads=reads, starts=starts, counts=counts, weights=stored[0], members=stored[1]
    )
    return replace(image_of_ones, values=_stored_values(image_of_ones))


def _stored_values(slots: SlotImage) -> int:
    """The largest value for which weights times values are stored, see `SlotImage`."""
    most = (1 << slots.image.spec.value_bits) - 1
    if most == 1 or not slots.input_words:
        return 1
    values = min(most, 1 + max(0, _PRODUCT_WORDS - slots.words) // slots.input_words)
    return values if values * _PASSES >= most else 1


def _slot_of(positions: IntArray, lanes: int, group: int) -> IntArray:
    """Slot of each position, those of all lanes numbered through."""
    slots: IntArray = positions // lanes // group * lanes + positions % lanes
    return slots


def _rates(spec: LayerSpec) -> IntArray:
    return np.full(spec.axons, RATE_UNIT // 16) if spec.rates is None else spec.rates


def _cost(spec: LayerSpec, lanes: int, rows: int, group: int, order: IntArray) -> float:
    """Words of an average step."""
    counts = _counts(spec, lanes, rows, group, order)
    return float((counts.max(axis=1) * _rates(spec)).sum()) / RATE_UNIT


def _counts(spec: LayerSpec, lanes: int, rows: int, group: int, order: IntArray) -> IntArray:
    """(axons, slots): synapses."""
    counts = np.zeros((-(-rows // group) * lanes, spec.axons), dtype=np.int64)
    np.add.at(counts, _slot_of(np.arange(spec.neurons), lanes, group), spec.weights[order] != 0)
    return np.ascontiguousarray(counts.T)


def _exchanged(spec: LayerSpec, lanes: int, rows: int, group: int) -> IntArray:
    """Neuron at each position, after many exchanges of two that make an average step no longer."""
    order = np.arange(spec.neurons)
    counts = _counts(spec, lanes, rows, group, order)
    trials = np.random.default_rng(0).integers(0, spec.neurons, (_TRIALS * spec.neurons, 2))
    levels = np.zeros((spec.axons, group + 1), dtype=np.int64)
    for count in range(group + 1):
        levels[:, count] = (counts == count).sum(axis=1)
    present = np.ascontiguousarray(spec.weights != 0)
    _exchange(order, _slot_of(order, lanes, group), counts, levels, present, _rates(spec), trials)
    return order


@compiled
def _exchange(
    order: IntArray,
    slot: IntArray,
    counts: IntArray,
    levels: IntArray,
    present: IntArray,
    rates: IntArray,
    trials: IntArray,
) -> None:
    """Exchange neurons of `order` as `trials` say, where that makes the sum of rates times fullest slots no greater.

    `levels[axon, c]` is the number of slots with c synapses of the axon.
    """
    axons, most = levels.shape
    for trial in range(len(trials)):
        here, there = trials[trial, 0], trials[trial, 1]
        one, other = slot[here], slot[there]
        if one == other:
            continue
        change = 0
        for axon in range(axons):
            moved = np.int64(present[order[there], axon]) - np.int64(present[order[here], axon])
            if moved == 0:
                continue
            a, b = counts[axon, one], counts[axon, other]
            before = most - 1
            while before > 0 and levels[axon, before] == 0:
                before -= 1
            after = max(a + moved, b - moved)
            left = before
            while left > after:
                slots = levels[axon, left] - (a == left) - (b == left)
                if slots > 0:
                    break
                left -= 1
            change += rates[axon] * (max(after, left) - before)
        if change > 0:
            continue
        for axon in range(axons):
            moved = np.int64(present[order[there], axon]) - np.int64(present[order[here], axon])
            if moved != 0:
                for place, by in ((one, moved), (other, -moved)):
                    levels[axon, counts[axon, place]] -= 1
                    counts[axon, place] += by
                    levels[axon, counts[axon, place]] += 1
        order[here], order[there] = order[there], order[here]
