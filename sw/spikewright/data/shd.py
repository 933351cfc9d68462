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

import numpy as np
import numpy.typing as npt

from spikewright.contract.errors import InputError
from spikewright.contract.integers import check_labels
from spikewright.contract.shown import Facts, Shown
from spikewright.data.isolated import Reader, reading

CHANNELS = 700
"""Channels of the inner-ear model; a unit is a number below it."""

MAX_COUNT = 255
"""Most spikes that one (step, channel) bin may hold."""

MAX_TIMESTEPS = 65_536
"""Longest sample that is binned, in steps."""

_ROWS_AT_ONCE = 256  # bounds the float64 copy of the times: about 12 MB at 5,700 spikes a sample
_MOST_KEYS = 1 << 16  # made up for labels where the file names no classes
_BINS_AT_ONCE = 1 << 22  # bounds the 64-bit counts to 32 MB, unless one sample needs more

Array = npt.NDArray[Any]


@dataclass(frozen=True, repr=False)
class SpikeData(Shown):
    """Binned samples, of a file or of the user's own.

    Parameters
    ----------
    counts : uint8 array, shape (samples, T, channels)
        Spikes per time step and (summed) channel, 0-255. Whole numbers of another type, or a tensor, are converted.
    labels : int64 array, shape (samples,)
        Class of each sample, an index into ``keys``.
    speakers : int64 array, shape (samples,), optional
        Speaker of each sample, or -1 where that is not known.
    keys : tuple of str, optional
        Names of the classes. Where there are none, the labels themselves as text.

    Raises
    ------
    InputError
        If the counts are of another shape, not whole or out of range; if there is not a label for each sample.
    """

    counts: npt.NDArray[np.uint8]
    labels: npt.NDArray[np.int64]
    speakers: npt.NDArray[np.int64] = None  # type: ignore[assignment] # made below
    keys: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        counts, labels = np.asarray(self.counts), np.asarray(self.labels)
        if counts.ndim != 3:
            raise InputError(f"counts must be (samples, steps, channels), not {counts.shape}")
        check_labels(labels, len(counts))
        object.__setattr__(self, "counts", _whole("counts", counts, np.uint8))
        object.__setattr__(self, "labels", _whole("labels", labels, np.int64))
        if self.speakers is None:
            object.__setattr__(self, "speakers", np.full(len(labels), -1, np.int64))
        if not self.keys:
            classes = min(int(self.labels.max(initial=-1)) + 1, _MOST_KEYS)
            object.__setattr__(self, "keys", tuple(map(str, range(classes))))

    def title(self) -> str:
        samples, steps, channels = self.counts.shape
        return f"{type(self).__name__}: {samples} samples of {steps} steps, {channels} channels"

    def facts(self) -> Facts:
        names = ", ".join(self.keys[:8]) + (", ..." if len(self.keys) > 8 else "")
        sample = f"{self.counts.sum(dtype=np.int64) / max(1, len(self)):,.0f} on average"
        return [
            ("classes", f"{len(self.keys)}: {names}"),
            ("spikes per sample", sample),
            ("largest count", str(self.counts.max(initial=0))),
        ]

    def __len__(self) -> int:
        return len(self.labels)

    def first(self, samples: int) -> SpikeData:
        """The first so many samples, or all if there are fewer."""
        return SpikeData(self.counts[:samples], self.labels[:samples], self.speakers[:samples], self.keys)


def _whole(name: str, values: Array, kind: type[np.integer]) -> Array:
    """Whole numbers as an array of `kind`, itself if it is one; InputError if one does not fit."""
    if values.dtype == kind:
        return values
    if values.dtype.kind not in "biuf":
        raise InputError(f"{name} must be whole numbers, not {values.dtype}")
    # What is not a number, or is above any range, is unequal as well.
    with np.errstate(invalid="ignore", over="ignore"):
        converted = values.astype(kind)
    if len(bad := np.argwhere(converted != values)):
        limits = np.iinfo(kind)
        found = values[tuple(bad[0])]
        raise InputError(f"{name} must be whole numbers of {limits.min} .. {limits.max}, not {found}")
    return converted


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

    def __init__(self, path: Path, reader: Reader):
        self.path = path
        self._reader = reader
        self._size = path.stat().st_size
        answer, (labels, *speakers) = reader.open(path)
        self.labels = self._numbers("labels", labels)
        self.has_speakers = bool(speakers)
        self.speakers = (
            self._numbers("extra/speaker", speakers[0]) if speakers else np.full(len(self.labels), -1, np.int64)
        )
        self.keys = self._keys(answer["keys"])

    def __len__(self) -> int:
        return len(self.labels)

    def _numbers(self, name: str, values: Array) -> npt.NDArray[np.int64]:
        bad = np.flatnonzero((values < 0) | (values > 0xFFFFFFFF))
        if len(bad):
            raise InputError(
                f"{self.path}: sample {bad[0]}: {name} must be between 0 and 4294967295, not {values[bad[0]]}"
            )
        return values.astype(np.int64)

    def _keys(self, names: list[str] | None) -> tuple[str, ...]:
        keys = range(min(int(self.labels.max(initial=-1)) + 1, _MOST_KEYS)) if names is None else names
        bad = np.flatnonzero(self.labels >= len(keys))
        if len(bad):
            bound = f"{len(keys)} (the number of extra/keys)" if names is not None else f"{_MOST_KEYS}"
            raise InputError(f"{self.path}: sample {bad[0]}: labels must be below {bound}, not {self.labels[bad[0]]}")
        return tuple(map(str, keys))

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
        # Rows that share their spikes would make a small file endless.
        most = self._size * int(np.bincount(samples).max(initial=1))
        stored = 0
        for start in range(0, len(samples), at_once):
            chosen = samples[start : start + at_once]
            lengths, others, times, u = self._reader.rows(chosen.tolist())
            if len(bad := np.flatnonzero(lengths != others)):
                raise InputError(
                    f"{self.path}: sample {chosen[bad[0]]}: spikes/units must have {lengths[bad[0]]} entries as "
                    f"spikes/times, not {others[bad[0]]}"
                )
            stored += times.nbytes + u.nbytes
            if stored > most:
                raise InputError(f"{self.path}: spikes must be {most} bytes at most, those of the file, not more")
            t = times.astype(np.float64)
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


@contextmanager
def open_file(path: str | os.PathLike[str]) -> Iterator[SpikeFile]:
    """Open an SHD-format file for reading and check its structure.

    Raises
    ------
    InputError
        The file is missing, in use, truncated, not HDF5, or not of the format; the message names the file and the
        field.
    """
    path = Path(path)
    with reading(path, "an SHD-format HDF5 file") as reader:
        yield SpikeFile(path, reader)


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
