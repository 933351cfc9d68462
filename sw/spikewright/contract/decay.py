"""Leaks of membranes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from spikewright.contract.integers import IntArray

Leak = Callable[[Any], Any]
"""What is left of a membrane, or of each of an array or tensor of them: a `Decay`, or the `Leaks` of single neurons."""

TOLERANCE = 2.0**-9
"""Largest error of a leak that `nearest_decay` finds."""


@dataclass(frozen=True)
class Decay:
    """Leak of a membrane, `v <- (v * multiplier) >> shift` with a flooring shift.

    Parameters
    ----------
    multiplier : int
        0 .. 2**shift. 0 forgets the membrane at once (a linear read-out), 2**shift never leaks.
    shift : int
        0 .. 16.
    """

    multiplier: int
    shift: int

    def __post_init__(self) -> None:
        if not 0 <= self.shift <= 16:
            raise ValueError(f"decay shift must be 0 .. 16, not {self.shift}")
        if not 0 <= self.multiplier <= 1 << self.shift:
            raise ValueError(f"decay multiplier must be 0 .. {1 << self.shift}, not {self.multiplier}")

    def __call__(self, v: Any) -> Any:
        """What is left of a membrane, or of each of an array or tensor of them."""
        return (v * self.multiplier) >> self.shift

    @property
    def additions(self) -> int:
        """Additions and subtractions of shifted membranes that make the product."""
        return max(0, len(signed_digits(self.multiplier)) - 1)


@dataclass(frozen=True, eq=False)
class Leaks:
    """Leaks of single neurons, `v <- (v * multiplier) >> shift` with a multiplier for each membrane of an array."""

    multipliers: Any
    shift: int

    def __call__(self, v: Any) -> Any:
        return (v * self.multipliers) >> self.shift


def nearest_leaks(leaks: npt.NDArray[np.float64], tolerance: float = TOLERANCE) -> tuple[Decay, IntArray | None]:
    """The leaks of single neurons, each within `tolerance` of its own, with one shift.

    Parameters
    ----------
    leaks : (neurons,)
        Shares of the membranes that are left after a step, 0 .. 1; 1 is kept exactly.
    tolerance : float
        2**-15 .. 1.

    Returns
    -------
    Decay, multipliers
        `LayerSpec.decay` and `LayerSpec.multipliers`: where all leaks are equal, the cheapest decay and no multipliers.
    """
    first = float(leaks[0])
    if (leaks == first).all():
        return _nearest(first, tolerance), None
    for shift in range(17):
        # A membrane that leaks must leak in integers too.
        most = np.where(leaks < 1.0, (1 << shift) - 1, 1 << shift)
        multipliers = np.minimum(np.round(leaks * (1 << shift)), most).astype(np.int64)
        if (np.abs(multipliers / (1 << shift) - leaks) <= tolerance).all():
            break
    return Decay(1 << shift, shift), multipliers


def nearest_decay(tau: float, tolerance: float = TOLERANCE) -> Decay:
    """The cheapest k / 2**F within `tolerance` of 1 - 1/tau.

    Cheapest is the fewest non-zero digits of k in canonical signed-digit form, as many as there are additions in
    hardware; then the smallest F, then the smallest error.

    Parameters
    ----------
    tau : float
        Steps, at least 1; infinite without leak.
    tolerance : float
        2**-15 .. 1.
    """
    return _nearest(1.0 - 1.0 / tau, tolerance)


def _nearest(target: float, tolerance: float) -> Decay:
    if target == 1.0:
        return Decay(multiplier=1, shift=0)
    candidates = []
    for shift in range(11 if tolerance >= TOLERANCE else 17):
        nearest = round(target * (1 << shift))
        for k in range(max(0, nearest - 2), min(1 << shift, nearest + 2) + 1):
            error = abs(k / (1 << shift) - target)
            # A membrane that leaks in the float network must leak in the integer one: without, it has no bound.
            if error <= tolerance and k < 1 << shift:
                candidates.append((len(signed_digits(k)), shift, error, k))
    _, shift, _, k = min(candidates)
    return Decay(multiplier=k, shift=shift)


def signed_digits(constant: int) -> list[tuple[int, int]]:
    """Canonical signed digits of `constant` >= 0: (sign, exponent), no two exponents adjacent.

    The fewest non-zero digits of any signed binary form (Reitwiesner 1960), thus the fewest adders.
    """
    digits = []
    exponent = 0
    while constant:
        if constant & 1:
            sign = 2 - (constant & 3)
            digits.append((sign, exponent))
            constant -= sign
        constant >>= 1
        exponent += 1
    return digits
