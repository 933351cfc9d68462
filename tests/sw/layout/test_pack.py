from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from random_networks import random_counts, random_network
from spikewright.build.digest import digest
from spikewright.contract.cores import CORES
from spikewright.contract.decay import Decay
from spikewright.contract.encoding import encoding_names
from spikewright.contract.errors import InputError
from spikewright.contract.integers import IntArray
from spikewright.contract.layer import LayerSpec
from spikewright.contract.names import LANES, LAYERS
from spikewright.contract.network import NetworkSpec
from spikewright.integer.reference import IntegerNetwork
from spikewright.layout.pack import Packer, balanced_order, pack, prune, unpack


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


def uneven(neurons: int, delays: list[int] | None = None) -> LayerSpec:
    """The first neurons have few synapses, the last many."""
    rng = np.random.default_rng(0)
    axons = 50 + (neurons if delays else 0)
    weights = np.where(rng.random((neurons, axons)) < np.linspace(0, 1, neurons)[:, None], 1, 0)
    return LayerSpec(
        inputs=50,
        neurons=neurons,
        weights=weights,
        bias=np.zeros(neurons, dtype=np.int64),
        threshold=np.ones(neurons, dtype=np.int64),
        delays=np.array(delays) if delays else None,
        decay=Decay(1, 1),
    )


def loads(layer: LayerSpec, order: IntArray, lanes: int) -> IntArray:
    load = np.count_nonzero(layer.weights, axis=1)[order]
    return np.array([load[lane::lanes].sum() for lane in range(lanes)])


@pytest.mark.parametrize("neurons", [1, 3, 37, 64])
@pytest.mark.parametrize("lanes", [1, 4, 8, 64])
def test_order_is_a_permutation(neurons: int, lanes: int) -> None:
    assert sorted(balanced_order(uneven(neurons), lanes)) == list(range(neurons))


def test_lanes_hold_about_equally_many_synapses() -> None:
    layer = uneven(64)
    per_lane = loads(layer, balanced_order(layer, 8), 8)
    assert per_lane.max() <= 1.02 * per_lane.mean()
    layer = uneven(37)  # five lanes have one neuron more than the others
    per_lane = loads(layer, balanced_order(layer, 8), 8)
    assert per_lane[:5].max() - per_lane[:5].min() <= layer.neurons // 8 + 1
    assert per_lane.max() < 1.25 * per_lane.mean()


def test_operations_are_balanced_where_rates_are_known_and_synapses_too() -> None:
    layer = uneven(32)
    rates = (1000 * np.random.default_rng(1).random(50) ** 4).astype(np.int64)
    work = (layer.weights != 0) @ rates
    spread = []
    for order in (balanced_order(layer, 4), balanced_order(replace(layer, rates=rates), 4)):
        per_lane = np.array([work[order][lane::4].sum() for lane in range(4)])
        spread.append(per_lane.max() / per_lane.mean() - 1)
        synapses = loads(layer, order, 4)
        assert synapses.max() < 1.03 * synapses.mean()
    assert spread[1] < 0.3 * spread[0]


def test_without_any_event_synapses_are_balanced() -> None:
    layer = replace(uneven(64), rates=np.zeros(50, dtype=np.int64))
    per_lane = loads(layer, balanced_order(layer, 8), 8)
    assert per_lane.max() <= 1.02 * per_lane.mean()


def test_the_synapses_of_an_axon_are_spread_over_the_lanes() -> None:
    """So that the lanes have equally much to do whatever the events of a step are."""
    rng = np.random.default_rng(4)
    layer = replace(uneven(64), weights=np.where(rng.random((64, 50)) < 0.2, 1, 0))
    present = layer.weights != 0

    def spread(order: IntArray) -> float:
        lengths = np.stack([present[order[lane::8]].sum(axis=0) for lane in range(8)])
        return float(lengths.var(axis=0).mean())

    assert spread(balanced_order(layer, 8)) < 0.85 * spread(np.arange(64))


