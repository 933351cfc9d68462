"""Downloads of the published data sets: resumable, verified, and complete or absent.

A file arrives under its name with `.part` at the end, which the next call continues where the last one was cut off.
Its MD5 sum is compared before anything becomes of it; then it is unpacked beside its final name and renamed.
"""

from __future__ import annotations

import hashlib
import http.client
import shutil
import time
import urllib.error
import urllib.request
import zipfile
import zlib
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikewright import __version__
from spikewright.contract.errors import CheckFailed, InputError
from spikewright.support.files import atomic_path
from spikewright.support.locks import locked
from spikewright.support.progress import bar

_CHUNK = 1 << 20
_TIMEOUT_SECONDS = 30.0
_ATTEMPTS = 4
_PAUSE_SECONDS = 1.0  # before the second attempt; doubles


@dataclass(frozen=True)
class Published:
    """A file as it is published.

    Parameters
    ----------
    name : str
        At the address of its data set.
    md5 : str
        Checksum of the file as it is downloaded.
    member : str, optional
        The one file of a ZIP archive that is wanted; None where the file is kept as it is.
    """

    name: str
    md5: str
    member: str | None = None

    @property
    def final(self) -> str:
        """Name in the data folder."""
        return self.member or self.name


@dataclass(frozen=True)
class Source:
    """A data set: its official address, and its files."""

    url: str
    files: tuple[Published, ...]


_HEIDELBERG = "https://zenkelab.org/datasets/"

# Sums as the readers of Tonic and SpikingJelly (SHD, SSC) and of torchvision (MNIST) have them.
SOURCES = {
    "shd": Source(
        _HEIDELBERG,
        (
            Published("shd_train.h5.zip", "f3252aeb598ac776c1b526422d90eecb", "shd_train.h5"),
            Published("shd_test.h5.zip", "1503a5064faa34311c398fb0a1ed0a6f", "shd_test.h5"),
        ),
    ),
    "ssc": Source(
        _HEIDELBERG,
        (
            Published("ssc_train.h5.zip", "d102be95e7144fcc0553d1f45ba94170", "ssc_train.h5"),
            Published("ssc_valid.h5.zip", "b4eee3516a4a90dd0c71a6ac23a8ae43", "ssc_valid.h5"),
            Published("ssc_test.h5.zip", "a35ff1e9cffdd02a20eb850c17c37748", "ssc_test.h5"),
        ),
    ),
    "mnist": Source(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        (
            Published("train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"),
            Published("train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432"),
            Published("t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3"),
            Published("t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c"),
        ),
    ),
}


def fetch(
    name: str, out_dir: Path | str, url: str | None = None, *, progress: Callable[[str], None] | None = None
) -> dict[str, Any]:
    """Download the files of a data set that are not there yet.

    Parameters
    ----------
    name : str
        One of `SOURCES`.
    out_dir : Path
        Folder for the files; created if missing.
    url : str, optional
        Another place that has the same files under the same names: an http, https or file address of a folder.
    progress : callable, optional
        Gets a line for every file.

    Returns
    -------
    dict
        JSON-ready: data set, url, folder, and files: for each final name, bytes and status ("fetched", "resumed" or
        "kept", for one that was there).

    Raises
    ------
    InputError
        If there is no such data set or address, the server does not answer or has not the file, the connection keeps
        breaking, or another process downloads into the folder. What has arrived stays, as a `.part` file.
    CheckFailed
        If a file is not the published one. It is removed.
    """
    if name not in SOURCES:
        raise InputError(f"data set must be one of {', '.join(SOURCES)}, not {name}")
    source = SOURCES[name]
    base = url or source.url
    if not base.startswith(("http://", "https://", "file://")):
        raise InputError(f"url must start with http://, https:// or file://, not {base}")
    base = base if base.endswith("/") else f"{base}/"
    out_dir = Path(out_dir)
    if out_dir.exists() and not out_dir.is_dir():
        raise InputError(f"output {out_dir} must be a folder, not a file")
    files: dict[str, Any] = {}
    missing = [published for published in source.files if not (out_dir / published.final).is_file()]
    with locked(out_dir, "downloads") if missing else nullcontext():
        for published in source.files:
            final = out_dir / published.final
            status = "kept" if final.is_file() else _fetch_file(base + published.name, published, final)
            files[published.final] = {"bytes": final.stat().st_size, "status": status}
            if progress is not None:
                progress(f"{final}: {status}, {final.stat().st_size:,} bytes")
    return {"data_set": name, "url": base, "folder": str(out_dir), "files": files}


