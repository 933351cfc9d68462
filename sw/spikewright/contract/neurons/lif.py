"""Leaky integrate-and-fire, and without leak (a decay of 1) integrate-and-fire."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from typing import Any, Literal, get_args

from spikewright.contract.decay import Decay
from spikewright.contract.neuron import OPTIONAL, Neuron

Reset = Literal["hard", "soft", "late", "none"]
RESETS: tuple[Reset, ...] = get_args(Reset)


@dataclass(frozen=True)
class IntegerLIF(Neuron):
    """Fires from its threshold on, or only above it; a spike takes something away, at once or in the next step.

    Parameters
    ----------
    reset : "hard", "soft", "late" or "none"
        To 0; by subtraction of the threshold; by subtraction in the next step, after the leak; or not at all.
    strict : bool
        Whether a membrane at its threshold is silent.

    Raises
    ------
    ValueError
        If one of them is something else.
    """

    reset: Reset = "hard"
    strict: bool = field(default=False, metadata=OPTIONAL)

    def __post_init__(self) -> None:
        if self.reset not in RESETS:
            raise ValueError(f"reset must be one of {', '.join(RESETS)}, not {self.reset!r}")
        if type(self.strict) is not bool:
            raise ValueError(f"strict must be true or false, not {self.strict!r}")

    def fires_from(self, threshold: Any) -> Any:
        return threshold + 1 if self.strict else threshold

    def after_spike(self, u: Any, threshold: Any) -> Any:
        if self.reset == "hard":
            return 0
        return u - threshold if self.reset == "soft" else u

    def carried(self, v: Any, fired: Any, threshold: Any, decay: Decay) -> Any:
        return decay(v) - threshold * fired if self.reset == "late" else decay(v)

    @classmethod
    def variants(cls) -> tuple[IntegerLIF, ...]:
        return tuple(cls(reset, strict) for strict, reset in product((False, True), RESETS))

    @property
    def label(self) -> str:
        return f"{'no' if self.reset == 'none' else self.reset} reset{' above the threshold' if self.strict else ''}"

    @property
    def luts_per_bit(self) -> int:
        return 2 if self.reset in ("soft", "late") else 1
