"""The memories of shared lanes hold every synapse of every layer, and nothing else."""

import numpy as np
import pytest

from random_networks import random_network
from spikewright.contract.cores import SharedCore
from spikewright.contract.encoding import encoding_names
from spikewright.layout.pack import pack, unpack


@pytest.mark.parametrize("encoding", encoding_names())
@pytest.mark.parametrize("lanes", [1, 4, 16])
def test_the_engine_holds_the_synapses_of_all_layers(lanes: int, encoding: str) -> None:
    network = random_network(lanes, (12, 21, 9, 5), recurrent=(True, False))
    core = pack(network, lanes, layers="shared", encoding=encoding)
    assert isinstance(core, SharedCore)
    engine = core.engine
    assert engine.encoding == encoding
    assert core.memories == {"engine": engine}
    assert {image.lanes for image in core.layers} == {lanes}
    whole = unpack(core)
    for of_network, layer in zip(network.layers, whole.layers, strict=True):
        np.testing.assert_array_equal(layer.weights, of_network.weights)
    for base, image in zip(core.axon_bases, core.layers, strict=True):
        axons = slice(base, base + image.spec.axons)
        np.testing.assert_array_equal(engine.lengths[axons], image.lengths)
    assert engine.spec.synapses == sum(layer.synapses for layer in network.layers)
    assert engine.spec.axons == sum(layer.axons for layer in network.layers)


def test_weights_of_the_engine_are_those_of_the_layers_by_position() -> None:
    network = random_network(3, (12, 21, 9, 5), recurrent=(True, False))
    core = pack(network, 4, layers="shared")
    assert isinstance(core, SharedCore)
    feed = np.arange(network.inputs)
    for base, image in zip(core.axon_bases, core.layers, strict=True):
        spec = image.spec
        order = np.concatenate([feed, spec.inputs + image.order]) if spec.recurrent else feed
        block = core.engine.spec.weights[:, base : base + spec.axons]
        np.testing.assert_array_equal(block[: spec.neurons], spec.weights[np.ix_(image.order, order)])
        assert not block[spec.neurons :].any()
        feed = image.order


def test_rows_of_a_layer_join_their_base_without_a_carry() -> None:
    core = pack(random_network(4, (6, 3, 40, 18, 5)), 1, layers="shared")
    assert isinstance(core, SharedCore)
    taken: set[int] = set()
    for base, image in zip(core.row_bases, core.layers, strict=True):
        rows = {base | row for row in range(image.rows)}
        assert rows == {base + row for row in range(image.rows)}
        assert not rows & taken
        taken |= rows
    assert max(taken) + 1 == core.engine_rows
