import numpy as np
import pytest

from spikewright.contract.integers import check_range, frozen, run_addresses, signed_bits, unsigned_bits


@pytest.mark.parametrize(
    ("low", "high", "bits"), [(0, 0, 1), (-1, 0, 1), (0, 1, 2), (-2, 1, 2), (-128, 127, 8), (-129, 0, 9), (3, 128, 9)]
)
def test_signed_bits(low: int, high: int, bits: int) -> None:
    assert signed_bits(low, high) == bits


@pytest.mark.parametrize(("high", "bits"), [(0, 1), (1, 1), (2, 2), (255, 8), (256, 9)])
def test_unsigned_bits(high: int, bits: int) -> None:
    assert unsigned_bits(high) == bits


def test_addresses_of_runs() -> None:
    assert run_addresses(np.array([7, 0, 3]), np.array([2, 0, 3])).tolist() == [7, 8, 3, 4, 5]
    assert run_addresses(np.array([4]), np.array([0])).tolist() == []


def test_a_frozen_array_cannot_be_changed() -> None:
    mine = np.array([1, 2], dtype=np.int16)
    kept = frozen(mine, "weights", (2,))
    mine[0] = 5
    assert kept.tolist() == [1, 2]
    with pytest.raises(ValueError, match="read-only"):
        kept[0] = 5


@pytest.mark.parametrize(
    ("value", "kind", "reason"),
    [
        (np.array([1.0]), TypeError, "bias must be integers, not float64"),
        (np.array([1], dtype=np.uint64), TypeError, "bias must be integers of at most 64 bits with sign, not uint64"),
        (np.array([1, 2]), ValueError, "bias must have shape (1,), not (2,)"),
    ],
)
def test_what_is_no_array_of_integers(value: object, kind: type[Exception], reason: str) -> None:
    with pytest.raises(kind) as error:
        frozen(value, "bias", (1,))
    assert str(error.value) == reason


def test_the_first_value_out_of_range_is_named() -> None:
    check_range("bias", np.array([[0, 3]]), 0, 3)
    with pytest.raises(ValueError) as error:
        check_range("bias", np.array([[0, 4], [5, 0]]), 0, 3)
    assert str(error.value) == "bias must be 0 .. 3, not 4 (at 0, 1)"
