"""Whole numbers that make a quadratic error small: the integer least squares of rounding a neuron's weights together.

Rounding every weight to the nearest integer makes the error of each weight small; what counts is the error of their
weighted sum. Where axons fire together, one weight's error can be made good by the others'. Babai's nearest plane does
that in one pass (the same as GPTQ: Frantar et al., ICLR 2023, after the optimal brain surgeon of Hassibi and Stork
1993; that both are one: Chen et al. 2025), and coordinate descent improves what it finds.
"""

from __future__ import annotations

import torch
from torch import Tensor

_SWEEPS = 8
"""Most passes of the coordinate descent over the weights; it mostly ends earlier, where no single weight improves."""


class Lattice:
    """Quadratic errors `(q / scale - w) @ moments @ (q / scale - w)` of several neurons, each with its own moments.

    Parameters
    ----------
    weights : (N, M) float64
        What is approximated.
    moments : (N, M, M) float64
        Symmetric and positive definite.
    largest : float
        Integers lie in -largest .. largest.
    """

    def __init__(self, weights: Tensor, moments: Tensor, largest: float) -> None:
        self.weights, self.moments, self.largest = weights, moments, largest
        count, width = weights.shape
        self._diagonal = moments.diagonal(dim1=1, dim2=2)
        # Axons with much activity first: theirs are the errors that the others have to make good.
        self._order = torch.argsort(self._diagonal, dim=1, descending=True, stable=True)
        rows = self._order.unsqueeze(2).expand(count, width, width)
        ordered = moments.gather(1, rows).gather(2, self._order.unsqueeze(1).expand(count, width, width))
        inverse = torch.cholesky_inverse(torch.linalg.cholesky(ordered))
        self._factor = torch.linalg.cholesky(inverse).mT  # moments**-1 = factor.T @ factor, in that order

    def error(self, integers: Tensor, scale: Tensor) -> Tensor:
        """(N,) of integers (N, M) at scales (N,)."""
        rest = integers / scale.unsqueeze(1) - self.weights
        return torch.einsum("ni,nij,nj->n", rest, self.moments, rest)

    def nearest_plane(self, scale: Tensor) -> Tensor:
        """(N, M) integers: one weight after the other is rounded, and the rest take up its error as they best can."""
        target = self.weights.gather(1, self._order)
        rounded = torch.zeros_like(target)
        for i in range(target.shape[1]):
            rounded[:, i] = torch.round(target[:, i] * scale).clamp(-self.largest, self.largest)
            error = (target[:, i] - rounded[:, i] / scale) / self._factor[:, i, i]
            target[:, i:] -= error.unsqueeze(1) * self._factor[:, i, i:]
        return torch.zeros_like(rounded).scatter_(1, self._order, rounded)

    def descend(self, integers: Tensor, scale: Tensor) -> Tensor:
        """(N, M) integers whose error is at most that of the given ones, and that no other value of one weight lowers.

        (Unless that takes more than a few passes.)
        """
        out = integers.clone()
        gradient = torch.einsum("nij,nj->ni", self.moments, out / scale.unsqueeze(1) - self.weights)
        for _ in range(_SWEEPS):
            before = out.clone()
            for i in range(out.shape[1]):
                best = torch.round(out[:, i] - scale * gradient[:, i] / self._diagonal[:, i])
                change = best.clamp(-self.largest, self.largest) - out[:, i]
                out[:, i] += change
                gradient += self.moments[:, i] * (change / scale).unsqueeze(1)
            if torch.equal(out, before):
                break
        return out

    def solve(self, start: Tensor, scale: Tensor) -> tuple[Tensor, Tensor]:
        """Integers (N, M) of a small error at scales (N,), and that error (N,): never above that of `start` (N, M)."""
        first, second = self.descend(start, scale), self.descend(self.nearest_plane(scale), scale)
        errors = self.error(first, scale), self.error(second, scale)
        better = errors[1] < errors[0]
        return torch.where(better.unsqueeze(1), second, first), torch.where(better, errors[1], errors[0])
