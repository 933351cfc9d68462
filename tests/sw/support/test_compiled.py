import importlib.util
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from numba.core import caching

from spikewright.support import caches
from spikewright.support.compiled import _Locator, compiled


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
