"""What lies between neurons, as functions of a batch: weights, convolutions, pools, scales and delays."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spikewright.contract.errors import InputError
from spikewright.contract.layer import MAX_DELAY
from spikewright.nir.chain import Step
from spikewright.nir.graph import named
from spikewright.nir.nodes import AvgPool2d, Conv, Delay, Flatten, Linear, Pool, Scale

_ROUNDING = 1e-3
"""Of a delay, in steps: seconds in 32 bits are no more exact."""


class Op:
    """Values (B, size) of one step into (B, size) of the next node.

    Attributes
    ----------
    delays : Tensor or None
        (size,) steps, of a node that does nothing else.
    turned : bool
        Whether the values of a Flatten leave it in the order of channels last.
    """

    delays: Tensor | None = None

    def __init__(self, step: Step, dt: float, dtype: torch.dtype, *, channels_last: bool = False) -> None:
        self.step = step
        self.dtype = dtype
        node = step.node
        self.turned = channels_last and isinstance(node, Flatten) and len(step.given) > 1
        self._tensors = {
            name: torch.tensor(np.asarray(value, np.float64), dtype=dtype)
            for name, value in vars(node).items()
            if isinstance(value, np.ndarray)
        }
        if isinstance(node, Delay):
            size = math.prod(step.given)
            self.delays = torch.from_numpy(np.broadcast_to(steps_of(step.name, node, dt).ravel(), (size,)).copy())

    @property
    def keeps(self) -> bool:
        """Whether values stay as, and where, they are."""
        return isinstance(self.step.node, Flatten) and not self.turned

    def __call__(self, x: Tensor) -> Tensor:
        node, tensors = self.step.node, self._tensors
        if isinstance(node, Linear):
            return torch.nn.functional.linear(x, tensors["weight"], tensors.get("bias"))
        if isinstance(node, Conv):
            return self._convolved(x, node)
        if isinstance(node, Pool):
            means = torch.nn.functional.avg_pool2d(
                x.reshape(-1, *self.step.given), node.kernel_size, node.stride, node.padding
            ).flatten(1)
            return means if isinstance(node, AvgPool2d) else means * math.prod(node.kernel_size)
        if isinstance(node, Scale):
            return x * tensors["scale"].reshape(-1)
        assert isinstance(node, Flatten)
        return x.reshape(-1, *self.step.given).movedim(1, -1).flatten(1) if self.turned else x

    def _convolved(self, x: Tensor, node: Conv) -> Tensor:
        sides = [side for margin in reversed(node.margins) for side in margin]
        padded = torch.nn.functional.pad(x.reshape(-1, *self.step.given), sides)
        convolve: Callable[..., Any] = getattr(torch.nn.functional, f"conv{node.dimensions}d")
        weight, bias = self._tensors["weight"], self._tensors["bias"]
        found: Tensor = convolve(padded, weight, bias, node.stride, 0, node.dilation, node.groups)
        return found.flatten(1)


def steps_of(name: str, node: Delay, dt: float) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Delays in whole steps.

    Raises
    ------
    InputError
        If one is not a multiple of dt, or too long; names the node.
    """
    exact = np.asarray(node.delay, np.float64) / dt
    steps = np.round(exact)
    bad = np.flatnonzero((np.abs(exact - steps) > _ROUNDING).ravel() | (steps > MAX_DELAY).ravel())
    if len(bad):
        value = exact.ravel()[bad[0]]
        raise InputError(
            f"{named(name)}: delay must be 0 .. {MAX_DELAY} whole steps of dt {dt:g} s, not {value:g} steps"
        )
    return steps.astype(np.int64)


class DelayLine:
    """Values of earlier steps, each (B, N) delayed by steps of its own; zeros before the first."""

    def __init__(self, delays: Tensor) -> None:
        self._delays = delays
        self._length = int(delays.max()) + 1
        self._history: Tensor | None = None
        self._time = 0

    def __call__(self, x: Tensor) -> Tensor:
        if self._history is None:
            self._history = x.new_zeros(self._length, *x.shape)
        self._history[self._time % self._length] = x
        rows = (self._time - self._delays) % self._length
        self._time += 1
        return self._history.gather(0, rows.expand(1, *x.shape)).squeeze(0)


def in_one_go(op: Op, x: Tensor) -> Tensor:
    """The op over a sequence (T, B, size)."""
    if op.delays is None:
        return op(x.flatten(0, 1)).reshape(*x.shape[:2], -1)
    line = DelayLine(op.delays)
    return torch.stack([line(row) for row in x])


def as_matrix(ops: list[Op], size: int) -> tuple[Tensor, Tensor]:
    """Weights (outputs, inputs) and bias (outputs,) of ops without delays, unrolled."""

    def through(x: Tensor) -> Tensor:
        for op in ops:
            x = op(x)
        return x

    dtype = ops[0].dtype if ops else torch.float64
    bias = through(torch.zeros(1, size, dtype=dtype))[0]
    return (through(torch.eye(size, dtype=dtype)) - bias).t().double().contiguous(), bias.double()