def test_neurons_of_a_row_have_neighbouring_delays() -> None:
    rng = np.random.default_rng(2)
    layer = uneven(48, rng.integers(0, 12, 48).tolist())
    assert layer.delays is not None
    order = balanced_order(layer, 8)
    by_row = layer.delays[order].reshape(6, 8)
    assert (by_row.max(axis=1)[:-1] <= by_row.min(axis=1)[1:]).all()


def ready_to_fire(network: NetworkSpec) -> NetworkSpec:
    """Any neuron fires if nothing holds it back."""
    hidden = [
        replace(layer, bias=np.ones(layer.neurons, dtype=int), threshold=np.ones(layer.neurons, dtype=int))
        for layer in network.layers[:-1]
    ]
    return replace(network, layers=(*hidden, network.layers[-1]))


def test_neurons_without_effect_are_left_out_and_scores_stay() -> None:
    network = ready_to_fire(random_network(3, (6, 9, 8, 4), recurrent=(False, True), density=0.6, timesteps=15))
    first, second, last = network.layers
    weights = second.weights.copy()
    weights[:, 2] = 0  # neuron 2 of the first layer reaches nobody
    weights[:, 5] = 0
    weights[6, 5] = 3  # neuron 5 reaches only neuron 6 of the second
    weights[:, 9 + 6] = 0
    weights[6, 9 + 6] = 9  # which reaches only itself
    readout = last.weights.copy()
    readout[:, 6] = 0
    threshold = np.array(second.threshold)
    threshold[1] = 1 << 30  # and neuron 1 is never reached
    inputs = first.weights.copy()
    inputs[:, 3] = 0
    layers = (
        replace(first, weights=inputs),
        replace(second, weights=weights, threshold=threshold),
        replace(last, weights=readout),
    )
    network = replace(network, layers=layers)
    smaller, removed = prune(network)
    assert removed == {"dead": [[2, 5], [6]], "silent": [[], [1]], "inputs": [[3]]}
    assert [layer.neurons for layer in smaller.layers] == [7, 6, 4]
    counts = torch.from_numpy(random_counts(3, network, 5))
    before, after = IntegerNetwork(network).run(counts), IntegerNetwork(smaller).run(counts)
    assert before.scores.tolist() == after.scores.tolist()
    assert before.spikes[1].sum() > after.spikes[1].sum() > 0
    assert after.spikes[1].tolist() == before.spikes[1][:, :, [0, 2, 3, 4, 5, 7]].tolist()


def test_nothing_to_leave_out() -> None:
    network = ready_to_fire(random_network(2, (12, 10, 8, 4), recurrent=(False, True)))
    same, removed = prune(network)
    assert same is network
    assert removed == {"dead": [[], []], "silent": [[], []], "inputs": [[]]}


def test_one_neuron_of_a_layer_stays() -> None:
    smaller, removed = prune(random_network(1, (4, 5, 3, 2), recurrent=(False,), density=0.0))
    assert [layer.neurons for layer in smaller.layers] == [1, 1, 2]
    assert [len(neurons) for neurons in removed["dead"]] == [
        4 - len(removed["silent"][0]),
        2 - len(removed["silent"][1]),
    ]


def test_smaller_layers_have_fewer_lanes_but_keep_up() -> None:
    core = pack(random_network(1, (20, 64, 64, 10), recurrent=(False,), density=0.5), 16)
    assert [image.lanes for image in core.layers] == [16, 16, 4]
    assert [image.rows for image in core.layers] == [4, 4, 3]
    thin = pack(random_network(1, (20, 3, 2), recurrent=(False,)), 64)
    assert [image.lanes for image in thin.layers] == [4, 2]


def test_unsupported_number_of_lanes() -> None:
    with pytest.raises(ValueError) as error:
        pack(random_network(0), 3)
    assert str(error.value) == "lanes must be one of 1, 2, 4, 8, 16, 32, 64, not 3"
