"""Samples of the parts of a data set as a network takes them: those to train on, and those to choose the epoch by."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from spikewright.contract.errors import InputError
from spikewright.contract.integers import check_labels, check_samples
from spikewright.learn.config import Config, TrainingConfig

if TYPE_CHECKING:
    from spikewright.data.shd import SpikeData


@dataclass(frozen=True)
class Samples:
    """Counts (samples, T, I) uint8, labels (samples,) int64."""

    counts: Tensor
    labels: Tensor

    def __post_init__(self) -> None:
        check_labels(self.labels, len(self.counts))

    def __len__(self) -> int:
        return len(self.labels)


def load_parts(config: Config, data: Path | SpikeData) -> tuple[Samples, Samples]:
    """Training and validation samples: the published validation part of SSC where its file is, else by `split`.

    `data` is a folder with the files of the data set, or the samples themselves, all of which are for training.

    Raises
    ------
    InputError
        If the data does not fit the configuration, or a part has too few samples to train on, or none.
    """
    from spikewright.data.sets import PARTS, file_of
    from spikewright.data.shd import SpikeData

    if isinstance(data, SpikeData):
        parts = split(_fitting(config, data), config.training)
    elif "valid" in PARTS[config.data.name] and file_of(config.data, data, "valid").exists():
        parts = load_samples(config, data, "train")[0], load_samples(config, data, "valid")[0]
    else:
        parts = split(load_samples(config, data, "train"), config.training)
    # A batch of one sample is not trained on: a batch norm over one sample of one step would not be defined.
    for name, part, least in (("training", parts[0], 2), ("validation", parts[1], 1)):
        if len(part) < least:
            raise InputError(f"{name} part must have samples, at least {least}, not {len(part)}")
    return parts


def load_samples(config: Config, data_dir: Path, part: str) -> tuple[Samples, Tensor]:
    """Samples of a part ("train", "valid" or "test") as the network's input, and their speakers (samples,) int64."""
    from spikewright.data.sets import load_split

    network = config.network
    data = load_split(
        config.data,
        data_dir,
        part,
        timesteps=network.timesteps,
        timestep=network.timestep,
        bin_width=network.bin_width,
        at_most=config.data.training_samples or None if part == "train" else None,
    )
    return _fitting(config, data)


def _fitting(config: Config, data: SpikeData) -> tuple[Samples, Tensor]:
    """Samples and their speakers, if they are for the network of the configuration."""
    network = config.network
    if data.counts.shape[2] != network.inputs:
        raise InputError(
            f"network.inputs must be {data.counts.shape[2]}, the channels of the data, not {network.inputs}"
        )
    check_samples("data", data.counts, network.timesteps, network.inputs)
    labels = torch.from_numpy(data.labels)
    if len(labels) and int(labels.max()) >= network.classes:
        raise InputError(
            f"network.classes must be above {int(labels.max())}, the highest label of the data, not {network.classes}"
        )
    return Samples(torch.from_numpy(data.counts), labels), torch.from_numpy(data.speakers)


def split(data: tuple[Samples, Tensor], training: TrainingConfig) -> tuple[Samples, Samples]:
    """Training and validation samples: the configured speakers are held out, or else every tenth sample.

    Raises
    ------
    InputError
        If a held-out speaker is not in the data, or nobody is left on one side.
    """
    samples, speakers = data
    if training.validation_speakers:
        held = torch.zeros(len(samples), dtype=torch.bool)
        for speaker in training.validation_speakers:
            if not bool((speakers == speaker).any()):
                known = ", ".join(map(str, sorted(set(speakers.tolist()))))
                raise InputError(f"validation_speakers must be among {known}, not {speaker}")
            held |= speakers == speaker
    else:
        order = torch.randperm(len(samples), generator=torch.Generator().manual_seed(training.seed))
        held = torch.zeros(len(samples), dtype=torch.bool)
        held[order[::10]] = True
    if bool(held.all()) or not bool(held.any()):
        raise InputError(f"training part must have samples to train on and to hold out, not {len(samples)} in all")
    return (
        Samples(samples.counts[~held], samples.labels[~held]),
        Samples(samples.counts[held], samples.labels[held]),
    )
