from dataclasses import replace

import numpy as np
import pytest

from random_networks import random_network
from spikewright.pack import pack
from spikewright.spec import IntArray
from spikewright.storage import encodings, place_runs, relative_lengths


def random_lengths(seed: int, axons: int, lanes: int, rows: int, density: float) -> IntArray:
    return np.random.default_rng(seed).binomial(rows, density, (axons, lanes))


def used(lengths: IntArray, starts: IntArray, lane: int) -> list[int]:
    return [
        start + k
        for start, length in zip(starts[:, lane].tolist(), lengths[:, lane].tolist(), strict=True)
        for k in range(length)
    ]


def bits(lengths: IntArray, starts: IntArray) -> int:
    """Of words of 12 bits, and of the offsets of the runs that are not empty."""
    present = lengths > 0
    base = np.where(present, starts, 1 << 20).min(axis=1, keepdims=True)
    offset = int(np.where(present, starts - base, 0).max()).bit_length()
    return offset * lengths.size + 12 * int((starts + lengths).max(axis=0, where=present, initial=0).sum())


@pytest.mark.parametrize("lanes", [1, 2, 16])
@pytest.mark.parametrize("density", [0.0, 0.02, 0.3, 1.0])
def test_runs_never_overlap_and_take_no_more_bits_than_in_the_order_of_the_axons(lanes: int, density: float) -> None:
    lengths = random_lengths(lanes, 60, lanes, 8, density)
    starts = place_runs(lengths, 12)
    for lane in range(lanes):
        words = used(lengths, starts, lane)
        assert len(set(words)) == len(words)
    in_order = np.cumsum(lengths, axis=0) - lengths
    assert bits(lengths, starts) <= bits(lengths, in_order)
    # An empty run has no place of its own, and needs no offset.
    present = np.where(lengths > 0, starts, 1 << 20).min(axis=1)
    assert (starts[lengths == 0] == np.where(present < 1 << 20, present, 0)[np.nonzero(lengths == 0)[0]]).all()


def test_a_single_lane_is_filled_in_order() -> None:
    starts = place_runs(np.array([[3], [0], [2], [1]]), 12)
    assert starts[[0, 2, 3], 0].tolist() == [0, 3, 5]


def test_offsets_stay_short_however_many_axons() -> None:
    for axons in (96, 704):  # in the order of the axons the lanes drift apart by about 3 * sqrt(axons)
        some = random_lengths(1, axons // 16, 16, 16, 0.5)
        # As many synapses in every lane.
        lengths = np.concatenate([np.roll(some, k, axis=1) for k in range(16)])
        starts = place_runs(lengths, 12)
        assert (starts - starts.min(axis=1, keepdims=True)).max() < 16


def test_words_are_left_unused_where_that_saves_bits() -> None:
    lengths = random_lengths(2, 300, 32, 8, 0.1)
    narrow = place_runs(lengths, 1)
    wide = place_runs(lengths, 1000)
    spread = [int((starts - starts.min(axis=1, keepdims=True)).max()) for starts in (narrow, wide)]
    words = [max(used(lengths, starts, 0)) + 1 for starts in (narrow, wide)]
    assert spread[0] < spread[1]
    assert words[0] > words[1]


def test_placing_is_deterministic() -> None:
    lengths = random_lengths(3, 50, 4, 8, 0.4)
    np.testing.assert_array_equal(place_runs(lengths, 12), place_runs(lengths.copy(), 12))


@pytest.mark.parametrize("lanes", [1, 4])
@pytest.mark.parametrize("density", [0.0, 0.1, 0.5, 1.0])
def test_every_encoding_holds_every_synapse(lanes: int, density: float) -> None:
    image = pack(random_network(lanes, (20, 40, 5), recurrent=(True,), density=density), lanes).layers[0]
    found = encodings(image)
    assert list(found) == ["absolute", "relative", "bitmap"]
    for stored in found.values():
        assert sum(words for words, _ in stored.lanes) >= image.spec.synapses
        assert stored.rows[0] == image.spec.axons
        assert stored.bits == sum(words * width for words, width in (stored.rows, *stored.lanes))
    assert found["absolute"].rows[1] == image.pointer_bits
    assert found["absolute"].lanes[0][1] == image.row_bits + image.spec.weight_bits
    assert found["bitmap"].lanes[0][1] == image.spec.weight_bits


def test_a_dense_layer_needs_one_bit_for_the_distance_to_the_next_neuron() -> None:
    image = pack(random_network(1, (6, 8, 3), recurrent=(False,), density=1.0), 1).layers[0]
    relative = encodings(image)["relative"]
    assert relative.lanes == ((6 * 8, 1 + image.spec.weight_bits),)
    # 0 .. 40 is an address, 8 a length.
    assert relative.rows == (6, 6 + 4)


def test_a_long_distance_takes_words_without_a_weight() -> None:
    network = random_network(1, (1, 8, 3), recurrent=(False,), density=1.0)
    weights = np.zeros((8, 1), dtype=np.int64)
    weights[[0, 7]] = 5
    layer = replace(network.layers[0], weights=weights)
    image = pack(replace(network, layers=(layer, network.layers[1])), 1).layers[0]
    # The distances are 1 and 7: in 1, 2 and 3 bits that takes 5, 3 and 2 words.
    assert encodings(image)["relative"].lanes == ((2, 3 + layer.weight_bits),)
    assert [int(words.sum()) for words in (relative_lengths(image, bits) for bits in (1, 2, 3))] == [5, 3, 2]


def test_offsets_of_a_given_width_suffice() -> None:
    rng = np.random.default_rng(4)
    lengths = rng.integers(0, 12, (60, 4))
    natural = place_runs(lengths, 12, 32)
    width = int((natural - natural.min(axis=1, keepdims=True)).max()).bit_length()
    assert width > 2
    for bits in (2, 1, 0):
        starts = place_runs(lengths, 12, bits)
        assert int((starts - starts.min(axis=1, keepdims=True)).max()) < 1 << bits
        for lane in range(4):
            words = used(lengths, starts, lane)
            assert len(set(words)) == len(words)
        # Shorter offsets leave more words unused.
        assert (starts + lengths).max() > (natural + lengths).max()
