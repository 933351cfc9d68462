"""Leaky integrate-and-fire, and without leak (a decay of 1) integrate-and-fire."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from spikewright.contract.neuron import Neuron

Reset = Literal["hard", "soft"]


@dataclass(frozen=True)
class IntegerLIF(Neuron):
    """Fires from its threshold on; a spike leaves nothing, or what was above the threshold.

    Parameters
    ----------
    reset : "hard" or "soft"
        To 0, or by subtraction of the threshold.

    Raises
    ------
    ValueError
        If `reset` is something else.
    """

    reset: Reset = "hard"

    def __post_init__(self) -> None:
        if self.reset not in ("hard", "soft"):
            raise ValueError(f"reset must be 'hard' or 'soft', not {self.reset!r}")

    def after_spike(self, u: Any, threshold: Any) -> Any:
        return 0 if self.reset == "hard" else u - threshold

    @classmethod
    def variants(cls) -> tuple[IntegerLIF, ...]:
        return cls("hard"), cls("soft")

    @property
    def label(self) -> str:
        return f"{self.reset} reset"

    @property
    def luts_per_bit(self) -> int:
        return 1 if self.reset == "hard" else 2
