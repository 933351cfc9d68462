import numpy as np
import pytest

from random_networks import random_network
from spikewright.contract.encoding import encoding_names
from spikewright.contract.integers import IntArray
from spikewright.layout.pack import pack
from spikewright.layout.placement import Encoder, Placement, encodings


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
    starts = Placement(lengths).starts(12)
    for lane in range(lanes):
        words = used(lengths, starts, lane)
        assert len(set(words)) == len(words)
    in_order = np.cumsum(lengths, axis=0) - lengths
    assert bits(lengths, starts) <= bits(lengths, in_order)
    # An empty run has no place of its own, and needs no offset.
    present = np.where(lengths > 0, starts, 1 << 20).min(axis=1)
    assert (starts[lengths == 0] == np.where(present < 1 << 20, present, 0)[np.nonzero(lengths == 0)[0]]).all()


def test_a_single_lane_is_filled_in_order() -> None:
    starts = Placement(np.array([[3], [0], [2], [1]])).starts(12)
    assert starts[[0, 2, 3], 0].tolist() == [0, 3, 5]


def test_offsets_stay_short_however_many_axons() -> None:
    for axons in (96, 704):  # in the order of the axons the lanes drift apart by about 3 * sqrt(axons)
        some = random_lengths(1, axons // 16, 16, 16, 0.5)
        # As many synapses in every lane.
        lengths = np.concatenate([np.roll(some, k, axis=1) for k in range(16)])
        starts = Placement(lengths).starts(12)
        assert (starts - starts.min(axis=1, keepdims=True)).max() < 16


def test_words_are_left_unused_where_that_saves_bits() -> None:
    lengths = random_lengths(2, 300, 32, 8, 0.1)
    narrow = Placement(lengths).starts(1)
    wide = Placement(lengths).starts(1000)
    spread = [int((starts - starts.min(axis=1, keepdims=True)).max()) for starts in (narrow, wide)]
    words = [max(used(lengths, starts, 0)) + 1 for starts in (narrow, wide)]
    assert spread[0] < spread[1]
    assert words[0] > words[1]


def test_placing_is_deterministic() -> None:
    lengths = random_lengths(3, 50, 4, 8, 0.4)
    np.testing.assert_array_equal(Placement(lengths).starts(12), Placement(lengths.copy()).starts(12))


@pytest.mark.parametrize("lanes", [1, 4])
@pytest.mark.parametrize("density", [0.0, 0.1, 0.5, 1.0])
def test_sizes_are_those_of_the_memories_whichever_the_encoding(lanes: int, density: float) -> None:
    network = random_network(lanes, (20, 40, 5), recurrent=(True,), density=density)
    expected = encodings(pack(network, lanes).layers[0])
    assert tuple(expected) == encoding_names()
    for encoding in encoding_names():
        image = pack(network, lanes, encoding=encoding).layers[0]
        assert encodings(image) == expected
        stored = expected[encoding]
        assert stored.rows == (image.spec.axons, image.pointer_bits)
        assert stored.lanes == tuple((len(data), image.synapse_bits) for data in image.data)
        assert sum(words for words, _ in stored.lanes) >= image.spec.synapses
        assert stored.bits == sum(words * width for words, width in (stored.rows, *stored.lanes))


@pytest.mark.parametrize(
    ("rows", "density", "best"),
    [(32, 0.02, "absolute"), (32, 0.5, "bitmap"), (250, 0.15, "relative"), (250, 0.5, "bitmap")],
)
def test_which_takes_the_fewest_bits_depends_on_rows_and_density(rows: int, density: float, best: str) -> None:
    present = np.random.default_rng(5).random((64, 2, rows)) < density
    encoder = Encoder(present, 8)
    found = [encoder.encode(name) for name in encoding_names()]
    assert tuple(encoded.encoding for encoded in found) == encoding_names()
    assert min(found, key=lambda encoded: encoded.stored.bits).encoding == best


def test_bits_of_an_example() -> None:
    """Of two axons in a lane of eight rows with weights of 8 bits."""
    present = np.zeros((2, 1, 8), dtype=np.bool_)
    present[0, 0, [0, 3, 4]] = True
    present[1, 0, [2, 7]] = True
    encoder = Encoder(present, 8)
    found = {name: encoder.encode(name) for name in encoding_names()}
    # Five words: an address has three bits, a length two.
    assert found["absolute"].stored.rows == found["relative"].stored.rows == (2, 3 + 2)
    assert found["bitmap"].stored.rows == (2, 3 + 8)
    assert [found[name].stored.lanes[0] for name in encoding_names()] == [(5, 11), (5, 11), (5, 8)]
    assert found["absolute"].indices.tolist() == [0, 3, 4, 2, 7]
    assert found["relative"].indices.tolist() == [0, 2, 0, 2, 4]
    assert found["bitmap"].indices.tolist() == [0] * 5


def test_a_dense_layer_needs_no_bit_for_the_distance_to_the_next_neuron() -> None:
    image = pack(random_network(1, (6, 8, 3), recurrent=(False,), density=1.0), 1).layers[0]
    relative = encodings(image)["relative"]
    assert relative.lanes == ((6 * 8, image.spec.weight_bits),)
    # 0 .. 40 is an address, 8 a length.
    assert relative.rows == (6, 6 + 4)


def test_offsets_of_a_given_width_suffice() -> None:
    rng = np.random.default_rng(4)
    lengths = rng.integers(0, 12, (60, 4))
    natural = Placement(lengths).starts(12, 32)
    width = int((natural - natural.min(axis=1, keepdims=True)).max()).bit_length()
    assert width > 2
    for bits in (2, 1, 0):
        starts = Placement(lengths).starts(12, bits)
        assert int((starts - starts.min(axis=1, keepdims=True)).max()) < 1 << bits
        for lane in range(4):
            words = used(lengths, starts, lane)
            assert len(set(words)) == len(words)
        # Shorter offsets leave more words unused.
        assert (starts + lengths).max() > (natural + lengths).max()
