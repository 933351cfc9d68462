"""Compiled files that are kept for the next time, by a hash of everything that decides what they are.

They lie in the user's cache (`spikewright/simulations` in `XDG_CACHE_HOME`), or where the environment variable
SPIKEWRIGHT_SIMULATIONS says; if that is empty, nothing is kept. As they are programs, a folder is only used if it is
this user's, and nobody else's to write; and each file has the hash of its contents in its name. The oldest go first.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import nullcontext, suppress
from pathlib import Path

from spikewright.contract.errors import InputError
from spikewright.support.caches import is_private, private_folder
from spikewright.support.files import atomic_path, sha256
from spikewright.support.locks import in_turn

PLACE = "SPIKEWRIGHT_SIMULATIONS"
ROOM = 256 << 20
"""Bytes that are kept; a core of full size has 5 MB."""
DIGITS = 32


def place() -> Path | None:
    """The folder in which files are kept, made if missing; None if there is none."""
    named = os.environ.get(PLACE)
    if named is None:
        return private_folder("simulations")
    return folder if named and is_private(folder := Path(named).absolute()) else None


def keep(key: str, target: Path, make: Callable[[], object]) -> None:
    """Put the file that is kept under a key at `target`, or have `make` make it there, and keep it.

    Of several processes, threads or users of a shared home that want the same file at once, one makes it. A cache that
    is full or cannot be written changes nothing but the time that this takes.

    Parameters
    ----------
    key : str
        Hexadecimal digits, a hash of at least 32 of them.
    target : Path
        In an existing folder.
    make : callable
        Makes `target`; what it raises is passed on, and nothing is kept.
    """
    folder = place()
    name = key[:DIGITS]
    with nullcontext() if folder is None else in_turn(folder / f".{name}.lock"):
        if folder is not None and _take(folder, name, target):
            return
        make()
        if folder is not None:
            with suppress(OSError, InputError):
                with atomic_path(folder / f"{name}-{sha256(target)[:DIGITS]}") as part:
                    shutil.copy(target, part)
                _make_room(folder)


def _take(folder: Path, name: str, target: Path) -> bool:
    """Copy what is kept under a name, if its contents are still those that were kept."""
    for file in folder.glob(f"{name}-*"):
        with suppress(OSError, InputError):
            shutil.copy(file, target)
            if sha256(target).startswith(file.name.removeprefix(f"{name}-")):
                os.utime(file)
                return True
            file.unlink()
    return False


def _make_room(folder: Path) -> None:
    """Remove what was not used for longest, and with it what processes that were killed left behind."""
    files = sorted(((file.stat(), file) for file in folder.iterdir()), key=lambda item: item[0].st_mtime, reverse=True)
    total = 0
    for status, file in files:
        total += status.st_size
        if total > ROOM:
            file.unlink(missing_ok=True)
