"""Convex regularizers for sparse training: value, proximal operator and subgradient.

Each weighs its norm J by `lam` (lambda). `prox(x, step)` solves `argmin_p |p - x|**2 / 2 + step * lam * J(p)` and
yields exact zeros; `sub_grad(x)` is the element of the subdifferential that the Bregman iterations of Bungert et al.
(2022) start from. `lam` may be changed between steps (see `spikewright.learn.controller.SparsityController`).

Tensors must be real. Complex parameters are refused: the magnitude of a complex number couples its two parts, which
none of these norms describes; train `torch.view_as_real(p)` instead.
"""

from __future__ import annotations

import math
from numbers import Real
from typing import Protocol

import torch
from torch import Tensor

from spikewright.contract.errors import InputError


class Regularizer(Protocol):
    """What the optimizers need of a regularizer."""

    lam: float

    def value(self, x: Tensor) -> Tensor:
        """The regularizer at `x`: a scalar tensor."""

    def prox(self, x: Tensor, step: float = 1.0) -> Tensor:
        """Proximal operator at `x` with weight `step * lam`."""

    def sub_grad(self, x: Tensor) -> Tensor:
        """A subgradient at `x`, of its shape."""

    def check(self, x: Tensor, name: str = "x") -> None:
        """Raise InputError, naming the tensor, if the regularizer is not defined for tensors like `x`."""

    def coupled(self, changed: Tensor) -> Tensor:
        """Elements whose proximal value depends on one that is marked in `changed`, as a boolean tensor."""


class _Weighted:
    """Weight, checks of tensors, and what holds for a norm that treats every element on its own."""

    def __init__(self, lam: float = 1.0) -> None:
        self.lam = lam

    @property
    def lam(self) -> float:
        """Weight of the norm: finite and at least 0, whenever it is set."""
        return self._lam

    @lam.setter
    def lam(self, lam: float) -> None:
        number = isinstance(lam, Real) and not isinstance(lam, bool)
        if not (number and math.isfinite(lam) and lam >= 0):
            raise InputError(f"lam must be finite and at least 0, not {lam}")
        self._lam = float(lam)

    def check(self, x: Tensor, name: str = "x") -> None:
        if not x.is_floating_point():
            kind = str(x.dtype).removeprefix("torch.")
            raise InputError(f"{name} must be real floating-point numbers, not {kind}")

    def coupled(self, changed: Tensor) -> Tensor:
        return changed

    def __repr__(self) -> str:
        return f"{type(self).__name__}(lam={self.lam:g})"


class NoRegularizer(_Weighted):
    """J = 0: turns a Bregman optimizer into its plain counterpart."""

    def __init__(self) -> None:
        super().__init__(0.0)

    @property
    def lam(self) -> float:
        """Always 0: there is nothing to weigh."""
        return 0.0

    @lam.setter
    def lam(self, lam: float) -> None:
        if lam != 0:
            raise InputError(f"lam must be 0 where there is no regularizer, not {lam}")

    def value(self, x: Tensor) -> Tensor:
        self.check(x)
        return x.new_zeros(())

    def prox(self, x: Tensor, step: float = 1.0) -> Tensor:
        self.check(x)
        return x

    def sub_grad(self, x: Tensor) -> Tensor:
        self.check(x)
        return torch.zeros_like(x)


class L1(_Weighted):
    """Sum of magnitudes; its proximal operator is soft thresholding."""

    def value(self, x: Tensor) -> Tensor:
        self.check(x)
        return self.lam * x.abs().sum()

    def prox(self, x: Tensor, step: float = 1.0) -> Tensor:
        self.check(x)
        # x minus its projection onto [-t, t]: the difference is exactly 0 inside.
        return x - x.clamp(-step * self.lam, step * self.lam)

    def sub_grad(self, x: Tensor) -> Tensor:
        self.check(x)
        return self.lam * x.sign()


class PositiveL1(_Weighted):
    """Sum of magnitudes over weights of at least 0; infinite where one is negative."""

    def value(self, x: Tensor) -> Tensor:
        self.check(x)
        return self.lam * x.sum() if bool((x >= 0).all()) else x.new_full((), math.inf)

    def prox(self, x: Tensor, step: float = 1.0) -> Tensor:
        self.check(x)
        return (x - step * self.lam).clamp(min=0.0)

    def sub_grad(self, x: Tensor) -> Tensor:
        self.check(x)
        return self.lam * x.sign()


class GroupL1L2(_Weighted):
    """Sum of the Euclidean norms of groups, each times the square root of its length (group lasso).

    Zeroes whole neurons or whole axons: the rows or columns of a weight matrix `weight[post, pre]`; in the weights of a
    convolution, (outputs, inputs, kernel...), whole filters or whole input channels.

    Parameters
    ----------
    lam : float
        Finite, at least 0.
    axis : 0 or 1
        1: a group is a neuron, all that has one index of the first dimension. 0: a group is an axon, all that has
        one index of the second dimension.

    Raises
    ------
    InputError
        If a value is out of its range, or, when a tensor is regularized, if it has fewer than two dimensions (a bias
        has no groups) or is not real.
    """

    def __init__(self, lam: float = 1.0, axis: int = 1) -> None:
        super().__init__(lam)
        if axis not in (0, 1):
            raise InputError(f"axis must be 0 (columns) or 1 (rows), not {axis}")
        self.axis = axis

    def check(self, x: Tensor, name: str = "x") -> None:
        super().check(x, name)
        if x.dim() < 2:
            raise InputError(
                f"{name} must have at least 2 dimensions for GroupL1L2, not the shape {tuple(x.shape)}: "
                "put biases into a parameter group without it"
            )

    def _within(self, x: Tensor) -> tuple[int, ...]:
        """Dimensions along which a group extends."""
        return tuple(dim for dim in range(x.dim()) if dim != 1 - self.axis)

    def _norms(self, x: Tensor) -> Tensor:
        norms: Tensor = torch.linalg.vector_norm(x, dim=self._within(x), keepdim=True)
        return norms

    def _scale(self, x: Tensor) -> float:
        return self.lam * math.sqrt(x.numel() // x.shape[1 - self.axis]) if x.numel() else 0.0

    def coupled(self, changed: Tensor) -> Tensor:
        # A group shrinks by its norm, in which every element of it has a part.
        return changed.amax(dim=self._within(changed), keepdim=True).expand_as(changed)

    def value(self, x: Tensor) -> Tensor:
        self.check(x)
        return self._scale(x) * self._norms(x).sum()

    def prox(self, x: Tensor, step: float = 1.0) -> Tensor:
        self.check(x)
        norms = self._norms(x)
        return x * (1 - step * self._scale(x) / norms.clamp(min=1e-30)).clamp(min=0.0)

    def sub_grad(self, x: Tensor) -> Tensor:
        self.check(x)
        return self._scale(x) * x / self._norms(x).clamp(min=1e-30)
