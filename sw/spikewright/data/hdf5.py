"""Reads HDF5 files, recordings or whole trees; run as a process of its own by `spikewright.data.isolated`.

The HDF5 library trusts what it reads: from a damaged file it may allocate gigabytes, loop for ever or crash. Here it
does so under limits, and without anybody else. This file imports nothing of Spikewright, as it is run as a script.

Requests are JSON objects, one a line, on standard input. Each is answered on standard output by a JSON object behind
its length in 8 bytes: with `error`, `refused` or `busy`, or with what was asked for and, in `arrays`, the types and
lengths of the arrays whose bytes follow.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import resource
import sys
import time
from pathlib import Path
from typing import Any, BinaryIO

import h5py
import numpy as np
import numpy.typing as npt

MAX_SAMPLES = 10_000_000
"""More samples than this are a damaged header, not a data set."""

MAX_KEYS = 1 << 16
"""More names of classes than this are damage too."""

MAX_ITEMS = 20_000
"""More groups and data sets than this in a tree are damage, or a group that is in itself."""

MAX_DEPTH = 24
"""Groups within groups."""

MAX_DIMENSIONS = 8

MAX_TEXT = 1 << 16
"""Most texts of a data set, and longest text."""

TREE_BYTES = 256 << 20
"""Most bytes of all data sets of a tree, beyond four times those of its file: compressed zeros cost a file nothing."""

MEMORY = 512 << 20
"""Bytes beyond those of a fresh process, and beyond `MEMORY_PER_BYTE` of the file, that reading may take."""

MEMORY_PER_BYTE = 16
"""A row is held as stored and as Python's objects, at most some times over."""

Array = npt.NDArray[Any]


class Refused(Exception):
    """What is wrong with the file, without its name."""


class Columns:
    """The data sets of a file, their structure checked."""

    def __init__(self, file: h5py.File) -> None:
        self.times = self._rows(file, "spikes/times", np.floating, "floating-point numbers")
        self.units = self._rows(file, "spikes/units", np.integer, "integers")
        samples = len(self.times)
        if samples > MAX_SAMPLES:
            raise Refused(f"samples must be at most {MAX_SAMPLES}, not {samples}")
        if len(self.units) != samples:
            raise Refused(f"spikes/units must have {samples} rows as spikes/times, not {len(self.units)}")
        self.samples = samples
        self.labels = self._integers(file, "labels")
        self.speakers = self._integers(file, "extra/speaker") if "extra/speaker" in file else None
        self.keys = self._keys(file) if "extra/keys" in file else None

    def _dataset(self, file: h5py.File, name: str) -> h5py.Dataset:
        folder, _, last = name.rpartition("/")
        for place, link in ((file, folder or last), (file, name)):
            # A link to another file would make the library open whatever it names, a pipe for example.
            if link in place and not isinstance(place.get(link, getlink=True), h5py.HardLink):
                raise Refused(f"{name} must be in the file itself, not behind a link")
        if not isinstance(item := file.get(name), h5py.Dataset):
            what = "missing" if item is None else "a group"
            raise Refused(f"{name} must be a data set of an SHD-format file, not {what}")
        if item.is_virtual or item.external:
            raise Refused(f"{name} must be in the file itself, not in another one")
        if len(item.shape or ()) != 1:
            raise Refused(f"{name} must have one dimension, not shape {item.shape}")
        return item

    def _rows(self, file: h5py.File, name: str, kind: type, what: str) -> h5py.Dataset:
        item = self._dataset(file, name)
        base = h5py.check_vlen_dtype(item.dtype)
        if not isinstance(base, np.dtype) or not np.issubdtype(base, kind):
            found = item.dtype if base is None else f"rows of {base}"
            raise Refused(f"{name} must be variable-length rows of {what}, not {found}")
        if not base.isnative:
            # h5py 3 hands such rows over with their bytes in the wrong order.
            raise Refused(f"{name} must be in this machine's byte order, not rows of {base.str}")
        return item

    def _integers(self, file: h5py.File, name: str) -> Array:
        item = self._dataset(file, name)
        if not np.issubdtype(item.dtype, np.integer):
            raise Refused(f"{name} must be integers, not {item.dtype}")
        if len(item) != self.samples:
            raise Refused(f"{name} must have {self.samples} entries as spikes/times, not {len(item)}")
        values: Array = item[:]
        return values

    def _keys(self, file: h5py.File) -> list[str]:
        item = self._dataset(file, "extra/keys")
        if item.dtype.kind != "S" and h5py.check_string_dtype(item.dtype) is None:
            raise Refused(f"extra/keys must be strings, not {item.dtype}")
        if len(item) > MAX_KEYS:
            raise Refused(f"extra/keys must be at most {MAX_KEYS}, not {len(item)}")
        return [key.decode("utf-8", "replace") for key in item[:]]

    def read(self, rows: list[int]) -> list[Array]:
        """Lengths and, back to back, contents of rows: lengths of times, of units, times, units."""
        parts = [_read(self.times, rows), _read(self.units, rows)]
        flat = [
            np.concatenate([*part, np.zeros(0, kind)]) for part, kind in zip(parts, (np.float16, np.uint8), strict=True)
        ]
        return [np.array([len(row) for row in part], np.int64) for part in parts] + flat


