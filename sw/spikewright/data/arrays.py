"""Samples of anybody in a NumPy file: `input` (T, B, inputs...) and, where they are known, `labels` (B,)."""

from __future__ import annotations

import math
import os
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spikewright.contract.errors import InputError
from spikewright.data.shd import MAX_COUNT, SpikeData
from spikewright.support.files import atomic_path

SUFFIX = ".npz"
UNKNOWN = -1
"""Label of a sample whose class the file does not tell."""
_LARGEST = 1 << 31
"""Bytes of an array when unpacked."""


def save_spikes(path: str | os.PathLike[str], spikes: Mapping[str, npt.NDArray[Any]]) -> None:
    """Write arrays by their names, whole or not at all; `numpy.load` reads them."""
    with atomic_path(Path(path)) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in spikes.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)


def is_array_file(path: str | os.PathLike[str]) -> bool:
    """Whether data is given as a NumPy file, not as a folder."""
    return Path(path).suffix == SUFFIX


def load(path: Path | str, *, timesteps: int | None = None, at_most: int | None = None) -> SpikeData:
    """Read a file of samples.

    Parameters
    ----------
    path : path
        A file by `numpy.savez`: `input`, whole numbers of 0 .. 255, steps first, then samples, then the shape of the
        input; and perhaps `labels`, whole numbers of at least 0, one for each sample.
    timesteps : int, optional
        Steps that the samples must have; any number if left out.
    at_most : int, optional
        Only the first so many samples, or all if there are fewer.

    Returns
    -------
    SpikeData
        With counts of shape (samples, T, inputs), and `UNKNOWN` as the label of every sample without `labels`.

    Raises
    ------
    InputError
        If the file is missing, damaged, or holds something else.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"data {path} must be a NumPy file with input and labels, not missing")
    try:
        with path.open("rb") as raw:
            file = np.load(raw, allow_pickle=False)
            if not isinstance(file, np.lib.npyio.NpzFile):
                raise InputError(f"{path} must be a file by numpy.savez, not one array")
            values = _array(file, path, "input")
            labels = _array(file, path, "labels") if "labels" in file.files else None
    except (ValueError, OSError, EOFError, MemoryError, KeyError, zipfile.BadZipFile, zlib.error) as error:
        if isinstance(error, InputError):
            raise
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(
            f"{path} must be a complete NumPy file, not a damaged or different one ({said:.120})"
        ) from None
    if values.ndim < 3 or not values.size:
        raise InputError(f"{path}: input must be (steps, samples, inputs...), not {values.shape}")
    if timesteps is not None and len(values) != timesteps:
        raise InputError(f"{path}: input must have {timesteps} steps, not {len(values)}")
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > MAX_COUNT:
        raise InputError(f"{path}: input must be 0 .. {MAX_COUNT}, not {low if low < 0 else high}")
    samples = values.shape[1]
    if labels is None:
        labels = np.full(samples, UNKNOWN)
    elif labels.shape != (samples,) or (labels < 0).any():
        raise InputError(f"{path}: labels must be {samples} classes of at least 0, one for each sample")
    counts = np.ascontiguousarray(values.reshape(len(values), samples, math.prod(values.shape[2:])).swapaxes(0, 1))
    names = tuple(map(str, range(int(labels.max()) + 1)))
    data = SpikeData(counts.astype(np.uint8), labels.astype(np.int64), np.full(samples, -1, np.int64), names)
    return data if at_most is None else data.first(at_most)


def _array(file: np.lib.npyio.NpzFile, path: Path, name: str) -> npt.NDArray[Any]:
    if name not in file.files:
        raise InputError(f"{path}: {name} must be given, not left out")
    stored = {Path(item.filename).stem: item.file_size for item in file.zip.infolist()}  # type: ignore[union-attr]
    if stored.get(name, 0) > _LARGEST:
        raise InputError(f"{path}: {name} must be at most {_LARGEST} bytes, not {stored[name]}")
    array: npt.NDArray[Any] = file[name]
    if array.dtype.kind not in "biu":
        raise InputError(f"{path}: {name} must be whole numbers, not {array.dtype}")
    return array
