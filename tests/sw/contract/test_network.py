import numpy as np
import pytest

from random_networks import random_network
from spikewright.contract.decay import Decay
from spikewright.contract.layer import LayerSpec
from spikewright.contract.network import NetworkSpec


def test_layers_must_fit_together() -> None:
    layers = random_network(0, (4, 5, 3), recurrent=(False,)).layers
    wide = random_network(0, (4, 6, 3), recurrent=(False,)).layers
    for chosen, message in (
        (layers[:1], "layer 0 must be the read-out: the last one is"),
        (layers[1:] + layers[1:], "layer 0 must not be the read-out: the last one is"),
        ((layers[0], wide[1]), "layer 1 must have 5 inputs, one per neuron of layer 0, not 6"),
        ((), "layers must hold at least a read-out, not 0 layers"),
    ):
        with pytest.raises(ValueError) as raised:
            NetworkSpec(layers=chosen, timesteps=3)
        assert str(raised.value) == message
    with pytest.raises(ValueError) as raised:
        NetworkSpec(layers=layers, timesteps=0)
    assert str(raised.value) == "timesteps must be 1 .. 65535, not 0"


def test_membranes_that_64_bits_could_not_hold_are_refused() -> None:
    layer = LayerSpec(
        inputs=2,
        neurons=1,
        weights=np.full((1, 2), 32767),
        bias=np.zeros(1, dtype=int),
        threshold=None,
        delays=None,
        decay=Decay(1, 0),
        weight_bits=16,
        weight_shift=12,
        value_bits=16,
    )
    assert NetworkSpec(layers=(layer,), timesteps=4).score_bounds[1] == 16 * layer.step_input()[1][0]
    with pytest.raises(ValueError) as raised:
        NetworkSpec(layers=(layer,), timesteps=65535)
    assert str(raised.value) == "layer 0: membrane must stay below 70368744177664, not reach 87956903731200"