def _read(item: h5py.Dataset, rows: list[int]) -> list[Array]:
    """Rows of a variable-length data set in any order: a run in one request, scattered rows one by one."""
    if rows and rows == list(range(rows[0], rows[0] + len(rows))):
        return list(item[rows[0] : rows[0] + len(rows)])
    return [item[row] for row in rows]


class Tree:
    """Everything in a file: groups, texts and arrays of numbers, the arrays in the order of their index."""

    def __init__(self, file: h5py.File, size: int) -> None:
        self.arrays: list[Array] = []
        self._items = 0
        self._left = TREE_BYTES + 4 * size
        self.root = self._group(file, "", 0)

    def _group(self, group: h5py.Group, name: str, depth: int) -> dict[str, Any]:
        if depth > MAX_DEPTH:
            raise Refused(f"{name} must be at most {MAX_DEPTH} groups deep")
        items = {}
        for key in group:
            inner = f"{name}/{key}".lstrip("/")
            self._items += 1
            if self._items > MAX_ITEMS:
                raise Refused(f"groups and data sets must be at most {MAX_ITEMS}, not more")
            if not isinstance(group.get(key, getlink=True), h5py.HardLink):
                raise Refused(f"{inner} must be in the file itself, not behind a link")
            item = group[key]
            if isinstance(item, h5py.Group):
                items[key] = {"group": self._group(item, inner, depth + 1)}
            elif isinstance(item, h5py.Dataset):
                items[key] = self._data(item, inner)
            else:
                raise Refused(f"{inner} must be a group or a data set, not a {type(item).__name__.lower()}")
        return items

    def _data(self, item: h5py.Dataset, name: str) -> dict[str, Any]:
        if item.is_virtual or item.external:
            raise Refused(f"{name} must be in the file itself, not in another one")
        if item.shape is None:
            raise Refused(f"{name} must have a value, not none")
        shape = [int(length) for length in item.shape]
        if len(shape) > MAX_DIMENSIONS:
            raise Refused(f"{name} must have at most {MAX_DIMENSIONS} dimensions, not {len(shape)}")
        values = math.prod(shape)
        self._left -= values * item.dtype.itemsize
        if self._left < 0:
            raise Refused(f"{name} must hold no more than the file promises, not {values} values")
        if item.dtype.kind == "S" or h5py.check_string_dtype(item.dtype) is not None:
            if values > MAX_TEXT or item.dtype.itemsize > MAX_TEXT:
                raise Refused(f"{name} must be at most {MAX_TEXT} texts of as many letters, not {values}")
            texts = [bytes(text) for text in np.asarray(item[()], object).ravel()]
            if any(len(text) > MAX_TEXT for text in texts):
                raise Refused(f"{name} must be texts of at most {MAX_TEXT} letters, not longer ones")
            return {"shape": shape, "texts": [text.decode("utf-8", "backslashreplace") for text in texts]}
        if item.dtype.kind not in "biuf" or item.dtype.itemsize > 8:
            raise Refused(f"{name} must be numbers or text, not {item.dtype}")
        array = np.asarray(item[()])
        self.arrays.append((array.astype(np.uint8) if array.dtype.kind == "b" else array).reshape(-1))
        return {"shape": shape, "array": len(self.arrays) - 1}


