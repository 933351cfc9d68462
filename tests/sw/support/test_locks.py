import errno
import fcntl
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from spikewright.contract.errors import InputError
from spikewright.support.locks import LOCK, in_turn, locked


def refused(folder: Path) -> str:
    with pytest.raises(InputError) as error, locked(folder, "trains"):
        pass
    return str(error.value)


def test_one_at_a_time(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with locked(folder, "trains"):
        assert refused(folder) == f"{folder} must not be in use, but another process trains there"
        (folder / "log").touch()
    with locked(folder, "trains"):
        pass
    assert [path.name for path in folder.iterdir()] == ["log"]


def test_who_has_patience_gets_the_folder_when_it_is_left(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    left = threading.Event()

    def wait() -> None:
        with locked(folder, "trains", patience=60):
            assert left.is_set()
            (folder / "log").touch()

    with locked(folder, "trains"):
        with pytest.raises(InputError, match="another process trains there"), locked(folder, "trains", patience=0.3):
            pass
        thread = threading.Thread(target=wait)
        thread.start()
        left.set()
    thread.join(60)
    assert (folder / "log").exists()


def test_folders_that_stay_empty_are_removed(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), locked(tmp_path / "a" / "b", "trains"):
        _ = 1 / 0
    assert list(tmp_path.iterdir()) == []


def test_a_killed_process_has_no_lock(tmp_path: Path) -> None:
    code = (
        f"from spikewright.support.locks import *\nwith locked({str(tmp_path)!r}, 'trains'): __import__('os')._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 9
    assert (tmp_path / LOCK).exists()
    with locked(tmp_path, "trains"):
        pass


def test_a_lock_that_was_removed_meanwhile_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flock = fcntl.flock

    def remove_first(file: object, how: int) -> None:
        monkeypatch.setattr(fcntl, "flock", flock)
        (tmp_path / LOCK).unlink()  # as another process that has just finished
        flock(file, how)  # type: ignore[arg-type]

    monkeypatch.setattr(fcntl, "flock", remove_first)
    with locked(tmp_path, "trains"):
        assert refused(tmp_path).endswith("another process trains there")


def test_many_threads_never_meet(tmp_path: Path) -> None:
    inside = 0
    most = 0
    entered = 0

    def work() -> None:
        nonlocal inside, most, entered
        for _ in range(50):
            try:
                with locked(tmp_path / "run", "trains"):
                    inside += 1
                    entered += 1
                    most = max(most, inside)
                    inside -= 1
            except InputError as error:
                assert "must not be in use" in str(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1
    assert entered > 0


def test_a_file_system_without_locks_keeps_nobody_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(file: object, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with locked(tmp_path, "trains"):
        pass


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert refused(tmp_path / "file") == f"cannot write {tmp_path / 'file'}: File exists"


def test_in_turn_the_second_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = most = entered = 0

    def work() -> None:
        nonlocal inside, most, entered
        for _ in range(50):
            with in_turn(tmp_path / "lock"):
                inside += 1
                entered += 1
                most = max(most, inside)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (entered, most) == (200, 1)
    assert list(tmp_path.iterdir()) == []

    def no_locks(file: object, how: int) -> None:
        raise OSError(errno.ENOLCK, "no locks available")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    for file in (tmp_path / "lock", Path("/proc/nope/lock")):
        with in_turn(file), in_turn(file):
            pass
