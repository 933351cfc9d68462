"""Operations on tensors that PyTorch does not promise, and checks of what may be a tensor."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from spikewright.contract.errors import InputError
from spikewright.contract.integers import check_samples
from spikewright.contract.shown import Facts


def first_argmax(scores: Tensor) -> Tensor:
    """(B,) from (B, classes): the lowest index among equals, which `torch.argmax` does not promise."""
    index = torch.arange(scores.shape[-1], device=scores.device)
    best = scores == scores.max(dim=-1, keepdim=True).values
    return torch.where(best, index, scores.shape[-1]).min(dim=-1).values


def delayed(x: Tensor, steps: Tensor) -> Tensor:
    """What each neuron of (T, N, ...) had so many steps ago, of whole numbers `steps` (N,); zeros before the first."""
    longest = int(steps.max())
    padded = torch.cat([x.new_zeros(longest, *x.shape[1:]), x])
    rows = torch.arange(len(x), device=x.device).unsqueeze(1) + longest - steps
    return padded[rows, torch.arange(x.shape[1], device=x.device)]


def check_values(values: Tensor, timesteps: int, inputs: int) -> None:
    """Raise an InputError unless `values` are event counts (B, timesteps, inputs) of any real type, at least 0.

    Those that are not whole are for networks of floats alone.
    """
    if not isinstance(values, Tensor):
        raise InputError(f"values must be a tensor, not {type(values).__name__}")
    check_samples("values", values, timesteps, inputs)
    if values.is_complex():
        raise InputError(f"values must be event counts, not {values.dtype}")
    if values.numel() and (values.is_floating_point() or values.is_signed()):
        low, high = (float(extreme) for extreme in values.detach().aminmax())
        if not (low >= 0.0 and high < math.inf):  # either is not a number where a value is none
            raise InputError(f"values must be event counts of at least 0, not {low if not low >= 0.0 else high:g}")


def trace_facts(spikes: Sequence[Tensor], scores: Tensor) -> Facts:
    """What a trace shows of itself: shapes, and how often neurons fire."""
    fired = []
    for index, layer in enumerate(spikes):
        rate = float(layer.detach().float().mean())
        fired.append((f"spikes[{index}]", f"{tuple(layer.shape)}, {rate:.4f} per neuron and step"))
    return [*fired, ("scores", f"{tuple(scores.shape)}")]


def require_number(name: str, value: Any, ok: Callable[[Any], bool], constraint: str) -> None:
    """Raise InputError unless `value` is a finite number, or a tensor of one, that is `ok`: it must be `constraint`."""
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not (number or isinstance(value, Tensor) and value.numel() == 1):
        raise InputError(f"{name} must be a number, not {value!r:.60}")
    if not (math.isfinite(value) and ok(value)):
        raise InputError(f"{name} must be {constraint}, not {value}")
