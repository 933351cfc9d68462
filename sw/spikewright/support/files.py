"""Files that are either complete or absent, and JSON that is checked when it is read.

Every output of Spikewright is written beside its final name and renamed at the end, so that an interrupted command
leaves nothing that looks like a result.
"""

from __future__ import annotations

import codecs
import errno
import hashlib
import json
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from spikewright.contract.errors import InputError

RESULT = "result.json"
"""In the folder of a finished run: what `train` reported."""
DIVERGED = "diverged.json"
"""In the folder of a run that diverged: the message."""
MANIFEST = "manifest.json"
_MADE_BY = {
    "spikewright-checkpoint-1": "a checkpoint by `spikewright train`",
    "spikewright-integer-network-1": "an integer network by `spikewright quantize`",
    "spikewright-foreign-1": "a network of another library by `spikewright import`",
}


def _beside(path: Path, role: str) -> Path:
    """A hidden name in the same folder, hence on the same file system, that keeps the suffix."""
    return path.with_name(f".{path.stem}.{secrets.token_hex(6)}.{role}{path.suffix}")


def _make_parents(path: Path) -> list[Path]:
    """Create the missing parents of `path`; the ones created, innermost first."""
    missing = []
    for parent in path.parents:
        if parent.exists():
            if not parent.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            break
        missing.append(parent)
    path.parent.mkdir(parents=True, exist_ok=True)
    return missing


def _remove_empty(folders: list[Path]) -> None:
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()


def _cannot_write(path: Path, error: OSError) -> InputError:
    return InputError(f"cannot write {path}: {error.strerror or error}")


@contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """A temporary path to write to, which becomes `path` when the block ends, and vanishes if it raises.

    Missing parents are created, and removed again if the block raises. An existing file is replaced. The temporary
    file exists (empty) from the start, so that an output that cannot be written is found out before the work.

    Parameters
    ----------
    path : Path
        Final name of a file.

    Yields
    ------
    Path
        Hidden name in the same folder, with the same suffix.

    Raises
    ------
    InputError
        If `path` is a folder or a device, or its folder cannot be written.
    """
    path = Path(path)
    created: list[Path] = []
    try:
        if path.exists() and not path.is_file():
            raise InputError(f"output {path} must be a file, not a {'folder' if path.is_dir() else 'device'}")
        temporary = _beside(path, "tmp")
        created = _make_parents(path)
        temporary.touch(exist_ok=False)
    except OSError as error:
        _remove_empty(created)
        raise _cannot_write(path, error) from error
    try:
        yield temporary
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        _remove_empty(created)
        raise


def _status(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None


def _is_ours(folder: Path) -> bool:
    """Whether Spikewright may replace a folder: it is missing or empty, or has the manifest of `write_manifest`."""
    while (before := _status(folder)) is not None:
        try:
            if not any(folder.iterdir()) or "spikewright" in read_json(folder / MANIFEST, "manifest"):
                return True
        except FileNotFoundError:
            continue
        except InputError:
            pass
        after = _status(folder)
        # Else another process has just put a new one there.
        if after is not None and os.path.samestat(before, after):
            return False
    return True


@contextmanager
def atomic_dir(path: Path | str) -> Iterator[Path]:
    """A temporary folder to fill, which becomes `path` when the block ends, and vanishes if it raises.

    Missing parents are created, and removed again if the block raises. An existing folder is replaced as a whole if
    it is empty or holds a manifest by `write_manifest`; no other folder is touched.

    Parameters
    ----------
    path : Path
        Final name of a folder.

    Yields
    ------
    Path
        Empty folder beside `path`.

    Raises
    ------
    InputError
        If `path` exists and is not a folder of ours, or cannot be written.
    """
    path = Path(path)
    final = path.resolve()
    created: list[Path] = []
    try:
        status = _status(final)
        if status is not None and not stat.S_ISDIR(status.st_mode):
            raise InputError(f"output {path} must be a folder, not a file")
        if not _is_ours(final):
            raise InputError(f"output {path} must be a new or empty folder or one made by spikewright, not {path}")
        temporary = _beside(final, "tmp")
        created = _make_parents(final)
        temporary.mkdir()
    except OSError as error:
        _remove_empty(created)
        raise _cannot_write(path, error) from error
    try:
        yield temporary
        _replace_folder(temporary, final)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        _remove_empty(created)
        raise


def _replace_folder(temporary: Path, final: Path) -> None:
    # A folder cannot be renamed onto one that has files: move that one aside, and back if something goes wrong. Between
    # any two steps another process may put its folder there, or move it; the last one wins.
    while True:
        try:
            temporary.rename(final)
            return
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
        aside = _beside(final, "old")
        try:
            final.rename(aside)
        except FileNotFoundError:
            continue
        try:
            temporary.rename(final)
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                aside.rename(final)
                raise
        except BaseException:
            aside.rename(final)
            raise
        shutil.rmtree(aside, ignore_errors=True)
        if not temporary.exists():
            return


def write_json(path: Path | str, value: Any) -> None:
    """Write JSON, indented, whole or not at all. NaN and infinity raise ValueError: JSON has none."""
    text = json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False)
    with atomic_path(path) as temporary:
        # What UTF-8 lacks (bytes in the name of a file that are no text) JSON can escape like this.
        temporary.write_text(text + "\n", encoding="utf-8", errors="backslashreplace")


