"""Neurons in floating point: a step, and the gradients that stand in for those of its spikes.

Each is a module of `spikewright.learn.neurons`. All of them have, with the current I, the membrane v and the spike s of
step t::

    u[t] = v[t-1] * (1 - 1/tau) + I[t]
    s[t] = u[t] >= threshold, or >
    v[t] = what is left of u[t] after s[t], and not below the floor of the neuron, if it has one

With a time constant of a synaptic current, that is what charges the membrane: I[t] is then I[t-1] * (1 - 1/tau_syn)
and the input of the step.

The input is not scaled by 1/tau. No gradient flows through the reset (the reference networks detach it).
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor

from spikewright.contract import found
from spikewright.contract.errors import InputError
from spikewright.contract.neuron import Neuron as IntegerNeuron

if TYPE_CHECKING:
    from spikewright.learn.config_sections import LayerConfig

Surrogate = Literal["atan", "triangle"]


@dataclass(frozen=True)
class Loop:
    """What the compiled loops of `sequences` have to know of a neuron beside tau, threshold and surrogate.

    Parameters
    ----------
    strict : bool
        Whether a membrane at its threshold is silent.
    to_zero, taken, taken_late : bool
        Whether a spike leaves 0; takes the threshold away; does so in the next step. If nothing, all is left.
    """

    strict: bool
    to_zero: bool
    taken: bool
    taken_late: bool


@dataclass(frozen=True)
class Neuron(ABC):
    """Constants of a layer of neurons, and what they compute.

    A subclass is a frozen dataclass, the only neuron of its module in `spikewright.learn.neurons`. Its integer rule is
    that of the same name in `spikewright.contract.neurons`.

    Parameters
    ----------
    tau : float
        Membrane time constant in steps, at least 1 (1 forgets at once); infinite without leak.
    tau_syn : float
        That of a synaptic current, at least 1: then the current of a step is gone in the next, and there is none.
    threshold : float
        Above 0.
    surrogate : "atan" or "triangle"
        Shape of the derivative that replaces that of the spike.
    alpha : float
        Steepness of the surrogate.
    leak, current_leak, start, current_start, floor : tensors, optional
        (N, 1): shares of the membranes, and of the currents, that are left after a step, in place of what tau and
        tau_syn say; membranes and currents before the first step, in place of 0; lowest membranes that a step leaves,
        at most 0.

    Raises
    ------
    ValueError
        If a value is out of its range.
    """

    tau: float = 2.0
    threshold: float = 1.0
    surrogate: Surrogate = "atan"
    alpha: float = 5.0
    tau_syn: float = 1.0
    leak: Tensor | None = field(default=None, compare=False)
    current_leak: Tensor | None = field(default=None, compare=False)
    start: Tensor | None = field(default=None, compare=False)
    current_start: Tensor | None = field(default=None, compare=False)
    floor: Tensor | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if not self.tau >= 1:
            raise ValueError(f"tau must be at least 1 step, not {self.tau}")
        if not (math.isfinite(self.tau_syn) and self.tau_syn >= 1):
            raise ValueError(f"tau_syn must be at least 1 step, not {self.tau_syn}")
        if not (math.isfinite(self.threshold) and self.threshold > 0):
            raise ValueError(f"threshold must be above 0, not {self.threshold}")
        if self.surrogate not in ("atan", "triangle"):
            raise ValueError(f"surrogate must be 'atan' or 'triangle', not {self.surrogate!r}")
        if not (math.isfinite(self.alpha) and self.alpha > 0):
            raise ValueError(f"alpha must be above 0, not {self.alpha}")

    @property
    def decay(self) -> float:
        """Share of the membrane that is left after a step, of neurons without a leak of their own."""
        return 1.0 - 1.0 / self.tau

    @property
    def current_decay(self) -> float:
        """Share of the synaptic current that is left after a step; 0 without one."""
        return 1.0 - 1.0 / self.tau_syn

    @property
    def current_share(self) -> Tensor | float:
        """As `current_decay`, of any neurons."""
        return self.current_decay if self.current_leak is None else self.current_leak

    @property
    def share(self) -> Tensor | float:
        """As `decay`, of any neurons."""
        return self.decay if self.leak is None else self.leak

    def charge(self, current: Tensor, v: Tensor, s: Tensor | None, out: Tensor | None = None) -> Tensor:
        """Membranes with the current of a step, from what was left of them by the step before and its spikes `s`.

        `s` is None in the first step.
        """
        if self.leak is not None:
            return torch.addcmul(current, v, self.leak, out=out)
        return torch.add(current, v, alpha=self.decay, out=out)

    def first(self, like: Tensor) -> Tensor:
        """Membranes before the first step."""
        nothing = torch.zeros_like(like)
        return nothing if self.start is None else nothing + self.start

    def first_current(self, like: Tensor) -> Tensor:
        """Synaptic currents before the first step."""
        nothing = torch.zeros_like(like)
        return nothing if self.current_start is None else nothing + self.current_start

    @property
    def most(self) -> int:
        """Most spikes in one step."""
        return 1

    def nearest(self, u: Tensor) -> Tensor | float:
        """The multiple of the threshold at which the number of spikes changes, of those the nearest to a membrane."""
        if self.most == 1:
            return self.threshold
        return torch.round(u / self.threshold).clamp_(1, self.most).mul_(self.threshold)

    def fires(self, u: Tensor, out: Tensor | None = None) -> Tensor:
        """Whether each membrane fires, or how often in this step: a number in `out`, else booleans if at most once."""
        return torch.ge(u, self.threshold, out=out)

    @abstractmethod
    def after(self, u: Tensor, s: Tensor, v: Tensor, out: Tensor | None = None) -> Tensor:
        """What is left of the membranes `u` after the spikes `s` (0 or 1); the step before had left `v`."""

    @abstractmethod
    def kept(self, u: Tensor, s: Tensor) -> Tensor | None:
        """Derivative of a membrane by `u` of the step before, whose spikes were `s`; None if it is always `share`."""

    def left(self, u: Tensor, s: Tensor, v: Tensor, out: Tensor | None = None) -> Tensor:
        """`after`, and not below the floor."""
        after = self.after(u, s, v, out)
        return after if self.floor is None else torch.maximum(after, self.floor, out=after)

    def taken(self, s: Tensor) -> Tensor | None:
        """Derivative of membranes by their currents, after a step with spikes `s`; None if it is always 1."""
        return None

    def passed(self, u: Tensor, s: Tensor) -> Tensor | None:
        """`kept`, and nothing of what is below the floor; None if it is always `decay`."""
        kept = self.kept(u, s)
        if kept is None and self.leak is not None:
            kept = self.leak.expand_as(u)
        if self.floor is None:
            return kept
        above = (u >= self.floor).to(u.dtype)
        return above.mul_(self.decay if kept is None else kept)

    def loop(self) -> Loop | None:
        """The same rule for the compiled loops of `sequences`; None where they do not have it, as by default."""
        return None

    @abstractmethod
    def in_integers(self) -> IntegerNeuron:
        """Its integer rule; threshold and decay, which every neuron has, are no part of it."""


def neuron_of(layer: LayerConfig, surrogate: Surrogate, alpha: float) -> Neuron:
    """The neuron of a layer: what a neuron has beside the surrogate are settings of the layer."""
    of: type[Neuron] = found.class_in("spikewright.learn.neurons", layer.neuron, Neuron)
    constants = {item.name: getattr(layer, item.name) for item in fields(of) if hasattr(layer, item.name)}
    try:
        return of(**constants, surrogate=surrogate, alpha=alpha)
    except ValueError as error:
        raise InputError(str(error)) from None


def neuron_step(
    current: Tensor, v: Tensor, neuron: Neuron, before: Tensor | None = None
) -> tuple[Tensor, Tensor, Tensor]:
    """One step of a neuron.

    Parameters
    ----------
    current, v : tensors of one shape
        Input current, and the membrane left by the step before.
    neuron : Neuron
    before : tensor, optional
        Spikes of the step before.

    Returns
    -------
    (u, s, v)
        Membrane before the reset, spikes (0 or 1), membrane after the reset.
    """
    u = neuron.charge(current, v, before)
    s = neuron.fires(u).to(u.dtype)
    return u, s, neuron.left(u, s, v)


def surrogate_gradient(u: Tensor, neuron: Neuron) -> Tensor:
    """Derivative that stands in for that of the spike at membrane `u`, elementwise.

    `atan`: alpha/2 / (1 + (pi/2 * alpha * x)**2) (Fang et al. 2021); `triangle`: max(0, 1 - |x|) * alpha/5 at
    x = u - threshold, so that both are of one order at the usual alpha of 5.
    """
    x = u - neuron.nearest(u)
    if neuron.surrogate == "atan":
        return x.mul_(math.pi / 2 * neuron.alpha).square_().add_(1.0).reciprocal_().mul_(neuron.alpha / 2)
    return x.abs_().neg_().add_(1.0).clamp_(min=0.0).mul_(neuron.alpha / 5)