def limit(memory: int, seconds: int) -> None:
    """Bound what the process takes from now on: bytes in all, and seconds of a processor."""
    for kind, value in ((resource.RLIMIT_AS, memory), (resource.RLIMIT_CPU, int(time.process_time()) + seconds)):
        _, hard = resource.getrlimit(kind)
        if hard != resource.RLIM_INFINITY:
            value = min(value, hard)
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(kind, (value, hard))


def _memory() -> int:
    """Bytes of address space of this process; 0 where the system does not tell."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except OSError:
        return 1 << 32


def _answer(out: BinaryIO, content: dict[str, Any], arrays: list[Array]) -> None:
    kinds = [(array.dtype.str, len(array)) for array in arrays]
    head = json.dumps({**content, "arrays": kinds}).encode()
    out.write(len(head).to_bytes(8, "little") + head)
    for array in arrays:
        out.write(np.ascontiguousarray(array).data)
    out.flush()


def serve(requests: BinaryIO, out: BinaryIO) -> None:
    """Answer requests until there are no more."""
    file: h5py.File | None = None
    columns: Columns | None = None
    fresh = _memory()
    _answer(out, {}, [])
    for line in requests:
        request = json.loads(line)
        try:
            if file is not None and "rows" not in request:
                file.close()  # and with it its lock
                file = columns = None
            if "close" in request:
                _answer(out, {}, [])
            elif "open" in request:
                size = Path(request["open"]).stat().st_size
                limit(fresh + MEMORY + MEMORY_PER_BYTE * size, request["seconds"])
                file = h5py.File(request["open"], "r")
                columns = Columns(file)
                arrays = [columns.labels] + ([] if columns.speakers is None else [columns.speakers])
                _answer(out, {"samples": columns.samples, "keys": columns.keys}, arrays)
            elif "tree" in request:
                size = Path(request["tree"]).stat().st_size
                limit(fresh + MEMORY + MEMORY_PER_BYTE * size, request["seconds"])
                file = h5py.File(request["tree"], "r")
                tree = Tree(file, size)
                _answer(out, {"tree": tree.root}, tree.arrays)
            elif columns is None:
                _answer(out, {"error": "no file is open"}, [])
            else:
                limit(resource.getrlimit(resource.RLIMIT_AS)[0], request["seconds"])
                _answer(out, {}, columns.read(request["rows"]))
        except Refused as error:
            _answer(out, {"refused": str(error)}, [])
        except BlockingIOError:  # the library's lock of a file that is being written
            _answer(out, {"busy": "another program has it open for writing"}, [])
        except Exception as error:  # noqa: BLE001 - the library reports damage by many kinds, in words of its own
            said = (str(error).splitlines() or [type(error).__name__])[0].strip("'\"")
            if "already open for write" in said:
                marked = "it is marked as open for writing; if no program has it open, `h5clear -s` takes the mark off"
                _answer(out, {"busy": marked}, [])
            else:
                _answer(out, {"error": said}, [])


if __name__ == "__main__":
    # The library may print: standard output is for answers alone.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(sys.stdin.buffer, answers)
