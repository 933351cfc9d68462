from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from random_networks import random_network
from spikewright.build.digest import digest
from spikewright.contract.cores import CORES
from spikewright.contract.encoding import encoding_names
from spikewright.contract.errors import InputError
from spikewright.contract.names import LANES, LAYERS
from spikewright.layout.pack import Packer, pack, unpack


@pytest.mark.parametrize("lanes", LANES)
@pytest.mark.parametrize("density", [0.0, 0.1, 0.5, 1.0])
@pytest.mark.parametrize("encoding", encoding_names())
def test_unpack_is_the_exact_inverse(lanes: int, density: float, encoding: str) -> None:
    network = random_network(lanes, sizes=(20, 13, 31, 6), recurrent=(True, False), density=density)
    core = pack(network, lanes, encoding=encoding)
    assert {image.encoding for image in core.layers} == {encoding}
    for before, after in zip(network.layers, unpack(core).layers, strict=True):
        np.testing.assert_array_equal(after.weights, before.weights)


@pytest.mark.parametrize(
    ("target", "lanes", "expected"),
    [
        ("ecp5", 2, ["relative", "relative", "absolute"]),
        # A block RAM of ECP5 that is not full costs no more than a full one; those of iCE40 are smaller.
        ("ice40", 2, ["relative", "bitmap", "relative"]),
        # A walk in every lane costs more than the block RAMs that it saves.
        ("ice40", 4, ["absolute", "absolute", "relative"]),
    ],
)
def test_every_layer_gets_the_encoding_that_takes_the_least_of_the_target(
    target: str, lanes: int, expected: list[str]
) -> None:
    network = random_network(1, (140, 256, 60, 6), recurrent=(False,), density=1.0)
    rng = np.random.default_rng(1)
    layers = [
        replace(layer, weights=layer.weights * (rng.random(layer.weights.shape) < share))
        for layer, share in zip(network.layers, (0.3, 0.5, 1.0), strict=True)
    ]
    network = replace(network, layers=tuple(layers))
    core = pack(network, lanes, target=target)
    assert [image.encoding for image in core.layers] == expected
    assert list(core.memories.values()) == list(core.layers)
    again = pack(network, 2, encoding=["bitmap", "absolute", "relative"], of_layers=[4, 2, 1])
    assert [image.encoding for image in again.layers] == ["bitmap", "absolute", "relative"]


def test_one_packer_makes_every_core_as_a_new_one_does() -> None:
    network = random_network(1, (20, 13, 31, 6), recurrent=(True, False), density=0.4)
    packer = Packer(network)
    for layers in LAYERS:
        narrow = [1] * (len(network.layers) if layers == "parallel" else 1)
        for lanes, encoding, offset_bits in (
            (4, "auto", None),
            (4, "absolute", narrow),
            (4, "absolute", None),
            (2, "relative", None),
            (4, "auto", None),
        ):
            if encoding != "auto" and not CORES[layers].encodes:
                continue
            options: dict[str, Any] = {"layers": layers, "encoding": encoding, "offset_bits": offset_bits}
            assert digest(packer.pack(lanes, **options)) == digest(pack(network, lanes, **options))


def test_there_must_be_as_many_encodings_as_memories() -> None:
    network = random_network(1, (6, 5, 3))
    with pytest.raises(ValueError) as error:
        pack(network, 2, encoding=["absolute"])
    assert str(error.value) == "encoding must have an entry for each of the 2 memories, not 1"
    with pytest.raises(ValueError) as error:
        pack(network, 2, layers="shared", offset_bits=[3, 3])
    assert str(error.value) == "offset_bits must have an entry for each of the 1 memories, not 2"


def test_a_bitmap_has_a_bit_for_every_row() -> None:
    image = pack(random_network(2, (7, 12, 3), recurrent=(False,)), 4, encoding="bitmap").layers[0]
    neurons = image.by_position(np.arange(12), -1)
    for axon in range(7):
        for lane in range(4):
            rows = [row for row in range(3) if image.spec.weights[neurons[row, lane], axon]]
            assert image.extent(axon, lane) == sum(1 << row for row in rows)
    assert (image.index_bits, image.extent_bits, image.synapse_bits) == (0, 3, 8)


def test_too_many_rows_for_bitmaps() -> None:
    network = random_network(1, (5, 130, 3), recurrent=(False,), density=0.5)
    assert pack(network, 1).layers[0].encoding == "absolute"
    with pytest.raises(InputError) as error:
        pack(network, 1, encoding="bitmap")
    assert str(error.value) == "layer 0: rows of a lane must be at most 64 for bitmaps, not 130"
    with pytest.raises(InputError) as error:
        pack(network, 2, layers="shared", encoding="bitmap")
    assert str(error.value) == "engine: rows of a lane must be at most 64 for bitmaps, not 65"
    assert pack(network, 4, encoding="bitmap").layers[0].rows == 33


def test_no_zero_is_stored() -> None:
    core = pack(random_network(1, density=0.3), 4)
    for image in core.layers:
        assert image.lengths.sum() == image.spec.synapses
        assert sum(np.count_nonzero(data) for data in image.data) == image.spec.synapses
        assert all((image.synapses(lane)[1] < image.rows).all() for lane in range(image.lanes))


def test_unsupported_number_of_lanes() -> None:
    with pytest.raises(ValueError) as error:
        pack(random_network(0), 3)
    assert str(error.value) == "lanes must be one of 1, 2, 4, 8, 16, 32, 64, not 3"
