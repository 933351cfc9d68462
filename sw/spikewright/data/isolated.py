"""HDF5 files read in a process of its own, which a damaged file may crash, hang or bloat without any harm.

The process (`hdf5.py`) is started with the first file and kept for the next ones. It takes at most half a gigabyte
more than 16 times the size of the file, and is given up if it does not answer in time.
"""

from __future__ import annotations

import atexit
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spikewright.contract.errors import InputError

SCRIPT = Path(__file__).with_name("hdf5.py")

PATIENCE = 60
"""Seconds of silence, and of a processor's time, after which a request is given up."""

Array = npt.NDArray[Any]


class Damaged(Exception):
    """What the library, or its end, says of a file that it cannot read."""


class Refused(Exception):
    """What is wrong with the structure of the file."""


class Busy(Exception):
    """Who uses the file."""


class Reader:
    """A process that reads one file at a time.

    Raises
    ------
    RuntimeError
        If the process does not start.
    """

    def __init__(self) -> None:
        # -P: no module is taken from the current folder. No plugin filters: they are code.
        quiet = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "HDF5_PLUGIN_PRELOAD": "::"}
        self._process = subprocess.Popen(
            [sys.executable, "-P", str(SCRIPT)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **quiet},
            start_new_session=True,  # an interrupt at the keyboard is for the command, which then ends this process
        )
        self._owner = os.getpid()
        try:
            self._receive()
        except Damaged as error:
            raise RuntimeError(f"{sys.executable} {SCRIPT} must start, not end: {error}") from None

    @property
    def alive(self) -> bool:
        """Whether it can be asked by this process."""
        return self._owner == os.getpid() and self._process.poll() is None

    def open(self, path: Path) -> tuple[dict[str, Any], list[Array]]:
        """Check the structure of a file: `samples` and `keys`; labels and, where it has them, speakers."""
        return self._ask({"open": str(path.resolve())})

    def rows(self, rows: list[int]) -> list[Array]:
        """Of these rows of the file: numbers of times and of units, and all times and units, back to back."""
        return self._ask({"rows": rows})[1]

    def tree(self, path: Path) -> dict[str, Any]:
        """Everything in a file: each group a dict by name; each data set an array, or a text or a nested list of them.

        Links, references, compound types and more than the file can hold are refused.
        """
        answer, arrays = self._ask({"tree": str(path.resolve())})
        return {name: _value(item, arrays) for name, item in answer["tree"].items()}

    def release(self) -> None:
        """Close the file, so that others may write it."""
        self._ask({"close": True})

    def close(self) -> None:
        """End the process."""
        process = self._process
        if self._owner == os.getpid():
            process.kill()
            process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with suppress(OSError):
                    stream.close()

    def _ask(self, request: dict[str, Any]) -> tuple[dict[str, Any], list[Array]]:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps({**request, "seconds": PATIENCE}).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise self._ended() from None
        try:
            answer, arrays = self._receive()
        except BaseException:
            self.close()  # half an answer is no beginning of the next one
            raise
        if "busy" in answer:
            raise Busy(answer["busy"])
        if "refused" in answer:
            raise Refused(answer["refused"])
        if "error" in answer:
            raise Damaged(answer["error"])
        return answer, arrays

    def _receive(self) -> tuple[dict[str, Any], list[Array]]:
        deadline = time.monotonic() + PATIENCE
        size = int.from_bytes(self._read(8, deadline), "little")
        answer: dict[str, Any] = json.loads(self._read(size, deadline))
        arrays = []
        for kind, length in answer.pop("arrays"):
            dtype = np.dtype(kind)
            arrays.append(np.frombuffer(self._read(length * dtype.itemsize, deadline), dtype))
        return answer, arrays

    def _read(self, size: int, deadline: float) -> bytearray:
        assert self._process.stdout is not None
        source = self._process.stdout.fileno()
        content = bytearray()
        while len(content) < size:
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([source], [], [], left)[0]:
                self.close()
                raise Damaged(f"reading takes longer than {PATIENCE} s")
            part = os.read(source, min(size - len(content), 1 << 20))
            if not part:
                raise self._ended()
            content += part
        return content

    def _ended(self) -> Damaged:
        status = self._process.wait()
        self.close()
        reason = signal.Signals(-status).name if status < 0 else f"status {status}"
        return Damaged(f"the HDF5 library crashed, {reason}")


def _value(item: dict[str, Any], arrays: list[Array]) -> Any:
    if "group" in item:
        return {name: _value(inner, arrays) for name, inner in item["group"].items()}
    if "texts" in item:
        return np.array(item["texts"], object).reshape(item["shape"]).tolist()
    return arrays[item["array"]].reshape(item["shape"])


_idle: list[Reader] = []


def borrow() -> Reader:
    """A reader that nobody uses; `give_back` it."""
    while _idle:
        reader = _idle.pop()
        if reader.alive:
            return reader
        reader.close()
    return Reader()


def give_back(reader: Reader) -> None:
    """Keep a reader for the next file, without the present one."""
    if reader.alive:
        with suppress(Damaged):  # then it has ended
            reader.release()
    if reader.alive:
        _idle.append(reader)
    else:
        reader.close()


@contextmanager
def reading(path: Path, what: str) -> Iterator[Reader]:
    """A reader for a file that is to be `what`, a kind of HDF5 file; what goes wrong is an InputError of one line.

    Raises
    ------
    InputError
        The file is missing, in use, truncated, not HDF5, or not what it should be; names the file and the field.
    """
    try:
        if not path.is_file():
            found = "a folder" if path.is_dir() else "a device" if path.exists() else "missing"
            raise InputError(f"{path} must be {what}, not {found}")
        path.open("rb").close()  # what the system refuses is no damage
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    reader = borrow()
    try:
        yield reader
    except Refused as error:
        raise InputError(f"{path}: {error}") from None
    except Busy as error:
        raise InputError(f"{path} must not be in use, but {error}") from None
    except Damaged as error:
        raise InputError(f"{path} must be a complete HDF5 file, not a damaged or different one ({error})") from None
    finally:
        give_back(reader)


@atexit.register
def close_all() -> None:
    """End the readers that nobody uses."""
    while _idle:
        _idle.pop().close()
