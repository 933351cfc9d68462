"""Recordings binned for a network, from a folder or from the sample that is shipped."""

from __future__ import annotations

import math
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spikewright.errors import InputError
from spikewright.progress import step

if TYPE_CHECKING:
    from spikewright.config import NetworkConfig
    from spikewright.data.shd import SpikeData
    from spikewright.spec import NetworkSpec

SAMPLE = "synth_sample.h5"


def asset(name: str) -> Path:
    """A file that is shipped with the package."""
    path = Path(str(resources.files("spikewright") / "assets" / name))
    if not path.is_file():
        raise InputError(f"installation of spikewright must have {path}, not lack it: install it again")
    return path


def binning_of(network: NetworkConfig) -> dict[str, Any]:
    """How recordings become a network's input, to be kept with the integer network."""
    return {"timestep": network.timestep, "bin_width": network.bin_width}


def load(
    data: Path | None,
    split: str,
    network: NetworkSpec | NetworkConfig,
    binning: dict[str, Any],
    samples: int | None = None,
    at_most: int | None = None,
) -> SpikeData:
    """Samples of a folder's `shd_{split}.h5`, or the shipped ones without a folder.

    Parameters
    ----------
    data : Path or None
    split : "train" or "test"
    network : NetworkSpec or NetworkConfig
        Has the number of steps, and more classes than the highest label.
    binning : dict
        By `binning_of`, perhaps from a file by anybody; other keys are ignored.
    samples : int, optional
        Only the first so many.
    at_most : int, optional
        Only the first so many, or all if there are fewer.

    Raises
    ------
    InputError
        If the file or the binning is damaged, the file has no sample or fewer than `samples`, or classes that the
        network has not.
    """
    from spikewright.data import shd

    timestep, bin_width = binning.get("timestep", 0.010), binning.get("bin_width", 5)
    if type(timestep) not in (int, float) or not (math.isfinite(timestep) and timestep > 0):
        raise InputError(f"timestep of the model must be a positive number of seconds, not {timestep!r:.60}")
    if type(bin_width) is not int or bin_width < 1:
        raise InputError(f"bin_width of the model must be a positive whole number, not {bin_width!r:.60}")
    path = asset(SAMPLE) if data is None else data / f"shd_{split}.h5"
    with step(f"Reading {path}"):
        if at_most is not None:
            with shd.open_file(path) as file:
                samples = min(at_most, len(file))
        loaded = shd.load(path, timesteps=network.timesteps, timestep=timestep, bin_width=bin_width, samples=samples)
    if not len(loaded):
        raise InputError(f"{path} must hold at least one sample, not 0")
    if loaded.labels.max() >= network.classes:
        raise InputError(
            f"{path}: labels must be below {network.classes}, the classes of the network, not {loaded.labels.max()}"
        )
    return loaded
