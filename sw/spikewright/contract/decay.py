"""Leaks of membranes."""

from __future__ import annotations

from dataclasses import dataclass


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

    def __call__(self, v: int) -> int:
        return (v * self.multiplier) >> self.shift
