"""A configuration and recordings with which a training takes a second."""

from pathlib import Path

import h5py
import numpy as np

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
