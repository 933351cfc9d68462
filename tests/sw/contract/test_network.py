import numpy as np
import pytest

from random_networks import random_network
from spikewright.contract.decay import Decay
from spikewright.contract.network import LayerSpec, NetworkSpec
from spikewright.contract.neurons.lif import IntegerLIF


def fields(**changes: object) -> dict[str, object]:
    valid: dict[str, object] = {
        "inputs": 2,
        "neurons": 3,
        "weights": np.ones((3, 5), dtype=np.int64),
        "bias": np.zeros(3, dtype=np.int64),
        "threshold": np.ones(3, dtype=np.int64),
        "delays": np.zeros(3, dtype=np.int64),
        "decay": Decay(1, 1),
    }
    return {**valid, **changes}


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"weights": np.ones((3, 4), dtype=int)}, ValueError, "weights must have shape (3, 5), not (3, 4)"),
        ({"weights": np.full((3, 5), 128)}, ValueError, "weights must be -127 .. 127, not 128 (at 0, 0)"),
        ({"weights": np.full((3, 5), -128)}, ValueError, "weights must be -127 .. 127, not -128 (at 0, 0)"),
        ({"weights": np.ones((3, 5))}, TypeError, "weights must be integers, not float64"),
        ({"threshold": np.zeros(3, dtype=int)}, ValueError, "threshold must be 1 .. 1099511627775, not 0 (at 0)"),
        ({"delays": np.array([0, -1, 2])}, ValueError, "delays must be 0 .. 4095, not -1 (at 1)"),
        ({"bias": np.zeros(2, dtype=int)}, ValueError, "bias must have shape (3,), not (2,)"),
        ({"threshold": None}, ValueError, "a read-out layer must have no delays: it never fires"),
        (
            {"current_start": np.zeros(3, dtype=int)},
            ValueError,
            "current_decay with current_start must be given, not none",
        ),
        (
            {"current_start": np.zeros(2, dtype=int), "current_decay": Decay(1, 1)},
            ValueError,
            "current_start must have shape (3,), not (2,)",
        ),
        ({"value_bits": 17}, ValueError, "value_bits must be 1 .. 16, not 17"),
        ({"weight_bits": 1}, ValueError, "weight_bits must be 2 .. 16, not 1"),
        (
            {"weights": np.full((3, 5), 1, dtype=np.uint64)},
            TypeError,
            "weights must be integers of at most 64 bits with sign, not uint64",
        ),
        ({"neurons": 0}, ValueError, "neurons must be 1 .. 65536, not 0"),
        ({"rates": np.zeros(3, dtype=int)}, ValueError, "rates must have shape (5,), not (3,)"),
        ({"rates": np.array([0, 1, 4096, 4097, 2])}, ValueError, "rates must be 0 .. 4096, not 4097 (at 3)"),
    ],
)
def test_layer_rejects(changes: dict[str, object], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as raised:
        LayerSpec(**fields(**changes))  # type: ignore[arg-type]
    assert str(raised.value) == message


def test_spikes_come_back_as_often_as_a_neuron_may_send_them_in_a_step() -> None:
    layer = LayerSpec(**fields(value_bits=2, neuron=IntegerLIF("soft", max_spikes=5)))  # type: ignore[arg-type]
    assert (layer.count_bits, layer.event_bits) == (3, 3)
    assert layer.step_input()[1].tolist() == [2 * 3 + 3 * 5] * 3
    single = LayerSpec(**fields(value_bits=2))  # type: ignore[arg-type]
    assert (single.count_bits, single.event_bits) == (1, 2)
    assert single.step_input()[1].tolist() == [2 * 3 + 3] * 3


def test_arrays_cannot_be_changed_after_validation() -> None:
    layer = LayerSpec(**fields())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="read-only"):
        layer.weights[0, 0] = 1000


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


def wide(**changes: object) -> LayerSpec:
    """A read-out of one class with large weights."""
    weights = np.full((1, changes.get("inputs", 2)), 32767)  # type: ignore[call-overload]
    common = {"neurons": 1, "bias": np.zeros(1, int), "threshold": None, "delays": None, "weight_bits": 16}
    return LayerSpec(**{**fields(inputs=2, weights=weights, weight_shift=14, value_bits=16, **common), **changes})  # type: ignore[arg-type]


def test_sums_that_64_bits_could_not_hold_are_refused() -> None:
    with pytest.raises(ValueError) as raised:
        wide(weight_shift=16, value_bits=16)
    assert str(raised.value) == "weighted sum of a step must be below 70368744177664, not 281462091939840"
    # Wraps to a small number in 64 bits.
    with pytest.raises(ValueError, match="weighted sum of a step must be below 70368744177664, not"):
        wide(inputs=1 << 16, weight_shift=16)


def test_membranes_that_64_bits_could_not_hold_are_refused() -> None:
    layer = wide(weight_shift=12, decay=Decay(1, 0))
    assert NetworkSpec(layers=(layer,), timesteps=4).score_bounds[1] == 16 * layer.step_input()[1][0]
    with pytest.raises(ValueError) as raised:
        NetworkSpec(layers=(layer,), timesteps=65535)
    assert str(raised.value) == "layer 0: membrane must stay below 70368744177664, not reach 87956903731200"
