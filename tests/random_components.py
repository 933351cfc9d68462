"""Random contents for components that share one compiled simulation: all that is not content stays the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np

from spikewright.contract.integers import IntArray

SEEDS = range(4)

T = TypeVar("T")


def stall_of(seed: int) -> float:
    """Probability of a pause; cycles are predicted without any."""
    return (0.0, 0.0, 0.2, 0.6)[seed % 4]


def redrawn(weights: IntArray, rng: np.random.Generator, limit: int, fixed: int = 0) -> IntArray:
    """New weights of the same number in every row (neuron), thus of as many synapses in every lane.

    Zeros change places within their row, but for the first `fixed` columns.
    """
    weights = weights.copy()
    weights[:, fixed:] = rng.permuted(weights[:, fixed:], axis=1)
    values = rng.integers(1, limit + 1, weights.shape) * rng.choice([-1, 1], weights.shape)
    return np.where(weights != 0, values, 0)


def drawn(seed: int, make: Callable[[int], T], widths: Callable[[T], object]) -> T:
    """What `make` draws from a seed, of the same widths as what it draws from 0."""
    wanted = widths(make(0))
    return next(item for attempt in range(1000) if widths(item := make(1000 * seed + attempt)) == wanted)
