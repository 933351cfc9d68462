import os
import time
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import pytest

from spikewright.support import caches
from spikewright_sim.core import kept
from spikewright_sim.core.kept import keep, place

KEY, OTHER = "a" * 64, "b" * 64


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SPIKEWRIGHT_SIMULATIONS", str(tmp_path / "kept"))
    return tmp_path / "kept"


def kept_files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())


def fetch(target: Path, text: str, key: str = KEY, mode: int = 0o755) -> str:
    """What is at `target` afterwards, where it would be made as `text`."""

    def make() -> None:
        target.write_text(text)
        target.chmod(mode)

    keep(key, target, make)
    assert target.stat().st_mode & 0o777 == mode
    return target.read_text()


def test_what_was_made_once_is_copied(tmp_path: Path, folder: Path) -> None:
    assert fetch(tmp_path / "one", "first") == "first"
    assert fetch(tmp_path / "two", "second") == "first"
    assert fetch(tmp_path / "three", "third", OTHER, 0o644) == "third"
    digests = [sha256(text).hexdigest()[:32] for text in (b"first", b"third")]
    names = [f"{32 * key}-{digest}" for key, digest in zip("ab", digests, strict=True)]
    assert [file.name for file in kept_files(folder)] == names
    assert folder.stat().st_mode & 0o777 == 0o700


def test_the_users_cache_is_the_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SPIKEWRIGHT_SIMULATIONS")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert place() == tmp_path / "cache" / "spikewright" / "simulations"
    monkeypatch.setattr(caches, "bases", lambda: iter(()))
    assert place() is None


def test_nothing_is_kept_if_so_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPIKEWRIGHT_SIMULATIONS", "")
    assert place() is None
    assert fetch(tmp_path / "one", "first") == "first"
    assert fetch(tmp_path / "one", "second") == "second"


def test_what_others_can_write_is_not_used(tmp_path: Path, folder: Path) -> None:
    folder.mkdir()
    folder.chmod(0o777)
    assert fetch(tmp_path / "one", "first") == "first"
    assert not kept_files(folder)


def test_a_damaged_file_is_made_again(tmp_path: Path, folder: Path) -> None:
    fetch(tmp_path / "one", "first")
    kept_files(folder)[0].write_text("fi")
    assert fetch(tmp_path / "two", "first") == "first"
    assert fetch(tmp_path / "three", "second") == "first"


def test_what_cannot_be_made_is_not_kept(tmp_path: Path, folder: Path) -> None:
    def fails() -> None:
        (tmp_path / "one").write_text("half")
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        keep(KEY, tmp_path / "one", fails)
    assert not kept_files(folder)


def test_a_full_disk_changes_nothing(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(kept.shutil, "copy", full)
    assert fetch(tmp_path / "one", "first") == "first"
    assert not kept_files(folder)


def test_what_was_not_used_for_longest_goes_first(
    tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "ROOM", 250)
    for age, key in enumerate("abc"):
        fetch(tmp_path / key, 100 * key, 64 * key)
        for file in folder.glob(f"{key}*"):
            os.utime(file, (age, age))
        if key == "b":
            fetch(tmp_path / "again", "other", 64 * "a")
    assert [file.name[0] for file in kept_files(folder)] == ["a", "c"]


def test_of_several_at_once_one_makes_it(tmp_path: Path) -> None:
    made = []

    def fetch_slowly(number: int) -> str:
        target = tmp_path / str(number)

        def make() -> None:
            made.append(number)
            time.sleep(0.05)
            target.write_text("slow")

        keep(KEY, target, make)
        return target.read_text()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(fetch_slowly, range(8))) == 8 * ["slow"]
    assert len(made) == 1
