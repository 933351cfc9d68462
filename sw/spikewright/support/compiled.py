"""Loops over arrays, compiled when first called; numba keeps what it compiled beside the source, until that changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, cast

import numba

_Function = TypeVar("_Function", bound=Callable[..., object])


def compiled(function: _Function) -> _Function:
    """`function` as machine code, with the types of its arguments."""
    return cast(_Function, numba.njit(cache=True)(function))
