"""Leaky integrate-and-fire.

With the current I, the membrane v and the spike s of step t::

    u[t] = v[t-1] * (1 - 1/tau) + I[t]
    s[t] = u[t] >= threshold               (or > threshold: strict)
    v[t] = 0 where s[t] else u[t]          (hard reset; s[t] may be how often the threshold fits into u[t])
    v[t] = u[t] - threshold * s[t]         (soft reset; s[t] may be how often the threshold fits into u[t])
    v[t] = u[t]                            (no reset, and late: then threshold * s[t-1] is taken from u[t])

A dead step is that after a hard reset: u[t] is 0 where s[t-1]. A soft reset that asks for twice the threshold, where
the step before left a membrane above it, takes the threshold from u[t] there, and gives it back after the comparison.

| symbol    | name      | unit                           |
|-----------|-----------|--------------------------------|
| I         | current   | of the threshold               |
| v         | membrane  | of the threshold               |
| tau       | tau       | steps, at least 1              |
| threshold | threshold | any, above 0; 1 in the networks |
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from spikewright.contract.neurons.lif import IntegerLIF, Reset
from spikewright.learn.neuron import Loop, Neuron


@dataclass(frozen=True)
class LIF(Neuron):
    """Constants of a layer of leaky integrate-and-fire neurons.

    Parameters
    ----------
    reset, strict, max_spikes
        What a spike leaves, whether a membrane at its threshold is silent, and how many a step may have, see
        `IntegerLIF`.
    others
        See `Neuron`.

    Raises
    ------
    ValueError
        If a value is out of its range.
    """

    reset: Reset = "hard"
    strict: bool = False
    max_spikes: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        self.in_integers()  # checks the three

    def charge(self, current: Tensor, v: Tensor, s: Tensor | None, out: Tensor | None = None) -> Tensor:
        u = super().charge(current, v, s, out)
        if self.reset == "twice":
            return u.sub_(self.fires(v).to(u.dtype), alpha=self.threshold)
        if s is None or self.reset not in ("late", "dead"):
            return u
        return u.sub_(s, alpha=self.threshold) if self.reset == "late" else u.addcmul_(u, s, value=-1.0)

    @property
    def most(self) -> int:
        return self.max_spikes

    def fires(self, u: Tensor, out: Tensor | None = None) -> Tensor:
        if self.max_spikes > 1:
            return torch.floor(u / self.threshold, out=out).clamp_(0, self.max_spikes)
        return (torch.gt if self.strict else torch.ge)(u, self.threshold, out=out)

    def after(self, u: Tensor, s: Tensor, v: Tensor, out: Tensor | None = None) -> Tensor:
        if self.reset in ("hard", "dead"):
            # (1 - s) * u rather than where(): the same value at a third of the time.
            s = s if self.max_spikes == 1 else s.clamp(max=1.0)
            return torch.addcmul(u, u, s, value=-1.0, out=out)
        if self.reset == "twice":
            return torch.sub(u, s - self.fires(v).to(u.dtype), alpha=self.threshold, out=out)
        return torch.sub(u, s, alpha=self.threshold if self.reset == "soft" else 0.0, out=out)

    def kept(self, u: Tensor, s: Tensor) -> Tensor | None:
        if self.reset not in ("hard", "dead"):
            return None
        return (s if self.max_spikes == 1 else s.clamp(max=1.0)).mul(-self.share).add_(self.share)

    def taken(self, s: Tensor) -> Tensor | None:
        return 1.0 - s if self.reset == "dead" else None

    def loop(self) -> Loop | None:
        if self.reset in ("dead", "twice") or self.max_spikes > 1:
            return None
        return Loop(self.strict, self.reset == "hard", self.reset == "soft", self.reset == "late")

    def in_integers(self) -> IntegerLIF:
        return IntegerLIF(self.reset, self.strict, self.max_spikes)
