import fcntl
import os
import shutil
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from data_files import write_recordings
from spikewright.contract.errors import InputError
from spikewright.data import isolated
from spikewright.data.shd import load, open_file


@pytest.fixture
def reader() -> Iterator[isolated.Reader]:
    """The process that the next file will be read by."""
    isolated.close_all()
    reader = isolated.borrow()
    isolated.give_back(reader)
    yield reader
    isolated.close_all()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    write_recordings(tmp_path / "file.h5", 4)
    return tmp_path / "file.h5"


def test_the_process_is_kept_for_the_next_file(reader: isolated.Reader, file: Path) -> None:
    assert len(load(file)) == 4
    assert len(load(file)) == 4
    assert reader.alive
    assert isolated.borrow() is reader
    reader.close()
    assert not reader.alive


def test_a_crash_is_damage_and_the_next_file_gets_another_process(reader: isolated.Reader, file: Path) -> None:
    other = isolated.borrow()
    assert other is reader
    _, (labels, _) = reader.open(file)
    assert labels.tolist() == [0, 1, 2, 3]
    os.kill(reader._process.pid, signal.SIGSEGV)
    with pytest.raises(isolated.Damaged, match=r"^the HDF5 library crashed, SIGSEGV$"):
        reader.rows([0])
    isolated.give_back(reader)
    assert len(load(file)) == 4


def test_a_hang_is_damage(reader: isolated.Reader, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolated, "PATIENCE", 0.2)
    os.kill(reader._process.pid, signal.SIGSTOP)
    with pytest.raises(InputError) as error:
        load(file)
    assert str(error.value) == (
        f"{file} must be a complete HDF5 file, not a damaged or different one (reading takes longer than 0.2 s)"
    )
    assert not reader.alive


def test_two_files_at_once(file: Path) -> None:
    one, other = isolated.borrow(), isolated.borrow()
    assert one is not other
    for reader in (one, other):
        assert reader.open(file)[0]["samples"] == 4
        isolated.give_back(reader)
    isolated.close_all()
    assert not one.alive and not other.alive


def test_a_process_that_does_not_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    isolated.close_all()
    script = tmp_path / "script.py"
    script.write_text("raise SystemExit(3)\n")
    monkeypatch.setattr(isolated, "SCRIPT", script)
    with pytest.raises(RuntimeError, match=rf"{script} must start, not end: the HDF5 library crashed, status 3$"):
        isolated.borrow()


def test_modules_of_the_current_folder_are_not_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    isolated.close_all()
    (tmp_path / "h5py.py").write_text("raise SystemExit('run by mistake')\n")
    monkeypatch.chdir(tmp_path)
    reader = isolated.borrow()
    assert reader.alive
    reader.close()


def in_use(path: Path) -> str:
    """What is said of a file that cannot be read now."""
    with pytest.raises(InputError) as error:
        load(path)
    return str(error.value)


def may_be_written(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def test_a_file_may_be_written_when_it_has_been_read(reader: isolated.Reader, file: Path) -> None:
    with open_file(file):
        assert not may_be_written(file)
    assert reader.alive
    with h5py.File(file, "a") as mine:
        mine.attrs["source"] = "mine"


def test_a_file_that_is_refused_may_be_written(reader: isolated.Reader, file: Path) -> None:
    with h5py.File(file, "a") as mine:
        del mine["labels"]
    with pytest.raises(InputError, match="labels must be a data set"):
        load(file)
    assert reader.alive
    assert may_be_written(file)


def test_a_file_that_is_being_written_is_in_use(reader: isolated.Reader, file: Path) -> None:
    with h5py.File(file, "a"):
        said = in_use(file)
    assert said == f"{file} must not be in use, but another program has it open for writing"
    assert len(load(file)) == 4


def test_a_file_that_is_marked_as_open_is_not_called_damaged(file: Path, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "open.h5", "w", libver="latest") as mine:
        mine["labels"] = np.arange(4)
        mine.flush()
        shutil.copy(tmp_path / "open.h5", tmp_path / "left.h5")
    assert in_use(tmp_path / "left.h5") == (
        f"{tmp_path / 'left.h5'} must not be in use, but it is marked as open for writing; if no program has it open, "
        "`h5clear -s` takes the mark off"
    )


def test_a_file_that_may_not_be_read_is_not_called_damaged(
    reader: isolated.Reader, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, mode: str) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)  # as the tests may run as root, who may read everything
    assert in_use(file) == f"cannot read {file}: Permission denied"


def test_an_interrupted_answer_is_not_taken_for_the_next(reader: isolated.Reader, file: Path) -> None:
    with pytest.raises(KeyboardInterrupt), open_file(file) as opened:
        os.kill(reader._process.pid, signal.SIGSTOP)
        threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)).start()
        opened._reader.rows([0])
    assert not reader.alive
    assert len(load(file)) == 4


def test_a_whole_tree_is_read(tmp_path: Path) -> None:
    path = tmp_path / "tree.h5"
    with h5py.File(path, "w") as file:
        file["text"] = "one"
        file["inner/texts"] = ["two", "three"]
        file["inner/numbers"] = np.arange(6, dtype=">f4").reshape(2, 3)
        file["inner/yes"] = np.array([True, False])
        file["empty"] = np.zeros((0, 2))
        file.create_group("nothing")
    with isolated.reading(path, "a tree") as reader:
        tree = reader.tree(path)
    assert sorted(tree) == ["empty", "inner", "nothing", "text"]
    assert (tree["text"], tree["nothing"], tree["empty"].shape) == ("one", {}, (0, 2))
    assert tree["inner"]["texts"] == ["two", "three"]
    assert tree["inner"]["numbers"].tolist() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    assert tree["inner"]["yes"].tolist() == [1, 0]


def test_a_file_that_is_no_tree_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="must be a tree, not a folder"), isolated.reading(tmp_path, "a tree"):
        pass
    path = tmp_path / "tree.h5"
    with h5py.File(path, "w") as file:
        file["ninth"] = np.zeros((1,) * 9)
    refused = pytest.raises(InputError, match="ninth must have at most 8 dimensions, not 9")
    with refused, isolated.reading(path, "a tree") as reader:
        reader.tree(path)
