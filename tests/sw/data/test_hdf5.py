"""Damage that the HDF5 library does not refuse by itself, or only after gigabytes; see test_data_shd for the rest."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import numpy as np
import pytest

from data_files import write_recordings
from spikewright.contract.errors import InputError
from spikewright.data import hdf5, isolated
from spikewright.data.info import info

DESCRIPTOR = 16
"""Bytes that stand for a row: its length, and where it is."""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    write_recordings(tmp_path / "file.h5", 8)
    return tmp_path / "file.h5"


@pytest.fixture
def reader() -> Iterator[isolated.Reader]:
    """A new process, which the next file is read by."""
    isolated.close_all()
    reader = isolated.borrow()
    isolated.give_back(reader)
    yield reader
    isolated.close_all()


def refused(path: Path) -> str:
    """What is said of a file, without its name."""
    with pytest.raises(InputError) as error:
        info(path)
    message = str(error.value)
    assert message.startswith(str(path)) and "\n" not in message
    return message.removeprefix(str(path)).removeprefix(": ")


def descriptors(path: Path, name: str) -> int:
    """Where in the file the rows of a data set are described."""
    with h5py.File(path) as file:
        return int(file[name].id.get_offset())


def overwrite(path: Path, at: int, content: bytes) -> None:
    raw = bytearray(path.read_bytes())
    raw[at : at + len(content)] = content
    path.write_bytes(raw)


def peak(reader: isolated.Reader) -> int:
    """Most bytes of memory that the process ever held."""
    status = Path(f"/proc/{reader._process.pid}/status")
    if not status.is_file():
        pytest.skip("needs Linux's /proc, to know what memory a process takes")
    found = re.search(r"VmHWM:\s+(\d+) kB", status.read_text())
    assert found
    return int(found[1]) << 10


@pytest.mark.parametrize("name", ["spikes/times", "spikes/units"])
def test_a_wrong_length_takes_no_gigabytes(file: Path, reader: isolated.Reader, name: str) -> None:
    overwrite(file, descriptors(file, name) + 3 * DESCRIPTOR, (0xFFFFFFF0).to_bytes(4, "little"))
    assert re.search("damaged|entries as", refused(file))
    assert reader.alive
    assert peak(reader) < hdf5.MEMORY + (200 << 20)


def test_a_wrong_heap_size_takes_no_gigabytes(file: Path, reader: isolated.Reader) -> None:
    overwrite(file, file.read_bytes().index(b"GCOL") + 8, (1 << 33).to_bytes(8, "little"))
    assert "damaged" in refused(file)
    assert peak(reader) < hdf5.MEMORY + (200 << 20)


def test_rows_that_share_their_spikes(tmp_path: Path) -> None:
    # A small file with two heap objects that every row points to could hold spikes for hours.
    path, rows = tmp_path / "file.h5", 60_000
    with h5py.File(path, "w") as file:
        for name, kind in (("spikes/times", np.float16), ("spikes/units", np.uint16)):
            file.create_dataset(name, (rows,), dtype=h5py.vlen_dtype(kind))[0] = np.zeros(300, kind)
        file["labels"] = np.zeros(rows, np.uint8)
    for name in ("spikes/times", "spikes/units"):
        at = descriptors(path, name)
        overwrite(path, at, path.read_bytes()[at : at + DESCRIPTOR] * rows)
    assert refused(path) == f"spikes must be {path.stat().st_size} bytes at most, those of the file, not more"


def link_outside(file: h5py.File) -> None:
    del file["labels"]
    file["labels"] = h5py.ExternalLink("other.h5", "labels")


def link_inside(file: h5py.File) -> None:
    file["again"] = file["spikes/units"]
    del file["spikes/units"]
    file["spikes/units"] = h5py.SoftLink("/again")


def link_of_a_group(file: h5py.File) -> None:
    file["others"] = file["spikes"]
    del file["spikes"]
    file["spikes"] = h5py.ExternalLink("other.h5", "others")


def stored_outside(file: h5py.File) -> None:
    del file["labels"]
    file.create_dataset("labels", (8,), "u1", external=[("/dev/zero", 0, 8)])


def virtual(file: h5py.File) -> None:
    del file["labels"]
    layout = h5py.VirtualLayout((8,), "u1")
    layout[:] = h5py.VirtualSource("other.h5", "labels", (8,))
    file.create_virtual_dataset("labels", layout)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (link_outside, "labels must be in the file itself, not behind a link"),
        (link_inside, "spikes/units must be in the file itself, not behind a link"),
        (link_of_a_group, "spikes/times must be in the file itself, not behind a link"),
        (stored_outside, "labels must be in the file itself, not in another one"),
        (virtual, "labels must be in the file itself, not in another one"),
    ],
)
def test_nothing_is_read_from_other_files(file: Path, change: Callable[[h5py.File], None], message: str) -> None:
    os.mkfifo(file.with_name("other.h5"))  # whoever opens it waits for ever
    with h5py.File(file, "a") as content:
        change(content)
    assert refused(file) == message


def test_too_many_names_of_classes(file: Path) -> None:
    with h5py.File(file, "a") as content:
        content["extra/keys"] = np.zeros(hdf5.MAX_KEYS + 1, "S1")
    assert refused(file) == f"extra/keys must be at most {hdf5.MAX_KEYS}, not {hdf5.MAX_KEYS + 1}"
