"""Where caches go: a folder of the user's, else a temporary one that stays between runs, else none.

An installation may be read-only, a home missing, unwritable or full: no command needs any of them.
"""

from __future__ import annotations

import atexit
import hashlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

ROOM_FOR_TOOLS = 256 << 20
"""Free bytes below which a file system is too full: a tool of WebAssembly is 100 MB of machine code."""
ROOM = 16 << 20
SHARED_MEMORY = Path("/dev/shm")
"""Can be written where all else is read-only, as in a container."""


def writable(folder: Path) -> bool:
    """Whether files can be made in a folder; tried, as permissions do not tell of read-only file systems."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return True
    except OSError:
        return False


def bases() -> Iterator[Path]:
    """Folders for caches: the user's, then temporary ones of this user's alone. Whether they can be written is open."""
    with suppress(RuntimeError):  # Nobody knows where the home is.
        if (base := _of_user()) is not None:
            yield base
    temporary = [SHARED_MEMORY]
    with suppress(OSError):
        # The last resort of `tempfile` is the current folder, where nobody wants to find a cache.
        if (folder := Path(tempfile.gettempdir())) != Path.cwd():
            temporary.insert(0, folder)
    for folder in temporary:
        if is_private(base := folder / f"spikewright-{os.getuid()}"):
            yield base


def cache_base(*tools: str) -> Path | None:
    """Folder for the caches of foreign tools (`XDG_CACHE_HOME`), where all of what these keep there is writable."""
    return next((base for base in bases() if all(_usable_throughout(base / tool) for tool in tools)), None)


def cache_folder(name: str) -> Path | None:
    """Folder for a cache of ours, or None where nothing can be kept."""
    return next((folder for base in bases() if _usable(folder := base / "spikewright" / name, ROOM)), None)


def private_folder(name: str) -> Path | None:
    """Folder for a cache of programs of ours, which only this user can write; None where nothing can be kept."""
    for base in bases():
        folder = base / "spikewright" / name
        with suppress(OSError):
            folder.parent.mkdir(parents=True, exist_ok=True)
            if is_private(folder) and _usable(folder, ROOM):
                return folder
    return None


def is_private(base: Path) -> bool:
    """Whether a folder, made if missing, is for this user alone to write: caches are code."""
    try:
        base.mkdir(mode=0o700, exist_ok=True)
        found = base.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022


@contextmanager
def temporary_folder(beside: Path) -> Iterator[Path]:
    """A folder that vanishes after the block; in `beside` where no place for temporary files can be written."""
    try:
        tempfile.gettempdir()
        where = None
    except OSError:
        where = beside
    with tempfile.TemporaryDirectory(prefix=".spikewright-" if where else "spikewright-", dir=where) as name:
        yield Path(name)


_temporary: dict[Path, Path] = {}


def place_beside(folder: Path) -> Path:
    """Where what is made of a folder is kept: in it, or in a cache if it is read-only; for this process, if all is.

    Raises
    ------
    OSError
        If there is no folder for temporary files either.
    """
    if writable(folder):
        return folder
    folder = folder.resolve()
    name = f"{folder.name}-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:16]}"
    kept = cache_folder(name)
    if kept is not None:
        return kept
    if folder not in _temporary:
        _temporary[folder] = Path(tempfile.mkdtemp(prefix="spikewright-"))
        atexit.register(shutil.rmtree, _temporary[folder], ignore_errors=True)
    return _temporary[folder]


def _of_user() -> Path | None:
    """The user's folder for caches, by the rules of freedesktop.org; a home that does not exist is not made."""
    named = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if named.is_absolute():
        return named
    home = Path.home()
    return home / ".cache" if home.is_absolute() and home.is_dir() else None


def _usable(folder: Path, room: int) -> bool:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return writable(folder) and shutil.disk_usage(folder).free >= room
    except OSError:
        return False


def _usable_throughout(folder: Path) -> bool:
    """Somebody who once ran a tool as another user has folders of that one's in the cache."""
    return _usable(folder, ROOM_FOR_TOOLS) and all(writable(Path(name)) for name, _, _ in os.walk(folder))
