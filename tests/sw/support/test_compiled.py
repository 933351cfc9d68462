import importlib.util
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest
from numba.core import caching

from spikewright.support import caches
from spikewright.support.compiled import (
    _Locator,
    compiled,
    divided,
    fma,
    quotient,
    trailing_zeros,
    transpose16,
)


@pytest.fixture
def function(tmp_path: Path) -> Callable[[int], int]:
    """A function in a file of its own."""
    source = tmp_path / "module_of_its_own.py"
    source.write_text("def double(x):\n    return 2 * x\n")
    spec = importlib.util.spec_from_file_location("module_of_its_own", source)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    loaded: Callable[[int], int] = module.double
    return loaded


@pytest.fixture
def read_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The source's folder cannot be written, nor a home; the folder for temporary files can."""
    for locator in (caching.InTreeCacheLocator, caching.UserWideCacheLocator):
        monkeypatch.setattr(locator, "from_function", classmethod(lambda cls, *arguments: None))
    monkeypatch.setenv("HOME", "/proc/nope")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return tmp_path / "tmp"


def test_code_is_kept_beside_its_source(function: Any, tmp_path: Path) -> None:
    assert compiled(function)(3) == 6
    assert list((tmp_path / "__pycache__").glob("*.nbc"))


def test_code_of_a_read_only_source_is_kept_in_a_cache(function: Any, read_only: Path) -> None:
    double: Any = compiled(function)
    assert double(3) == 6
    assert list(read_only.rglob("*.nbc"))
    again: Any = compiled(function)
    assert again(3) == 6
    assert sum(again.stats.cache_hits.values()) == 1


def test_without_any_place_nothing_is_kept(function: Any, read_only: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(caches, "bases", lambda: iter(()))
    assert compiled(function)(3) == 6
    assert not list(read_only.iterdir())


def test_a_damaged_cache_is_none(function: Any, read_only: Path) -> None:
    assert compiled(function)(3) == 6
    for file in [*read_only.rglob("*.nbc"), *read_only.rglob("*.nbi")]:
        file.write_bytes(file.read_bytes()[:40])
    assert compiled(function)(3) == 6


def test_a_cache_that_cannot_be_written_any_more_is_none(function: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    double = compiled(function)
    monkeypatch.setattr(caching.IndexDataCacheFile, "save", full)
    assert double(3) == 6


def test_the_locator_is_for_read_only_sources(function: Any, read_only: Path) -> None:
    locator = _Locator.from_function(function, function.__code__.co_filename)
    assert locator is not None
    assert Path(locator.get_cache_path()).is_relative_to(read_only)


def test_parts_cover_the_whole_once_in_any_number_of_threads() -> None:
    for total, threads in ((0, 1), (1, 4), (7, 1), (7, 3), (8, 8), (3, 5)):
        marks = np.zeros(total, np.int64)

        def mark(marks: Any, low: int, high: int) -> None:
            marks[low:high] += 1

        divided(mark, (marks,), total, threads)
        assert marks.tolist() == [1] * total


def test_an_error_in_a_thread_is_raised() -> None:
    def fail(low: int, high: int) -> None:
        raise OSError(f"{low} .. {high}")

    with pytest.raises(OSError, match="0 .. 2"):
        divided(fail, (), 4, 2)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_floats_are_multiplied_and_added_with_one_rounding_and_divided_unchecked(kind: Any) -> None:
    @numba.njit
    def computed(a, b, c, zero):  # type: ignore[no-untyped-def]
        return fma(a, b, c), quotient(a, b), quotient(a, zero)

    small = kind(np.finfo(kind).eps)
    product, share, infinite = computed(1 + small, 1 - small, kind(-1), kind(0))
    assert product == -small * small  # two roundings would leave 0
    assert share == (1 + small) / (1 - small)
    assert infinite == np.inf


def test_zeros_below_the_lowest_one_are_counted() -> None:
    @numba.njit
    def zeros(word):  # type: ignore[no-untyped-def]
        return trailing_zeros(word)

    assert [zeros(np.uint64(1) << np.uint64(k)) for k in (0, 5, 63)] == [0, 5, 63]
    assert zeros(np.uint64(0b101000)) == 3


@pytest.mark.parametrize("kind", [np.float32, np.float64])
def test_sixteen_rows_become_columns(kind: Any) -> None:
    @numba.njit
    def turn(source, target):  # type: ignore[no-untyped-def]
        transpose16(source, 1, 2, target, 3, 4)

    source = np.arange(18 * 20, dtype=kind).reshape(18, 20)
    target = np.full((20, 21), -1, kind)
    turn(source, target)
    assert np.array_equal(target[3:19, 4:20], source[1:17, 2:18].T)
    target[3:19, 4:20] = -1
    assert (target == -1).all()