def _fetch_file(url: str, published: Published, final: Path) -> str:
    part = final.with_name(f"{published.name}.part")
    resumed = part.is_file() and part.stat().st_size > 0
    _download(url, part)
    with part.open("rb") as file:
        found = hashlib.file_digest(file, "md5").hexdigest()
    if found != published.md5:
        part.unlink()
        raise CheckFailed(f"{url} must have the MD5 sum {published.md5}, not {found}: it is not the published file")
    if published.member is None:
        part.replace(final)
    else:
        _unpack(part, published.member, final)
        part.unlink()
    return "resumed" if resumed else "fetched"


def _unpack(archive: Path, member: str, final: Path) -> None:
    """Write one file of a ZIP archive to `final`."""
    try:
        with (
            zipfile.ZipFile(archive) as file,
            file.open(member) as packed,
            atomic_path(final) as temporary,
            temporary.open("wb") as unpacked,
        ):
            shutil.copyfileobj(packed, unpacked, _CHUNK)
    except (zipfile.BadZipFile, zlib.error, KeyError, EOFError, NotImplementedError) as error:
        raise InputError(f"{archive} must be a ZIP archive with {member}, not a different one ({error})") from error


class _Broken(Exception):
    """The connection ended before the file did."""


def _download(url: str, part: Path) -> None:
    """Complete `part`, in several attempts if need be."""
    pause = _PAUSE_SECONDS
    for attempt in range(_ATTEMPTS):
        before = part.stat().st_size if part.is_file() else 0
        try:
            _continue(url, part)
        except _Broken as broken:
            here = part.stat().st_size if part.is_file() else 0
            if attempt == _ATTEMPTS - 1:
                raise InputError(
                    f"{url}: download broke off after {here} bytes ({broken}); the same command continues it"
                ) from broken
            if here == before:  # no progress at all: give the server time
                time.sleep(pause)
                pause *= 2
        else:
            return


def _continue(url: str, part: Path) -> None:
    """One attempt: append what is missing, or start afresh where the server cannot continue."""
    have = part.stat().st_size if part.is_file() else 0
    headers = {"User-Agent": f"spikewright/{__version__}", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=_TIMEOUT_SECONDS) as answer:
            # 200 (or a local file's None) is the whole file, whatever was asked for.
            start = _start_of(answer.headers.get("Content-Range")) if answer.status == 206 else 0
            if start not in (0, have):
                raise _Broken(f"asked for byte {have}, got byte {start}")
            length = answer.headers.get("Content-Length")
            total = start + int(length) if length is not None and length.isdecimal() else None
            _append(answer, part, start, total)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == 416 and have:
            # Nothing lies beyond what is here: either it is complete, or it is not a beginning of this file.
            if _size_of(error.headers.get("Content-Range")) != have:
                part.unlink()
                raise _Broken("the part was longer than the file") from error
            return
        if error.code in (408, 429) or error.code >= 500:
            raise _Broken(f"HTTP {error.code} {error.reason}") from error
        raise InputError(f"{url} must be a file to download, not an error: HTTP {error.code} {error.reason}") from error
    except urllib.error.URLError as error:
        if isinstance(error.reason, FileNotFoundError):
            raise InputError(f"{url} must be a file to download, not missing") from error
        raise _Broken(str(error.reason)) from error
    except (http.client.HTTPException, TimeoutError, ConnectionError) as error:
        raise _Broken(str(error) or type(error).__name__) from error


def _append(answer: Any, part: Path, start: int, total: int | None) -> None:
    with (
        part.open("ab" if start else "wb") as file,
        bar(total=total, initial=start, unit="B", unit_scale=True, desc=part.stem) as moved,
    ):
        while chunk := answer.read(_CHUNK):
            file.write(chunk)
            moved.update(len(chunk))
        size = file.tell()
    # A connection that is cut looks like the end of the file.
    if total is not None and size < total:
        raise _Broken(f"{size} of {total} bytes")


def _start_of(content_range: str | None) -> int:
    """First byte of `bytes 100-199/200`, -1 if it cannot be read."""
    first = (content_range or "").removeprefix("bytes ").partition("-")[0]
    return int(first) if first.isdecimal() else -1


def _size_of(content_range: str | None) -> int:
    """Size of the file of `bytes */200`, -1 if it cannot be read."""
    size = (content_range or "").rpartition("/")[2]
    return int(size) if size.isdecimal() else -1
