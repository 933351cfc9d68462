"""Sparsity of weights: how it is counted, and weights that are sparse from the start."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from spikewright.support.tensors import require_number


def sparsity(tensors: Iterable[Tensor]) -> float:
    """Share of exact zeros over all elements of the tensors."""
    total = nonzero = 0
    for tensor in tensors:
        total += tensor.numel()
        nonzero += int(torch.count_nonzero(tensor))
    return 1.0 - nonzero / total if total else 0.0


def sparse_init_(weight: Tensor, density: float, generator: torch.Generator | None = None) -> Tensor:
    """Keep each weight with probability `density`, zero the others, and scale by 1/sqrt(density).

    Bregman training starts sparse and adds weights where the loss asks for them; the scale keeps the variance of the
    neurons' inputs (Bungert et al. 2022, section 3.1).

    Parameters
    ----------
    weight : tensor
        Changed in place.
    density : float
        Above 0 .. 1.
    generator : torch.Generator, optional

    Raises
    ------
    InputError
        If the density is out of its range.
    """
    require_number("density", density, lambda density: 0 < density <= 1, "above 0 and at most 1")
    with torch.no_grad():
        keep = torch.rand(weight.shape, generator=generator) < density
        return weight.mul_(keep.to(weight.dtype) / math.sqrt(density))
