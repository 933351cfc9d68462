"""Leaky integrate-and-fire, and without leak (a decay of 1) integrate-and-fire."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
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
MOST_SPIKES = 255
"""Of a neuron in a step."""
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
    max_spikes : int
        Most spikes in one step, 1 .. 255. Above 1, a neuron fires as often as the threshold fits, and a soft reset
        takes it away as often; the only other one is the hard one. Thresholds are powers of two then, and the neuron is
        not strict.

    Raises
    ------
    ValueError
        If one of them is something else.
    """

    reset: Reset = "hard"
    strict: bool = field(default=False, metadata=OPTIONAL)
    max_spikes: int = field(default=1, metadata=OPTIONAL)

    def __post_init__(self) -> None:
        if self.reset not in RESETS:
            raise ValueError(f"reset must be one of {', '.join(RESETS)}, not {self.reset!r}")
        if type(self.strict) is not bool:
            raise ValueError(f"strict must be true or false, not {self.strict!r}")
        if type(self.max_spikes) is not int or not 1 <= self.max_spikes <= MOST_SPIKES:
            raise ValueError(f"max_spikes must be 1 .. {MOST_SPIKES}, not {self.max_spikes!r}")
        if self.max_spikes > 1 and (self.reset not in ("soft", "hard") or self.strict):
            rule = f"{self.reset} reset{' above the threshold' if self.strict else ''}"
            raise ValueError(f"max_spikes must be 1 but with a soft or a hard reset at the threshold, not with {rule}")

    @property
    def most(self) -> int:
        return self.max_spikes

    def limited(self, most: int) -> IntegerLIF:
        return replace(self, max_spikes=most)

    def count(self, u: Any, threshold: Any) -> Any:
        if self.max_spikes == 1:
            return 1
        # Bit by bit, without a division: signals have none.
        number: Any = 0
        for bit in reversed(range(self.max_spikes.bit_length())):
            number = number + (u >= threshold * (number + (1 << bit))) * (1 << bit)
        return number + (self.max_spikes - number) * (number > self.max_spikes)

    def left_after(self, low: Any, high: Any, threshold: Any) -> tuple[Any, Any]:
        if self.max_spikes == 1 or self.reset == "hard":
            return super().left_after(low, high, threshold)
        # Between two multiples of the threshold, what is left grows to one less than it.
        wraps = self.count(low, threshold) < self.count(high, threshold)
        left = self.after_spike(low, threshold), self.after_spike(high, threshold)
        least = left[0] * (1 - wraps)
        return least, left[1] + (threshold - 1 - left[1]) * (wraps & (left[1] < threshold - 1))

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
        if self.reset not in ("soft", "twice"):
            return u
        return u - threshold * self.count(u, threshold)

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
        of_one = (cls(reset, strict) for strict, reset in product((False, True), RESETS))
        return (*of_one, cls("soft", False, 5), cls("hard", False, 5))

    @property
    def label(self) -> str:
        several = f", up to {self.max_spikes} spikes a step" if self.max_spikes > 1 else ""
        where = " above the threshold" if self.strict else ""
        return f"{_LABELS.get(self.reset, f'{self.reset} reset')}{where}{several}"

    @property
    def luts_per_bit(self) -> int:
        # Of several spikes, the comparison with the most of them, what these take away, and the choice.
        return 4 if self.max_spikes > 1 else {"soft": 2, "late": 2, "twice": 3}.get(self.reset, 1)
