"""What is in a file of spike recordings."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import numpy.typing as npt

from spikewright.data.shd import CHANNELS, bin_spikes, check_binning, open_file


def info(
    path: str | os.PathLike[str], *, timesteps: int = 100, timestep: float = 0.010, bin_width: int = 5
) -> dict[str, Any]:
    """Check every sample of an SHD-format file and describe it.

    Parameters
    ----------
    path : path
        The file.
    timesteps, timestep, bin_width
        Binning as in `spikewright.data.shd.load`, for the entries `events` and `largest_count`.

    Returns
    -------
    dict
        JSON-ready. ``samples``; ``classes`` (number of keys), ``keys``, ``samples_per_class`` (in the order of the
        keys); ``speakers`` (samples by speaker number, empty where the file names none); ``channels`` (700) and
        ``channels_used`` (with a spike in any sample). With min, mean and max over samples: ``duration_s`` (first to
        last spike), ``spikes``, ``events`` (distinct (step, channel) bins after binning). With min, median, mean and
        max over the 700 channels: ``rate_hz`` (spikes of a channel per second of all samples' durations).
        ``largest_count``: most spikes in one bin; `load` refuses more than 255. ``dropped_spikes``: those after step
        `timesteps`. ``binning``: the three parameters. A figure that has no samples to be made of is None.

    Raises
    ------
    InputError
        A bad parameter, a damaged file, or a value out of range.
    """
    bins = timesteps * check_binning(timesteps, timestep, bin_width)
    spikes, durations, events = [], [], []
    by_channel = np.zeros(CHANNELS, np.int64)
    largest = binned_spikes = 0
    with open_file(path) as file:
        for rows in file.rows(file.select(None), bins):
            counts = bin_spikes(rows, timesteps, timestep, bin_width)
            spikes.append(rows.lengths)
            durations.append(_durations(rows.times, rows.lengths))
            events.append(np.count_nonzero(counts, axis=(1, 2)))
            by_channel += np.bincount(rows.units, minlength=CHANNELS)
            largest = max(largest, int(counts.max(initial=0)))
            binned_spikes += int(counts.sum())
        labels, speakers, keys, named = file.labels, file.speakers, file.keys, file.has_speakers
    seconds = float(sum(part.sum() for part in durations))
    rates = by_channel / seconds if seconds > 0 else np.zeros(0)
    numbers, samples = np.unique(speakers if named else speakers[:0], return_counts=True)
    return {
        "file": str(path),
        "samples": len(labels),
        "classes": len(keys),
        "keys": list(keys),
        "samples_per_class": np.bincount(labels, minlength=len(keys)).tolist(),
        "speakers": {str(number): int(count) for number, count in zip(numbers, samples, strict=True)},
        "channels": CHANNELS,
        "channels_used": int(np.count_nonzero(by_channel)),
        "duration_s": _summary(durations),
        "spikes": _summary(spikes),
        "rate_hz": {"median": _rounded(np.median(rates)) if len(rates) else None, **_summary([rates])},
        "events": _summary(events),
        "largest_count": largest,
        "dropped_spikes": int(by_channel.sum()) - binned_spikes,
        "binning": {"timesteps": timesteps, "timestep": timestep, "bin_width": bin_width},
    }


def _durations(times: npt.NDArray[np.float64], lengths: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Time from the first to the last spike of each sample, 0 for an empty one."""
    result = np.zeros(len(lengths))
    filled = np.flatnonzero(lengths)
    if len(filled):
        starts = (np.cumsum(lengths) - lengths)[filled]
        result[filled] = np.maximum.reduceat(times, starts) - np.minimum.reduceat(times, starts)
    return result


def _rounded(value: Any) -> float | int:
    return value.item() if np.issubdtype(value.dtype, np.integer) else round(float(value), 4)


def _summary(parts: list[Any]) -> dict[str, float | int | None]:
    values = np.concatenate([*parts]) if parts else np.zeros(0)
    if not len(values):
        return {"min": None, "mean": None, "max": None}
    return {"min": _rounded(values.min()), "mean": _rounded(values.mean()), "max": _rounded(values.max())}