def write_manifest(folder: Path | str, content: dict[str, Any]) -> None:
    """Write `manifest.json` into an output folder, marked as Spikewright's so that `atomic_dir` may replace it."""
    from spikewright import __version__

    write_json(Path(folder) / MANIFEST, {"spikewright": __version__, **content})


_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",  # after UTF-32, whose mark begins like this one
    codecs.BOM_UTF16_BE: "UTF-16",
}


def decode_text(raw: bytes) -> str:
    """Text by anybody, in UTF-8, without the byte order mark that some editors put first.

    Raises
    ------
    ValueError
        If it is in another encoding; says what is known of it.
    """
    for mark, name in _MARKS.items():
        if raw.startswith(mark):
            raise ValueError(f"text in {name}, by its byte order mark, instead of UTF-8")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"byte 0x{raw[error.start]:02x} at {error.start}, which is no UTF-8") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise ValueError(f"key {key!r:.60} twice")
        result[key] = value
    return result


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")) or value != value:
        raise ValueError(f"number {text:.60}")
    return value


def parse_json(text: bytes | str, *, finite: bool = True) -> Any:
    """Value of JSON by anybody; without `finite`, numbers may be infinite or none, which Python writes.

    Raises
    ------
    ValueError
        If it is no JSON in UTF-8, is nested too deeply, has a key twice in one object, or a number that is not finite;
        says so in at most 200 characters.
    """
    try:
        text = decode_text(text) if isinstance(text, bytes) else text
        number = _finite if finite else float
        return json.loads(text, object_pairs_hook=_unique, parse_constant=number, parse_float=number)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"{error!s:.200}") from None


def read_json(path: Path | str, what: str, *, limit: int = 16 << 20, finite: bool = True) -> dict[str, Any]:
    """Read a JSON object written by anybody.

    Parameters
    ----------
    path : Path
    what : str
        What the file is, for error messages: "manifest".
    limit : int
        Largest size in bytes that is read.
    finite : bool
        Refuse numbers that are infinite or none, as JSON does.

    Raises
    ------
    InputError
        If the file cannot be read or is larger than `limit`, is not a JSON object in UTF-8, has a key twice in one
        object, or a number that is not finite.
    """
    path = Path(path)
    try:
        with path.open("rb") as file:
            raw = file.read(limit + 1)
    except OSError as error:
        raise InputError(f"cannot read {what} {path}: {error.strerror or error}") from error
    if len(raw) > limit:
        raise InputError(f"{what} {path} must be at most {limit} bytes, not {path.stat().st_size}")
    try:
        value = parse_json(raw, finite=finite)
    except ValueError as error:
        raise InputError(f"{what} {path} must be JSON, not a file with: {error}") from error
    if not isinstance(value, dict):
        raise InputError(f"{what} {path} must be a JSON object, not {type(value).__name__}")
    return value


def read_manifest(build_dir: Path) -> dict[str, Any]:
    """Manifest of a build folder; InputError if there is none, or it is no JSON object."""
    if not (build_dir / MANIFEST).is_file():
        raise InputError(f"{build_dir} must be a folder by `spikewright generate`, not one without {MANIFEST}")
    return read_json(build_dir / MANIFEST, "manifest")


def check_file(path: Path) -> None:
    """InputError if there is no file of this name."""
    if path.is_dir():
        raise InputError(f"{path} must be a file, not a folder")
    if not path.is_file():
        raise InputError(f"{path}: no such file")


def check_format(path: Path, found: str | None, expected: str) -> None:
    """InputError if the metadata of a file tell of another format, in the words of the commands where these make it."""
    if found == expected:
        return
    if found in _MADE_BY and expected in _MADE_BY:
        raise InputError(f"{path} must be {_MADE_BY[expected]}, not {_MADE_BY[found]}")
    raise InputError(f"{path}: metadata 'format' must be {expected!r}, not {found!r:.60}")


def sha256(path: Path | str) -> str:
    """Hash of a file's content, 64 hexadecimal digits; InputError if it cannot be read."""
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
