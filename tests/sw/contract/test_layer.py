import numpy as np
import pytest

from spikewright.contract.decay import Decay
from spikewright.contract.layer import LayerSpec
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
        ({"floor": np.array([0, -1, 1])}, ValueError, "floor must be -1099511627775 .. 0, not 1 (at 2)"),
        ({"onward": np.array([0, 4096, 1])}, ValueError, "onward must be 0 .. 4095, not 4096 (at 1)"),
        ({"multipliers": np.ones(3, dtype=int)}, ValueError, "decay with multipliers must be 1, not 1/2"),
        (
            {"multipliers": np.array([0, 9, 1]), "decay": Decay(8, 3)},
            ValueError,
            "multipliers must be 0 .. 8, not 9 (at 1)",
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
