"""Samples of data sets, binned as a network takes them."""

from __future__ import annotations

import os
from pathlib import Path

from spikewright.api.source import AnyNetwork, AnyPath, opened
from spikewright.data.shd import SpikeData
from spikewright.integer.recordings import binning_of, load
from spikewright.learn.config import Config, load_config, shipped


def load_data(
    data: AnyPath = "sample",
    split: str = "test",
    *,
    network: AnyNetwork | Config | None = None,
    samples: int | None = None,
) -> SpikeData:
    """Samples of a data set as the input of a network.

    Parameters
    ----------
    data : path
        Folder with the files of the data set, such as `shd_train.h5` and `shd_test.h5`; or `sample`: the few
        recordings of spoken digits that are shipped, the same ones for every part.
    split : "train", "valid" or "test"
        Part of the data set; valid for SSC only.
    network : network, its path, Config or name of a shipped configuration, optional
        Whose input the samples shall be: it says which data set, how many steps, and how recordings are binned. By
        default 100 steps of 10 ms and 140 channels, as the shipped networks of the Spiking Heidelberg Digits have them.
    samples : int, optional
        Only the first so many.

    Returns
    -------
    SpikeData
        `counts` (samples, timesteps, channels), 0 .. 255, and `labels` (samples,).

    Raises
    ------
    InputError
        If a file is missing or damaged, or holds fewer samples, or classes that the network has not.
    """
    if network is None:
        network = "shd"
    if isinstance(network, str | os.PathLike) and (str(network) in shipped() or str(network).endswith(".toml")):
        network = load_config(os.fspath(network))
    if isinstance(network, Config):
        return load(Path(data), split, network.network, binning_of(network.network, network.data), samples)
    return opened(network).samples(data, split, samples)


def make_digits(out: AnyPath, *, samples_per_class: int = 20, seed: int = 0) -> Path:
    """Make recordings of spoken digits as spikes: by a speech synthesizer, heard by a model of the inner ear.

    Twenty words, zero to nine in English and German, in the file format of the Spiking Heidelberg Digits. Takes about
    a second for forty recordings.

    Parameters
    ----------
    out : path
        Folder to make, with `shd_train.h5` and `shd_test.h5`; one that this made before is replaced.
    samples_per_class : int
        Recordings of each word, at least 2; a fifth is for testing, by voices that the others are not by.
    seed : int
        At least 0. The same seed and number give the same spikes.

    Returns
    -------
    Path
        The folder, as `load_data` and `train` take it.

    Raises
    ------
    InputError
        If a number is out of its range, or `out` is somebody else's folder.
    """
    from spikewright.data.synth import synth

    synth(out, samples_per_class=samples_per_class, seed=seed)
    return Path(out)
