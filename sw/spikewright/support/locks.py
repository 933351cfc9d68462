"""Folders that one process at a time may fill."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from spikewright.contract.errors import InputError
from spikewright.support.interrupts import uninterrupted

LOCK = ".lock"
"""File in a folder that is being filled; gone when it is not."""

_ATTEMPTS = 100
_RETRY_SECONDS = 0.2


@contextmanager
def locked(folder: Path | str, doing: str, patience: float = 0.0) -> Iterator[None]:
    """Keep other processes out of a folder during the block; the kernel unlocks it when the process ends, however.

    Parameters
    ----------
    folder : Path
        Created if missing, and removed again if it is empty at the end.
    doing : str
        What another process does there, for the message: "trains".
    patience : float
        Seconds to wait for the other process to end.

    Raises
    ------
    InputError
        If another process has the lock, or the folder cannot be written.
    """
    folder = Path(folder)
    created = [path for path in (folder, *folder.parents) if not path.exists()]
    held: list[BinaryIO] = []
    try:
        try:
            _take_patiently(folder, doing, patience, held)
        except OSError as error:
            raise InputError(f"cannot write {folder}: {error.strerror or error}") from error
        yield
    finally:
        with uninterrupted(), suppress(OSError):
            for file in held:
                # While it is still ours: whoever opened this file meanwhile will see that it is no longer the lock.
                with file, suppress(OSError):
                    (folder / LOCK).unlink()
            for path in created:
                path.rmdir()


@contextmanager
def in_turn(file: Path) -> Iterator[None]:
    """Wait until no other process or thread is in a block with the same lock file, which is gone afterwards.

    Where there are no locks, or the file cannot be written, nobody waits: what the block does has to be right anyway.
    """
    lock = _wait_for(file)
    try:
        yield
    finally:
        if lock is not None:
            with lock, suppress(OSError):
                file.unlink()


def _wait_for(file: Path) -> BinaryIO | None:
    while True:
        try:
            lock = file.open("ab")
        except OSError:
            return None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if os.path.samestat(os.fstat(lock.fileno()), file.stat()):
                return lock
        except FileNotFoundError:  # who had it has just removed it
            pass
        except OSError:
            lock.close()
            return None
        except BaseException:
            lock.close()
            raise
        lock.close()


class _InUse(InputError):
    """Another process has the lock."""


def _take_patiently(folder: Path, doing: str, patience: float, held: list[BinaryIO]) -> None:
    """Put the lock into `held`: a lock that is returned would be lost to a signal on the way."""
    deadline = time.monotonic() + patience
    while True:
        try:
            with uninterrupted():
                held.append(_take(folder, doing))
            return
        except _InUse:
            if time.monotonic() >= deadline:
                raise
            time.sleep(_RETRY_SECONDS)


def _take(folder: Path, doing: str) -> BinaryIO:
    for attempts_left in reversed(range(_ATTEMPTS)):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            file = (folder / LOCK).open("ab")
        except (FileExistsError, FileNotFoundError):  # another process may just have removed the empty folder
            if not attempts_left:
                raise
            continue
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise _InUse(f"{folder} must not be in use, but another process {doing} there") from None
        except OSError as error:
            # Not every file system has locks; nobody can be kept out there.
            if error.errno not in (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP):
                file.close()
                raise
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file.fileno()), (folder / LOCK).stat()):
                return file
        file.close()
    raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))
