"""Leaky integrate-and-fire neurons: one step as a pure function, and the surrogate gradients of their spikes.

The neuron, with the current I, the membrane v and the spike s of step t::

    u[t] = v[t-1] * (1 - 1/tau) + I[t]
    s[t] = u[t] >= threshold
    v[t] = 0 where s[t] else u[t]          (hard reset)
    v[t] = u[t] - threshold * s[t]         (soft reset)

| symbol    | name      | unit                           |
|-----------|-----------|--------------------------------|
| I         | current   | of the threshold               |
| v         | membrane  | of the threshold               |
| tau       | tau       | steps, at least 1              |
| threshold | threshold | any, above 0; 1 in the networks |

The input is not scaled by 1/tau. No gradient flows through the reset (the reference networks detach it).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

Surrogate = Literal["atan", "triangle"]
Reset = Literal["hard", "soft"]


@dataclass(frozen=True)
class LIF:
    """Constants of a layer of neurons.

    Parameters
    ----------
    tau : float
        Membrane time constant in steps, at least 1 (1 forgets at once).
    threshold : float
        Above 0.
    reset : "hard" or "soft"
        To 0, or by subtraction of the threshold.
    surrogate : "atan" or "triangle"
        Shape of the derivative that replaces that of the spike.
    alpha : float
        Steepness of the surrogate.

    Raises
    ------
    ValueError
        If a value is out of its range.
    """

    tau: float = 2.0
    threshold: float = 1.0
    reset: Reset = "hard"
    surrogate: Surrogate = "atan"
    alpha: float = 5.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.tau) and self.tau >= 1):
            raise ValueError(f"tau must be at least 1 step, not {self.tau}")
        if not (math.isfinite(self.threshold) and self.threshold > 0):
            raise ValueError(f"threshold must be above 0, not {self.threshold}")
        if self.reset not in ("hard", "soft"):
            raise ValueError(f"reset must be 'hard' or 'soft', not {self.reset!r}")
        if self.surrogate not in ("atan", "triangle"):
            raise ValueError(f"surrogate must be 'atan' or 'triangle', not {self.surrogate!r}")
        if not (math.isfinite(self.alpha) and self.alpha > 0):
            raise ValueError(f"alpha must be above 0, not {self.alpha}")

    @property
    def decay(self) -> float:
        """Share of the membrane that is left after a step."""
        return 1.0 - 1.0 / self.tau


def lif_step(current: Tensor, v: Tensor, neuron: LIF) -> tuple[Tensor, Tensor, Tensor]:
    """One step of the neuron.

    Parameters
    ----------
    current, v : tensors of one shape
        Input current, and the membrane left by the step before.
    neuron : LIF

    Returns
    -------
    (u, s, v)
        Membrane before the reset, spikes (0 or 1), membrane after the reset.
    """
    u = torch.add(current, v, alpha=neuron.decay)
    s = (u >= neuron.threshold).to(u.dtype)
    # (1 - s) * u rather than where(): the same value at a third of the time.
    v = torch.addcmul(u, u, s, value=-1.0) if neuron.reset == "hard" else torch.sub(u, s, alpha=neuron.threshold)
    return u, s, v


def surrogate_gradient(u: Tensor, neuron: LIF) -> Tensor:
    """Derivative that stands in for that of the spike at membrane `u`, elementwise.

    `atan`: alpha/2 / (1 + (pi/2 * alpha * x)**2) (Fang et al. 2021); `triangle`: max(0, 1 - |x|) * alpha/5 at
    x = u - threshold, so that both are of one order at the usual alpha of 5.
    """
    x = u - neuron.threshold
    if neuron.surrogate == "atan":
        return x.mul_(math.pi / 2 * neuron.alpha).square_().add_(1.0).reciprocal_().mul_(neuron.alpha / 2)
    return x.abs_().neg_().add_(1.0).clamp_(min=0.0).mul_(neuron.alpha / 5)
