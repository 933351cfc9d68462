import math

import numpy as np
import pytest

from spikewright.contract.decay import Decay, nearest_decay, nearest_leaks, signed_digits


def test_a_leak_floors() -> None:
    leak = Decay(3, 6)
    assert [leak(v) for v in (-65, -64, -1, 0, 21, 22, 64)] == [-4, -3, -1, 0, 0, 1, 3]
    assert Decay(0, 0)(7) == 0
    assert Decay(1, 0)(-7) == -7


@pytest.mark.parametrize(
    ("multiplier", "shift", "reason"),
    [
        (1, 17, "decay shift must be 0 .. 16, not 17"),
        (5, 2, "decay multiplier must be 0 .. 4, not 5"),
        (-1, 2, "decay multiplier must be 0 .. 4, not -1"),
    ],
)
def test_leaks_that_grow(multiplier: int, shift: int, reason: str) -> None:
    with pytest.raises(ValueError) as error:
        Decay(multiplier, shift)
    assert str(error.value) == reason


@pytest.mark.parametrize("tau", [1.0, 1.05, 1.1, 1.5, 2.0, 3.0, 10.0, 20.0, 100.0, 1e6])
def test_the_nearest_decay_is_near_and_leaks(tau: float) -> None:
    decay = nearest_decay(tau)
    assert abs(decay.multiplier / 2**decay.shift - (1 - 1 / tau)) <= 2**-9
    assert decay.multiplier < 2**decay.shift


@pytest.mark.parametrize(("tau", "expected"), [(1.0, (0, 0)), (2.0, (1, 1)), (1.05, (3, 6)), (4.0, (3, 2))])
def test_the_nearest_decay_is_the_cheapest(tau: float, expected: tuple[int, int]) -> None:
    decay = nearest_decay(tau)
    assert (decay.multiplier, decay.shift) == expected


def test_leaks_of_single_neurons_have_one_shift() -> None:
    decay, multipliers = nearest_leaks(np.array([0.5, 0.25, 1.0]), 2.0**-9)
    assert (decay, multipliers.tolist()) == (Decay(4, 2), [2, 1, 4])
    leaks = np.random.default_rng(1).random(50)
    for tolerance in (2.0**-9, 2.0**-15):
        decay, multipliers = nearest_leaks(leaks, tolerance)
        assert np.abs(multipliers / 2**decay.shift - leaks).max() <= tolerance
        assert decay.shift <= -math.log2(tolerance)
    # What leaks in floating point leaks in integers too.
    decay, multipliers = nearest_leaks(np.array([1 - 1e-9, 1.0]), 2.0**-15)
    assert multipliers.tolist() == [(1 << decay.shift) - 1, 1 << decay.shift]


def test_equal_leaks_are_the_cheapest_decay() -> None:
    for tau in (1.0, 1.05, 2.0, 7.0, math.inf):
        assert nearest_leaks(np.full(4, 1 - 1 / tau)) == (nearest_decay(tau), None)
    assert nearest_decay(math.inf) == Decay(1, 0)


def test_a_leak_takes_an_addition_less_than_it_has_digits() -> None:
    assert [Decay(k, 5).additions for k in (0, 1, 7, 21)] == [0, 0, 1, 2]


def test_digits_have_the_value_and_no_neighbours() -> None:
    for constant in range(1 << 11):
        digits = signed_digits(constant)
        assert sum(sign << exponent for sign, exponent in digits) == constant
        assert all(sign in (-1, 1) for sign, _ in digits)
        exponents = [exponent for _, exponent in digits]
        assert all(later - earlier > 1 for earlier, later in zip(exponents, exponents[1:], strict=False)), constant


def test_no_form_has_fewer_digits() -> None:
    """Breadth first: all values that n signed powers of two can reach."""
    powers = [sign << exponent for exponent in range(10) for sign in (-1, 1)]
    reached, fewest = {0}, {0: 0}
    for count in range(1, 6):
        reached = {value + power for value in reached for power in powers}
        for value in reached:
            fewest.setdefault(value, count)
    for constant in range(256):
        assert len(signed_digits(constant)) == fewest[constant], constant


@pytest.mark.parametrize("tau", [1.05, 3.0, 10.0, 1e6])
def test_a_leak_may_have_to_be_more_exact(tau: float) -> None:
    decay = nearest_decay(tau, 2**-15)
    assert abs(decay.multiplier / 2**decay.shift - (1 - 1 / tau)) <= 2**-15
    assert decay.multiplier < 2**decay.shift
