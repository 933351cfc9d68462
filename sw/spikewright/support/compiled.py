"""Loops over arrays, compiled when first called; numba keeps what it compiled, until the source changes.

It is kept beside the source, else in a cache of the user's (see `caches`), else not at all.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, TypeVar, cast

import numba
from llvmlite import ir
from numba.core import caching, cgutils
from numba.extending import intrinsic

from spikewright.support.caches import cache_folder

_Function = TypeVar("_Function", bound=Callable[..., object])


class _Locator(caching.UserProvidedCacheLocator):
    """A folder of our cache."""

    def __init__(self, function: Any, source: str) -> None:
        folder = cache_folder("numba")
        if folder is None:
            raise OSError("no folder for a cache")
        self._py_file = source
        self._lineno = function.__code__.co_firstlineno
        self._cache_path = str(folder / self.get_suitable_cache_subpath(source))  # type: ignore[no-untyped-call]

    @classmethod
    def from_function(cls, function: Any, source: str) -> _Locator | None:
        try:
            locator = cls(function, source)
            locator.ensure_cache_path()  # type: ignore[no-untyped-call]
        except OSError:
            return None
        return locator


class _CacheImpl(caching.CompileResultCacheImpl):
    _locator_classes = [caching.UserProvidedCacheLocator, caching.InTreeCacheLocator, _Locator]  # noqa: RUF012


class _Cache(caching.FunctionCache):
    """A cache that is damaged, vanishes or cannot be written any more is as good as none."""

    _impl_class = _CacheImpl

    def load_overload(self, *arguments: Any) -> Any:
        with suppress(Exception):
            return super().load_overload(*arguments)  # type: ignore[no-untyped-call]
        return None

    def save_overload(self, *arguments: Any) -> None:
        with suppress(Exception):
            super().save_overload(*arguments)  # type: ignore[no-untyped-call]


def compiled(function: _Function) -> _Function:
    """`function` as machine code, with the types of its arguments; other threads of Python run beside it."""
    dispatcher: Any = numba.njit(nogil=True)(function)
    if dispatcher is not function:  # as where numba is told to compile nothing
        with suppress(RuntimeError):  # There is no place for a cache.
            dispatcher._cache = _Cache(function)  # type: ignore[no-untyped-call]
    return cast(_Function, dispatcher)


def compiles() -> bool:
    """Whether functions are compiled, as they are unless numba is told not to; some are of no use otherwise."""
    return not getattr(numba.config, "DISABLE_JIT", 0)  # set while numba is loaded


def divided(function: Callable[..., None], arguments: tuple[object, ...], total: int, threads: int) -> None:
    """Call a compiled `function(*arguments, low, high)` for parts of 0 .. `total`, in that many threads."""
    parts = max(1, min(threads, total))
    if parts == 1:
        function(*arguments, 0, total)
        return
    bounds = [total * part // parts for part in range(parts + 1)]
    with ThreadPoolExecutor(parts) as pool:
        done = [pool.submit(function, *arguments, *part) for part in zip(bounds, bounds[1:], strict=False)]
    for part in done:
        part.result()


def _fma(typing: Any, factor: Any, other: Any, summand: Any) -> Any:
    """`factor * other + summand` of one type of floats, rounded once, in compiled code."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.fma(*values)

    return summand(summand, summand, summand), generate


def _quotient(typing: Any, dividend: Any, divisor: Any) -> Any:
    """`dividend / divisor` of floats, unchecked, so that a loop of them becomes vector instructions."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.fdiv(*values)

    return divisor(divisor, divisor), generate


def _trailing_zeros(typing: Any, word: Any) -> Any:
    """Zeros below the lowest one of a `word` that is not 0, in compiled code."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.cttz(values[0], context.get_constant(numba.types.boolean, True))

    return word(word), generate


def _transpose16(typing: Any, source: Any, row: Any, column: Any, target: Any, to_row: Any, to_column: Any) -> Any:
    """Transpose 16 by 16 values of `source` from [row, column] on into `target` from [to_row, to_column] on.

    In compiled code; what two loops do one by one at several times the cost. Nothing checks the bounds.
    """
    lanes = 16

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        of, to = signature.args[0], signature.args[3]
        arrays = (
            context.make_array(of)(context, builder, values[0]),
            context.make_array(to)(context, builder, values[3]),
        )
        item_of: Any = cgutils.get_item_pointer
        vector = ir.VectorType(context.get_data_type(of.dtype), lanes)

        def line(kind: Any, array: Any, first: Any, second: Any, k: int) -> Any:
            index = [builder.add(first, ir.Constant(first.type, k)), second]
            item = item_of(context, builder, kind, array, index, wraparound=False)
            return builder.bitcast(item, vector.as_pointer())

        size = context.get_abi_sizeof(context.get_data_type(of.dtype))
        rows = [builder.load(line(of, arrays[0], values[1], values[2], k), align=size) for k in range(lanes)]
        # Exchanges the off-diagonal quarters of ever smaller squares.
        for half in (8, 4, 2, 1):
            for k in range(lanes):
                if k & half:
                    continue
                upper, lower = rows[k], rows[k + half]
                masks = (
                    [j if not j & half else lanes + j - half for j in range(lanes)],
                    [j + half if not j & half else lanes + j for j in range(lanes)],
                )
                for place, mask in zip((k, k + half), masks, strict=True):
                    order = ir.Constant(ir.VectorType(ir.IntType(32), lanes), mask)
                    rows[place] = builder.shuffle_vector(upper, lower, order)
        for k in range(lanes):
            builder.store(rows[k], line(to, arrays[1], values[4], values[5], k), align=size)
        return context.get_dummy_value()

    return numba.types.void(source, numba.intp, numba.intp, target, numba.intp, numba.intp), generate


fma: Any = intrinsic(_fma)
quotient: Any = intrinsic(_quotient)
trailing_zeros: Any = intrinsic(_trailing_zeros)
transpose16: Any = intrinsic(_transpose16)
