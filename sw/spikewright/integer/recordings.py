"""Recordings binned for a network, from a folder or from the sample that is shipped."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spikewright.contract.errors import InputError
from spikewright.contract.integers import check_samples
from spikewright.support.progress import step
from spikewright.support.shipped import SAMPLE, asset

if TYPE_CHECKING:
    from spikewright.contract.network import NetworkSpec
    from spikewright.data.shd import SpikeData
    from spikewright.learn.config import DataConfig, NetworkConfig

_LONGEST = 3600


def binning_of(network: NetworkConfig, data: DataConfig | None = None) -> dict[str, Any]:
    """How recordings become a network's input, to be kept with the integer network; SHD by default."""
    binning: dict[str, Any] = {"timestep": network.timestep, "bin_width": network.bin_width}
    if data is not None:
        binning["data"] = dataclasses.asdict(data)
    return binning


def data_of(binning: dict[str, Any], where: str = "metadata of the model: ") -> DataConfig:
    """Data set that a network was trained on; SHD where the file does not say.

    Raises
    ------
    InputError
        If what the file says is no data set.
    """
    from spikewright.learn.config import DataConfig, from_dict

    try:
        data: DataConfig = from_dict(binning.get("data", {}), DataConfig, "data")
    except InputError as error:
        raise InputError(f"{where}{error}") from None
    return data


def load(
    data: Path | None,
    split: str,
    network: NetworkSpec | NetworkConfig,
    binning: dict[str, Any],
    samples: int | None = None,
    at_most: int | None = None,
    model: Path | None = None,
) -> SpikeData:
    """Samples of a folder, read as the network's data set, or the shipped ones without a folder.

    Parameters
    ----------
    data : Path or None
    split : "train", "valid" or "test"
    network : NetworkSpec or NetworkConfig
        Has the number of steps, and more classes than the highest label.
    binning : dict
        As `binning_of` makes it, but perhaps read from a file that cannot be trusted. Other keys are ignored.
    samples : int, optional
        Only the first so many.
    at_most : int, optional
        Only the first so many, or all if there are fewer.
    model : Path, optional
        Where the binning comes from, for messages.

    Raises
    ------
    InputError
        If the file or the binning is damaged, the file has no sample or fewer than `samples`, or classes that the
        network has not; or if the shipped sample is not of the network's data set.
    """
    from spikewright.data.sets import file_of, load_split
    from spikewright.data.shd import CHANNELS

    where = f"{model}: metadata: " if model else "metadata of the model: "
    timestep, bin_width = binning.get("timestep", 0.010), binning.get("bin_width", 5)
    if type(timestep) not in (int, float) or not 0 < timestep <= _LONGEST:
        raise InputError(f"{where}timestep must be above 0 and at most {_LONGEST} seconds, not {timestep!r:.60}")
    if type(bin_width) is not int or bin_width < 1 or CHANNELS % bin_width:
        raise InputError(f"{where}bin_width must divide {CHANNELS}, not {bin_width!r:.60}")
    source = data_of(binning, where)
    options: dict[str, Any] = {
        "timesteps": network.timesteps,
        "timestep": timestep,
        "bin_width": bin_width,
        "samples": samples,
    }
    if data is None:
        from spikewright.data import shd

        if source.name != "shd":
            raise InputError(f"--data must be given for a network of {source.name}, not left out")
        path = asset(SAMPLE)
        with step(f"Reading {path}"):
            loaded = shd.load(path, **options)
        if at_most is not None:
            loaded = loaded.first(at_most)
    else:
        path = file_of(source, data, split)
        with step(f"Reading {path}"):
            loaded = load_split(source, data, split, at_most=at_most, **options)
    if not len(loaded):
        raise InputError(f"{path} must hold at least one sample, not 0")
    check_classes(f"{path}: ", loaded, network)
    return loaded


def fitting(data: SpikeData, network: NetworkSpec | NetworkConfig) -> SpikeData:
    """The samples, if they are for the network.

    Raises
    ------
    InputError
        If there is none, or they have other steps or channels, or classes that the network has not.
    """
    if not len(data):
        raise InputError("data must hold at least one sample, not 0")
    check_samples("data", data.counts, network.timesteps, network.inputs)
    check_classes("data: ", data, network)
    return data


def check_classes(where: str, data: SpikeData, network: NetworkSpec | NetworkConfig) -> None:
    """Raise an InputError that begins with `where` if there is a label that is no class of the network."""
    if (highest := data.labels.max()) >= network.classes:
        raise InputError(f"{where}labels must be below {network.classes}, the classes of the network, not {highest}")


def with_rates(
    network: NetworkSpec, data: Path | None, binning: dict[str, Any], model: Path | None = None
) -> tuple[NetworkSpec, int]:
    """The network with the rates of its axons on the first training samples of a folder, and on how many of them.

    Without a folder, or a training part in it, the network as it is, and 0. Parameters and errors as `load`.
    """
    from spikewright.data.sets import file_of
    from spikewright.integer.rates import SAMPLES, measured

    if data is None or not file_of(data_of(binning), data, "train").is_file():
        return network, 0
    training = load(data, "train", network, binning, at_most=SAMPLES, model=model)
    return measured(network, training.counts), len(training)
