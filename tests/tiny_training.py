"""A configuration and recordings with which a training takes a second."""

import json
import tomllib
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import torch

from spikewright.learn.checkpoint import save_checkpoint
from spikewright.learn.config import from_dict, override
from spikewright.learn.networks import SpikingNetwork
from spikewright.learn.sparsity import sparsity

CONFIG = """
[network]
inputs = 10
classes = 3
timesteps = 12
bin_width = 70

[[network.layers]]
neurons = 8

[[network.layers]]
neurons = 8
recurrent = true
delay_low = 0.0
delay_high = 4.0
max_delay = 6

[training]
epochs = 2
batch = 32
lr = 0.01
lam = 0.02
target_sparsity = 0.0
density = 0.6
schedule = "none"
sigma = 2.0
logit_scale = 5.0
validation_speakers = [2]
"""


def write_words(path: Path, samples: int = 90, seed: int = 0) -> None:
    """Three "words" that differ in how their pitch moves, from three speakers, in the format of SHD."""
    rng = np.random.default_rng(seed)
    with h5py.File(path, "w") as file:
        times = file.create_dataset("spikes/times", (samples,), dtype=h5py.vlen_dtype(np.float32))
        units = file.create_dataset("spikes/units", (samples,), dtype=h5py.vlen_dtype(np.uint16))
        labels = np.arange(samples) % 3
        for sample, label in enumerate(labels):
            time = np.sort(rng.uniform(0, 0.12, 100))
            unit = 350 + (-2500, 0, 2500)[label] * (time - 0.06) + rng.normal(0, 50, 100)
            times[sample], units[sample] = time, np.clip(unit, 0, 699).astype(np.uint16)
        file["labels"] = labels
        file["extra/speaker"] = np.arange(samples) // 3 % 3


def write_all(folder: Path) -> tuple[Path, Path]:
    """The configuration file and the folder of the recordings, both parts, in `folder`."""
    data = folder / "words"
    data.mkdir()
    write_words(data / "shd_train.h5")
    write_words(data / "shd_test.h5", 60, seed=1)
    config = folder / "tiny.toml"
    config.write_text(CONFIG)
    return config, data


def write_run(
    folder: Path,
    *,
    logged: int | None = None,
    accuracy: float = 0.8,
    network_seed: int = 0,
    diverged: str | None = None,
    **settings: object,
) -> Path:
    """The folder of a run as `train` leaves it, without training: the best epoch is the last but one, or the only one.

    Fewer epochs `logged` than configured make it unfinished; the network is random, and as sparse as the log says.
    """
    config = from_dict(tomllib.loads(CONFIG))
    trained = {name: value for name, value in settings.items() if hasattr(config.training, name)}
    config = replace(config, training=replace(config.training, **trained))
    config = override(config, {name: str(value) for name, value in settings.items() if name not in trained})
    epochs = config.training.epochs
    logged = epochs if logged is None else logged
    folder.mkdir(parents=True)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(network_seed)
        density = 1.0 if config.training.optimizer == "adam" else 0.5
        network = SpikingNetwork(config.network, density)
    entries = [
        {
            "epoch": epoch,
            "loss": 2.0 / epoch,
            "accuracy": 0.9,
            "validation_loss": 1.5 / epoch,
            "validation_accuracy": accuracy if epoch == max(1, epochs - 1) else accuracy / 2,
            "sparsity": sparsity(network.weight_matrices().values()),
            "lam": config.training.lam,
            "sigma": 0.5,
            "lr": 0.01,
            "rates": [0.25, 0.125],
            "seconds": 1.5 * epoch,
        }
        for epoch in range(1, logged + 1)
    ]
    (folder / "config.json").write_text(json.dumps(config.to_dict()))
    (folder / "log.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    if logged == epochs:
        save_checkpoint(folder / "checkpoint.safetensors", network, config, entries[max(1, epochs - 1) - 1])
    if diverged is not None:
        (folder / "diverged.json").write_text(json.dumps({"message": diverged}))
    return folder
