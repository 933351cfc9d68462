"""Leaky integrate-and-fire, and without leak (a decay of 1) integrate-and-fire."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product
from typing import Any, Literal, get_args

from spikewright.contract.decay import Leak
from spikewright.contract.neuron import OPTIONAL, Neuron

Reset = Literal["hard", "soft", "late", "none", "dead", "twice"]
RESETS: tuple[Reset, ...] = get_args(Reset)
_LABELS = {
    "none": "no reset",
    "dead": "hard reset and dead step",
    "twice": "soft reset, then twice the threshold",
}
_NEVER = 1 << 47
"""Above every membrane."""


@dataclass(frozen=True)
class IntegerLIF(Neuron):
    """Fires from its threshold on, or only above it; a spike takes something away, at once or in the next step.

    Parameters
    ----------
    reset : "hard", "soft", "late", "none", "dead" or "twice"
        To 0; by subtraction of the threshold; by subtraction in the next step, after the leak; not at all; to 0, where
        the next step ends too, its input lost; by subtraction, after which a membrane that is still above the
        threshold fires in the next step only from twice the threshold on.
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

    @property
    def remembers(self) -> bool:
        return self.reset in ("dead", "twice")

    def fires_from(self, threshold: Any, before: Any = 0) -> Any:
        first = threshold + 1 if self.strict else threshold
        if self.reset == "dead":
            return first + before * _NEVER
        return first + before * threshold if self.reset == "twice" else first

    def after_spike(self, u: Any, threshold: Any) -> Any:
        if self.reset in ("hard", "dead"):
            return 0
        return u - threshold if self.reset in ("soft", "twice") else u

    def at_rest(self, u: Any, threshold: Any, before: Any = 0) -> Any:
        return u * (1 - before) if self.reset == "dead" else u

    def remembered(self, v: Any, fired: Any, threshold: Any) -> Any:
        if self.reset == "twice":
            return v >= self.fires_from(threshold)
        return fired if self.reset == "dead" else 0

    def carried(self, v: Any, fired: Any, threshold: Any, decay: Leak) -> Any:
        return decay(v) - threshold * fired if self.reset == "late" else decay(v)

    @classmethod
    def variants(cls) -> tuple[IntegerLIF, ...]:
        return tuple(cls(reset, strict) for strict, reset in product((False, True), RESETS))

    @property
    def label(self) -> str:
        return f"{_LABELS.get(self.reset, f'{self.reset} reset')}{' above the threshold' if self.strict else ''}"

    @property
    def luts_per_bit(self) -> int:
        return {"soft": 2, "late": 2, "twice": 3}.get(self.reset, 1)
