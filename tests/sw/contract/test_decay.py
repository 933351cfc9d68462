import pytest

from spikewright.contract.decay import Decay


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
