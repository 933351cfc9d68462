import os
import tempfile
from pathlib import Path

import pytest

from spikewright.support import caches
from spikewright.support.caches import (
    bases,
    cache_base,
    cache_folder,
    place_beside,
    private_folder,
    temporary_folder,
    writable,
)

NOWHERE = "/proc/nope"
"""Nobody makes it, not even root."""
MINE = f"spikewright-{os.getuid()}"


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A home and a folder for temporary files, `home` and `tmp`."""
    for name in ("home", "tmp"):
        (tmp_path / name).mkdir()
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.setattr(caches, "SHARED_MEMORY", Path(NOWHERE))


def test_a_cache_is_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_folder("x") == tmp_path / "home" / ".cache" / "spikewright" / "x"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder("x") == tmp_path / "xdg" / "spikewright" / "x"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    assert cache_folder("x") == tmp_path / "home" / ".cache" / "spikewright" / "x"


@pytest.mark.parametrize("home", [NOWHERE, "/proc", "relative"])
def test_without_a_home_it_is_a_temporary_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, home: str) -> None:
    monkeypatch.setenv("HOME", home)
    folder = cache_folder("x")
    assert folder == tmp_path / "tmp" / MINE / "spikewright" / "x"
    assert (tmp_path / "tmp" / MINE).stat().st_mode & 0o777 == 0o700
    assert cache_folder("x") == folder, "stays"


def test_a_full_home_keeps_no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = caches.shutil.disk_usage(tmp_path)
    monkeypatch.setattr(
        caches.shutil, "disk_usage", lambda path: free._replace(free=0) if Path(path).is_relative_to(home) else free
    )
    home = tmp_path / "home"
    assert cache_folder("x") == tmp_path / "tmp" / MINE / "spikewright" / "x"


@pytest.mark.parametrize("how", ["open", "link"])
def test_a_temporary_cache_that_others_can_write_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setenv("HOME", NOWHERE)
    if how == "open":
        (tmp_path / "tmp" / MINE).mkdir()
        (tmp_path / "tmp" / MINE).chmod(0o777)
    else:
        (tmp_path / "else").mkdir(mode=0o700)
        (tmp_path / "tmp" / MINE).symlink_to(tmp_path / "else")
    assert cache_folder("x") is None


def test_the_current_folder_gets_no_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", NOWHERE)
    monkeypatch.chdir(tmp_path / "tmp")
    assert list(bases()) == []
    assert cache_folder("x") is None
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_part_of_somebody_elses_makes_a_base_unusable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    foreign = tmp_path / "home" / ".cache" / "tool" / "foreign"
    foreign.mkdir(parents=True)
    assert cache_base("tool") == tmp_path / "home" / ".cache"
    monkeypatch.setattr(caches, "writable", lambda folder: folder != foreign and writable(folder))
    assert cache_base("tool") == tmp_path / "tmp" / MINE
    assert cache_base("other") == tmp_path / "home" / ".cache"


def test_what_is_made_of_a_read_only_folder_is_kept_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert place_beside(tmp_path) == tmp_path
    read_only = Path("/proc/sys")
    place = place_beside(read_only)
    assert place.parent == tmp_path / "home" / ".cache" / "spikewright"
    assert place == place_beside(read_only)
    assert place != place_beside(Path("/proc/fs"))
    monkeypatch.setattr(caches, "bases", lambda: iter(()))
    for_now = place_beside(read_only)
    assert for_now.parent == tmp_path / "tmp"
    assert for_now == place_beside(read_only)


def test_a_temporary_folder_is_beside_the_work_where_there_is_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with temporary_folder(tmp_path / "home") as folder:
        assert folder.parent == tmp_path / "tmp"

    def none() -> str:
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", none)
    with temporary_folder(tmp_path / "home") as folder:
        assert folder.parent == tmp_path / "home"
    assert list((tmp_path / "home").iterdir()) == []


def test_a_folder_for_programs_is_the_users_alone(tmp_path: Path) -> None:
    folder = tmp_path / "home" / ".cache" / "spikewright" / "x"
    assert private_folder("x") == folder
    assert folder.stat().st_mode & 0o777 == 0o700
    folder.chmod(0o775)
    assert private_folder("x") == tmp_path / "tmp" / MINE / "spikewright" / "x"
