"""The data sets by name: where their files are, and how they become a network's input.

A data set is chosen by the `[data]` section of a configuration, which a checkpoint and an integer network carry along;
so every command that takes `--data DIR` reads the right files the right way.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from spikewright.contract.errors import InputError
from spikewright.data import arrays, mnist, shd
from spikewright.data.config import DataConfig
from spikewright.data.shd import SpikeData
from spikewright.support.shipped import SAMPLE, SAMPLE_NAME, asset, is_sample

PARTS = {"shd": ("train", "test"), "ssc": ("train", "valid", "test"), "psmnist": ("train", "test")}
"""Parts of each data set, as published."""


def file_of(data: DataConfig, data_dir: str | os.PathLike[str], split: str) -> Path:
    """The file that says how many samples a part has; InputError if the data set has no such part.

    The shipped recordings are every part of SHD: they show how things go, not how well. A NumPy file (`arrays`) is
    every part of any data set.
    """
    if arrays.is_array_file(data_dir):
        return Path(data_dir)
    if split not in PARTS[data.name]:
        *others, last = PARTS[data.name]
        raise InputError(f"split of {data.name} must be {', '.join(others)} or {last}, not {split}")
    if is_sample(data_dir):
        if data.name != "shd":
            raise InputError(f"data must be a folder for a network of {data.name}, not {SAMPLE_NAME}, which is for shd")
        return asset(SAMPLE)
    name = mnist.FILES[split][0] if data.name == "psmnist" else f"{data.name}_{split}.h5"
    return Path(data_dir) / name


def load_split(
    data: DataConfig,
    data_dir: str | os.PathLike[str],
    split: str,
    *,
    timesteps: int,
    timestep: float = 0.010,
    bin_width: int = 5,
    samples: int | Sequence[int] | npt.NDArray[np.int64] | None = None,
    at_most: int | None = None,
) -> SpikeData:
    """Read a part of a data set.

    Parameters
    ----------
    data : DataConfig
    data_dir : path
        A folder; or `sample`, the recordings that are shipped; or a NumPy file.
    split : str
        One of `PARTS`.
    timesteps : int
        Steps of a sample.
    timestep, bin_width
        As `spikewright.data.shd.load`, for the data sets of recordings.
    samples : int or sequence of int, optional
        Only the first so many samples, or these in this order. Default: all.
    at_most : int, optional
        Only the first so many, or all if there are fewer.

    Raises
    ------
    InputError
        If a file is missing or damaged, or does not hold what is asked for.
    """
    path = file_of(data, data_dir, split)
    if arrays.is_array_file(path):
        loaded = arrays.load(path, timesteps=timesteps, at_most=at_most)
        return loaded if samples is None else _chosen(loaded, samples, path)
    if data.name == "psmnist":
        if timesteps != data.pixels:
            raise InputError(f"timesteps must be {data.pixels} for psmnist, one for each pixel, not {timesteps}")
        options = {"permutation_seed": data.permutation_seed, "pool": data.pool}
        loaded = mnist.load_split(data_dir, split, samples=samples, **options)
        return loaded if at_most is None else loaded.first(at_most)
    if at_most is not None:
        with shd.open_file(path) as file:
            samples = min(at_most, len(file))
    return shd.load(path, timesteps=timesteps, timestep=timestep, bin_width=bin_width, samples=samples)


def _chosen(loaded: SpikeData, samples: int | Sequence[int] | npt.NDArray[np.int64], path: Path) -> SpikeData:
    """The first so many samples, or these."""
    rows = np.arange(samples) if isinstance(samples, int) else np.asarray(samples, np.int64)
    if len(rows) and not 0 <= rows.min() <= rows.max() < len(loaded):
        raise InputError(f"samples must be between 0 and {len(loaded)} (all of {path}), not {int(rows.max()) + 1}")
    return SpikeData(loaded.counts[rows], loaded.labels[rows], loaded.speakers[rows], loaded.keys)
