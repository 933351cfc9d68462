"""Spike recordings in the format of the Spiking Heidelberg Digits (SHD) and Spiking Speech Commands (SSC) files.

A file holds one row per sample: ``spikes/times`` (seconds, variable-length float16 or wider), ``spikes/units``
(variable-length integers, 0-699), ``labels`` (integers), and, where the publisher gave them, ``extra/speaker``
(integers) and ``extra/keys`` (the names of the classes, in the order of the labels).

Source: Cramer, Stradmann, Schemmel, Zenke, "The Heidelberg Spiking Data Sets for the Systematic Evaluation of Spiking
Neural Networks", IEEE Transactions on Neural Networks and Learning Systems, 2020.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from spikewright.errors import InputError

CHANNELS = 700
"""Channels of the inner-ear model; a unit is a number below it."""

MAX_COUNT = 255
"""Most spikes that one (step, channel) bin may hold."""

MAX_SAMPLES = 10_000_000
"""More samples than this are a damaged header, not a data set."""

MAX_TIMESTEPS = 65_536
"""Longest sample that is binned, in steps."""

_ROWS_AT_ONCE = 256  # bounds the float64 copy of the times: about 12 MB at 5,700 spikes a sample
_BINS_AT_ONCE = 1 << 22  # bounds the 64-bit counts to 32 MB, unless one sample needs more

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class SpikeData:
    """Binned samples of one file.

    Parameters
    ----------
    counts : uint8 array, shape (samples, T, channels)
        Spikes per time step and (summed) channel, 0-255.
    labels : int64 array, shape (samples,)
        Class of each sample, an index into ``keys``.
    speakers : int64 array, shape (samples,)
        Speaker of each sample, or -1 where the file does not say.
    keys : tuple of str
        Names of the classes. Where the file has none, the labels themselves as text.
    """

    counts: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    speakers: npt.NDArray[np.int64]
    keys: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    def first(self, samples: int) -> SpikeData:
        """The first so many samples, or all if there are fewer."""
        return SpikeData(self.counts[:samples], self.labels[:samples], self.speakers[:samples], self.keys)


@dataclass(frozen=True)
class Rows:
    """Validated raw spikes of consecutive selected samples, back to back.

    Parameters
    ----------
    samples : int64 array, shape (n,)
        Row of each sample in the file.
    lengths : int64 array, shape (n,)
        Spikes of each sample; may be 0.
    times : float64 array, shape (sum of lengths,)
        Spike times in seconds, finite and not negative.
    units : int64 array, shape (sum of lengths,)
        Channel of each spike, 0-699.
    """

    samples: npt.NDArray[np.int64]
    lengths: npt.NDArray[np.int64]
    times: npt.NDArray[np.float64]
    units: npt.NDArray[np.int64]


class SpikeFile:
    """An open file in SHD format whose structure has been checked; made by `open_file`.

    Attributes
    ----------
    path : Path
        The file.
    labels, speakers : int64 arrays, shape (samples,)
        As in `SpikeData`, for all samples of the file.
    keys : tuple of str
        As in `SpikeData`.
    has_speakers : bool
        Whether the file names its speakers.
    """

    def __init__(self, path: Path, file: h5py.File):
        self.path = path
        self._times = self._rows(file, "spikes/times", np.floating, "floating-point numbers")
        self._units = self._rows(file, "spikes/units", np.integer, "integers")
        samples = len(self._times)
        if samples > MAX_SAMPLES:
            raise InputError(f"{path}: samples must be at most {MAX_SAMPLES}, not {samples}")
        if len(self._units) != samples:
            raise InputError(f"{path}: spikes/units must have {samples} rows as spikes/times, not {len(self._units)}")
        self.labels = self._integers(file, "labels", samples)
        self.has_speakers = "extra/speaker" in file
        self.speakers = (
            self._integers(file, "extra/speaker", samples) if self.has_speakers else np.full(samples, -1, np.int64)
        )
        self.keys = self._keys(file)

    def __len__(self) -> int:
        return len(self.labels)

    def _dataset(self, file: h5py.File, name: str) -> h5py.Dataset:
        if not isinstance(item := file.get(name), h5py.Dataset):
            what = "missing" if item is None else "a group"
            raise InputError(f"{self.path}: {name} must be a data set of an SHD-format file, not {what}")
        if len(item.shape or ()) != 1:
            raise InputError(f"{self.path}: {name} must have one dimension, not shape {item.shape}")
        return item

    def _rows(self, file: h5py.File, name: str, kind: type, what: str) -> h5py.Dataset:
        item = self._dataset(file, name)
        base = h5py.check_vlen_dtype(item.dtype)
        if not isinstance(base, np.dtype) or not np.issubdtype(base, kind):
            found = item.dtype if base is None else f"rows of {base}"
            raise InputError(f"{self.path}: {name} must be variable-length rows of {what}, not {found}")
        if not base.isnative:
            # h5py 3 hands such rows over with their bytes in the wrong order.
            raise InputError(f"{self.path}: {name} must be in this machine's byte order, not rows of {base.str}")
        return item

    def _integers(self, file: h5py.File, name: str, samples: int) -> npt.NDArray[np.int64]:
        item = self._dataset(file, name)
        if not np.issubdtype(item.dtype, np.integer):
            raise InputError(f"{self.path}: {name} must be integers, not {item.dtype}")
        if len(item) != samples:
            raise InputError(f"{self.path}: {name} must have {samples} entries as spikes/times, not {len(item)}")
        values: Array = item[:]
        bad = np.flatnonzero((values < 0) | (values > 0xFFFFFFFF))
        if len(bad):
            raise InputError(
                f"{self.path}: sample {bad[0]}: {name} must be between 0 and 4294967295, not {values[bad[0]]}"
            )
        return values.astype(np.int64)

    def _keys(self, file: h5py.File) -> tuple[str, ...]:
        if "extra/keys" not in file:
            return tuple(str(label) for label in range(min(int(self.labels.max(initial=-1)) + 1, MAX_SAMPLES)))
        item = self._dataset(file, "extra/keys")
        if item.dtype.kind != "S" and h5py.check_string_dtype(item.dtype) is None:
            raise InputError(f"{self.path}: extra/keys must be strings, not {item.dtype}")
        keys = tuple(key.decode("utf-8", "replace") for key in item[:])
        bad = np.flatnonzero(self.labels >= len(keys))
        if len(bad):
            raise InputError(
                f"{self.path}: sample {bad[0]}: labels must be below {len(keys)} (the number of extra/keys), "
                f"not {self.labels[bad[0]]}"
            )
        return keys

    def select(self, samples: int | Sequence[int] | npt.NDArray[np.int64] | None) -> npt.NDArray[np.int64]:
        """Rows meant by `samples` (None: all, a number: the first so many, a sequence: these rows), checked."""
        if samples is None:
            return np.arange(len(self), dtype=np.int64)
        if isinstance(samples, int):
            if not 0 <= samples <= len(self):
                raise InputError(f"samples must be between 0 and {len(self)} (all of {self.path}), not {samples}")
            return np.arange(samples, dtype=np.int64)
        rows = np.asarray(samples)
        if rows.ndim != 1 or (rows.size and not np.issubdtype(rows.dtype, np.integer)):
            raise InputError("samples must be a number or a sequence of row numbers, not an array of another kind")
        bad = np.flatnonzero((rows < 0) | (rows >= len(self)))
        if len(bad):
            raise InputError(f"samples must be rows between 0 and {len(self) - 1} of {self.path}, not {rows[bad[0]]}")
        return rows.astype(np.int64)

    def rows(self, samples: npt.NDArray[np.int64], bins: int = 1) -> Iterator[Rows]:
        """Raw spikes of the rows `samples`, in that order, each value checked.

        They come some hundred rows at a time, fewer where `bins` (the caller's memory for one row) is large.

        Raises
        ------
        InputError
            Rows of unequal length, a time that is negative, infinite or not a number, a unit outside 0-699.
        """
        at_once = max(1, min(_ROWS_AT_ONCE, _BINS_AT_ONCE // bins))
        for start in range(0, len(samples), at_once):
            chosen = samples[start : start + at_once]
            times, units = _read(self._times, chosen), _read(self._units, chosen)
            lengths = np.array([len(row) for row in times], np.int64)
            for sample, length, row in zip(chosen, lengths, units, strict=True):
                if len(row) != length:
                    raise InputError(
                        f"{self.path}: sample {sample}: spikes/units must have {length} entries as spikes/times, "
                        f"not {len(row)}"
                    )
            t = np.concatenate([*times, np.zeros(0)]).astype(np.float64)
            u: Array = np.concatenate([*units, np.zeros(0, np.uint8)])
            owner = np.repeat(chosen, lengths)
            bad = np.flatnonzero(~((t >= 0) & (t < np.inf)))
            if len(bad):
                raise InputError(
                    f"{self.path}: sample {owner[bad[0]]}: spikes/times must be finite and not negative, "
                    f"not {t[bad[0]]:g}"
                )
            bad = np.flatnonzero((u < 0) | (u >= CHANNELS))
            if len(bad):
                raise InputError(
                    f"{self.path}: sample {owner[bad[0]]}: spikes/units must be between 0 and {CHANNELS - 1}, "
                    f"not {u[bad[0]]}"
                )
            yield Rows(chosen, lengths, t, u.astype(np.int64))


def _read(item: h5py.Dataset, rows: npt.NDArray[np.int64]) -> list[Array]:
    """Rows of a variable-length data set in any order: a run in one request, scattered rows one by one."""
    if len(rows) and np.array_equal(rows, np.arange(rows[0], rows[0] + len(rows))):
        return list(item[int(rows[0]) : int(rows[0]) + len(rows)])
    return [item[int(row)] for row in rows]


@contextmanager
def open_file(path: str | os.PathLike[str]) -> Iterator[SpikeFile]:
    """Open an SHD-format file for reading and check its structure.

    Raises
    ------
    InputError
        The file is missing, truncated, not HDF5, or not of the format; the message names the file and the field.
    """
    path = Path(path)
    try:
        if not path.is_file():
            what = "a folder" if path.is_dir() else "a device" if path.exists() else "missing"
            raise InputError(f"{path} must be an SHD-format HDF5 file, not {what}")
        with h5py.File(path, "r") as file:
            yield SpikeFile(path, file)
    except InputError:
        raise
    except (OSError, RuntimeError, KeyError, MemoryError) as error:
        # The library reports damage in words of its own; its first line says what it stumbled over.
        reason = (str(error).splitlines() or [type(error).__name__])[0].strip("'\"")
        raise InputError(f"{path} must be a complete HDF5 file, not a damaged or different one ({reason})") from error


def load(
    path: str | os.PathLike[str],
    *,
    timesteps: int = 100,
    timestep: float = 0.010,
    bin_width: int = 5,
    samples: int | Sequence[int] | npt.NDArray[np.int64] | None = None,
) -> SpikeData:
    """Read an SHD-format file and count its spikes per time step and group of channels.

    A spike at time ``t`` of a sample whose earliest spike is at ``t0`` falls into step ``floor((t - t0) / timestep)``.
    Steps are half-open: a spike on a boundary opens the later step. The stored numbers are taken at face value: float16
    times are widened to float64 before the subtraction, which is then exact, and nothing is rounded to a presumed
    clock. Spikes in step `timesteps` and later are dropped.

    Parameters
    ----------
    path : path
        The file.
    timesteps : int
        Steps T of every sample, 1-65536.
    timestep : float
        Length of a step in seconds, above 0.
    bin_width : int
        Neighbouring channels summed into one; must divide 700.
    samples : int or sequence of int, optional
        Read only the first so many samples, or these rows in this order. Default: all.

    Returns
    -------
    SpikeData
        With ``counts`` of shape (samples, timesteps, 700 / bin_width). A sample without spikes is all zeros.

    Raises
    ------
    InputError
        A bad parameter, a damaged file, a value out of range, or more than 255 spikes in one bin.
    """
    channels = check_binning(timesteps, timestep, bin_width)
    with open_file(path) as file:
        chosen = file.select(samples)
        counts = np.zeros((len(chosen), timesteps, channels), np.uint8)
        done = 0
        for rows in file.rows(chosen, timesteps * channels):
            binned = bin_spikes(rows, timesteps, timestep, bin_width)
            if binned.max(initial=0) > MAX_COUNT:
                sample, step, channel = np.argwhere(binned > MAX_COUNT)[0]
                raise InputError(
                    f"{file.path}: sample {rows.samples[sample]}: spikes of step {step}, channel {channel} must be "
                    f"at most {MAX_COUNT}, not {binned[sample, step, channel]}"
                )
            counts[done : done + len(binned)] = binned
            done += len(binned)
        return SpikeData(counts, file.labels[chosen], file.speakers[chosen], file.keys)


def check_binning(timesteps: int, timestep: float, bin_width: int) -> int:
    """Number of channels after binning; InputError for parameters that `load` does not take."""
    if not 1 <= timesteps <= MAX_TIMESTEPS:
        raise InputError(f"timesteps must be between 1 and {MAX_TIMESTEPS}, not {timesteps}")
    if not 0 < timestep < np.inf:
        raise InputError(f"timestep must be a positive number of seconds, not {timestep}")
    if bin_width < 1 or CHANNELS % bin_width:
        raise InputError(f"bin_width must divide {CHANNELS}, not {bin_width}")
    return CHANNELS // bin_width


def bin_spikes(rows: Rows, timesteps: int, timestep: float, bin_width: int) -> npt.NDArray[np.int64]:
    """Spikes per sample, step and group of channels by the rule of `load`: shape (samples, T, 700 / bin_width)."""
    channels = CHANNELS // bin_width
    shape = (len(rows.lengths), timesteps, channels)
    filled = np.flatnonzero(rows.lengths)
    if not len(filled):
        return np.zeros(shape, np.int64)
    starts = (np.cumsum(rows.lengths) - rows.lengths)[filled]
    first = np.zeros(len(rows.lengths))
    first[filled] = np.minimum.reduceat(rows.times, starts)
    owner = np.repeat(np.arange(len(rows.lengths)), rows.lengths)
    # Compared as floats: a step far beyond the last one need not fit an integer.
    step = np.floor((rows.times - first[owner]) / timestep)
    kept = step < timesteps
    index = (owner[kept] * timesteps + step[kept].astype(np.int64)) * channels + rows.units[kept] // bin_width
    return np.bincount(index, minlength=int(np.prod(shape))).reshape(shape)


def load_split(
    data_dir: str | os.PathLike[str],
    split: str,
    *,
    timesteps: int = 100,
    timestep: float = 0.010,
    bin_width: int = 5,
    samples: int | Sequence[int] | npt.NDArray[np.int64] | None = None,
) -> SpikeData:
    """Read ``shd_train.h5`` or ``shd_test.h5`` of a folder; parameters, result and errors as `load`."""
    if split not in ("train", "test"):
        raise InputError(f"split must be train or test, not {split}")
    path = Path(data_dir) / f"shd_{split}.h5"
    return load(path, timesteps=timesteps, timestep=timestep, bin_width=bin_width, samples=samples)
