"""PyTorch's optimizer without its compiler, which most trainings never use and which takes a second to import."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import torch

COMPILER = "torch._dynamo"
P = ParamSpec("P")
R = TypeVar("R")


def _eager(method: Callable[P, R]) -> Callable[P, R]:
    """A method that PyTorch keeps from its compiler: kept from it where that is imported, and as it is elsewhere."""
    plain: Callable[P, R] = getattr(method, "__wrapped__", method)

    @wraps(plain)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        return (method if COMPILER in sys.modules else plain)(*args, **kwargs)

    return call


class EagerOptimizer(torch.optim.Optimizer):
    """An optimizer that does not import PyTorch's compiler.

    Some methods of `torch.optim.Optimizer` import the compiler when they are first called, only to be left out of what
    it compiles. Nothing is compiled before something else has imported it.
    """

    add_param_group = _eager(torch.optim.Optimizer.add_param_group)
    zero_grad = _eager(torch.optim.Optimizer.zero_grad)
    state_dict = _eager(torch.optim.Optimizer.state_dict)
    load_state_dict = _eager(torch.optim.Optimizer.load_state_dict)
