"""Decisions: what a read-out makes of its membranes over the steps of a sample, to choose a class by."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any, ClassVar

Choose = Callable[[Any, Any, Any], Any]
"""Of two values, the first where a condition holds: `numpy.where`, `torch.where`, or a multiplexer."""


class Decision(ABC):
    """The score of a class, which grows with each step; the class is the lowest index of a highest score.

    `grown` is written with `+` and comparisons alone: the same text computes with NumPy arrays, with tensors, and with
    the signals of a circuit.
    """

    name: ClassVar[str]
    """Of the rule, where users choose it."""
    about: ClassVar[str]
    """In words, what is highest of the class."""

    @abstractmethod
    def grown(self, choose: Choose, first: Any, score: Any, v: Any) -> Any:
        """The score with the membrane of another step; `first` is that of a sample, whatever `score` is."""

    @abstractmethod
    def bounds(self, low: int, high: int, timesteps: int) -> tuple[int, int]:
        """Range of a score, of membranes that a step leaves within `low` and `high`."""

    def running(self, choose: Choose, membranes: Iterable[Any]) -> list[Any]:
        """Scores after every step, of the membranes of all steps, each of any shape."""
        scores: list[Any] = []
        for v in membranes:
            # Of the first step alone, a score is the membrane; an array that is false everywhere says that it is none.
            scores.append(self.grown(choose, v < v, scores[-1], v) if scores else v)  # noqa: PLR0124
        return scores


class Sum(Decision):
    name = "sum"
    about = "the highest sum of membranes"

    def grown(self, choose: Choose, first: Any, score: Any, v: Any) -> Any:
        return choose(first, 0, score) + v

    def bounds(self, low: int, high: int, timesteps: int) -> tuple[int, int]:
        return low * timesteps, high * timesteps


class Largest(Decision):
    name = "max"
    about = "the highest membrane of any step"

    def grown(self, choose: Choose, first: Any, score: Any, v: Any) -> Any:
        return choose(first | (v > score), v, score)

    def bounds(self, low: int, high: int, timesteps: int) -> tuple[int, int]:
        return low, high


class Last(Decision):
    name = "last"
    about = "the highest membrane of the last step"

    def grown(self, choose: Choose, first: Any, score: Any, v: Any) -> Any:
        return v

    def bounds(self, low: int, high: int, timesteps: int) -> tuple[int, int]:
        return low, high


DECISIONS: dict[str, Decision] = {decision.name: decision for decision in (Sum(), Largest(), Last())}
"""All that hardware computes, by their names."""
