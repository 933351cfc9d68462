"""Loops over arrays, compiled when first called; numba keeps what it compiled, until the source changes.

It is kept beside the source, else in a cache of the user's (see `caches`), else not at all.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar, cast

import numba
from numba.core import caching

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
    """`function` as machine code, with the types of its arguments."""
    dispatcher: Any = numba.njit(function)
    if dispatcher is not function:  # as where numba is told to compile nothing
        with suppress(RuntimeError):  # There is no place for a cache.
            dispatcher._cache = _Cache(function)  # type: ignore[no-untyped-call]
    return cast(_Function, dispatcher)
