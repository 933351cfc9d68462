"""Convex regularizers for sparse training: value, proximal operator and subgradient.

Each weighs its norm J by `lam` (lambda). `prox(x, step)` solves `argmin_p |p - x|**2 / 2 + step * lam * J(p)` and
yields exact zeros; `sub_grad(x)` is the element of the subdifferential that the Bregman iterations of Bungert et al.
(2022) start from. `lam` may be changed between steps (see `spikewright.optim.SparsityController`).
"""

from __future__ import annotations

import math
from typing import Protocol

import torch
from torch import Tensor

from spikewright.errors import InputError


class Regularizer(Protocol):
    """What the optimizers need of a regularizer."""

    lam: float

    def value(self, x: Tensor) -> Tensor:
        """The regularizer at `x`: a scalar tensor."""

    def prox(self, x: Tensor, step: float = 1.0) -> Tensor:
        """Proximal operator at `x` with weight `step * lam`."""

    def sub_grad(self, x: Tensor) -> Tensor:
        """A subgradient at `x`, of its shape."""


class _Weighted:
    def __init__(self, lam: float = 1.0) -> None:
        if not (math.isfinite(lam) and lam >= 0):
            raise InputError(f"lam must be finite and at least 0, not {lam}")
        self.lam = float(lam)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(lam={self.lam:g})"


class NoRegularizer(_Weighted):
    """J = 0: turns a Bregman optimizer into its plain counterpart."""

    def __init__(self) -> None:
        super().__init__(0.0)

    def value(self, x: Tensor) -> Tensor:
        return x.new_zeros(())

    def prox(self, x: Tensor, step: float = 1.0) -> Tensor:
        return x

    def sub_grad(self, x: Tensor) -> Tensor:
        return torch.zeros_like(x)


class L1(_Weighted):
    """Sum of magnitudes; its proximal operator is soft thresholding."""

    def value(self, x: Tensor) -> Tensor:
        return self.lam * x.abs().sum()

    def prox(self, x: Tensor, step: float = 1.0) -> Tensor:
        # x minus its projection onto [-t, t]: the difference is exactly 0 inside.
        return x - x.clamp(-step * self.lam, step * self.lam)

    def sub_grad(self, x: Tensor) -> Tensor:
        return self.lam * x.sign()


class PositiveL1(_Weighted):
    """Sum of magnitudes over weights of at least 0; infinite where one is negative."""

    def value(self, x: Tensor) -> Tensor:
        return self.lam * x.sum() if bool((x >= 0).all()) else x.new_full((), math.inf)

    def prox(self, x: Tensor, step: float = 1.0) -> Tensor:
        return (x - step * self.lam).clamp(min=0.0)

    def sub_grad(self, x: Tensor) -> Tensor:
        return self.lam * x.sign()


class GroupL1L2(_Weighted):
    """Sum of the Euclidean norms of groups, each times the square root of its length (group lasso).

    Zeroes whole rows (neurons) or columns (axons) of a weight matrix.

    Parameters
    ----------
    lam : float
    axis : 0 or 1
        1: a group is a row of `weight[post, pre]`, the inputs of a neuron. 0: a column, the synapses of an axon.
    """

    def __init__(self, lam: float = 1.0, axis: int = 1) -> None:
        super().__init__(lam)
        if axis not in (0, 1):
            raise InputError(f"axis must be 0 (columns) or 1 (rows), not {axis}")
        self.axis = axis

    def _norms(self, x: Tensor) -> Tensor:
        norms: Tensor = torch.linalg.vector_norm(x, dim=self.axis, keepdim=True)
        return norms

    def _scale(self, x: Tensor) -> float:
        return self.lam * math.sqrt(x.shape[self.axis])

    def value(self, x: Tensor) -> Tensor:
        return self._scale(x) * self._norms(x).sum()

    def prox(self, x: Tensor, step: float = 1.0) -> Tensor:
        norms = self._norms(x)
        return x * (1 - step * self._scale(x) / norms.clamp(min=1e-30)).clamp(min=0.0)

    def sub_grad(self, x: Tensor) -> Tensor:
        return self._scale(x) * x / self._norms(x).clamp(min=1e-30)
