"""The section of a configuration that names a data set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from spikewright.support.checks import require


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Which data set, and how it becomes the network's input; see `spikewright.data.sets`."""

    name: Literal["shd", "ssc", "psmnist"] = "shd"
    """Names the files in the data folder: shd_train.h5, ssc_train.h5, train-images-idx3-ubyte.gz, and so on."""
    permutation_seed: int = 0
    """Of the order in which psmnist shows the pixels, the same one for all samples."""
    pool: int = 1
    """Side of the squares of pixels that psmnist averages: 2 makes 28 x 28 pixels 14 x 14, and a quarter of the
    steps. Must divide 28."""
    training_samples: int = 0
    """Only the first so many samples of the training part, validation included; 0 takes all."""

    def __post_init__(self) -> None:
        require(0 <= self.permutation_seed < 1 << 31, "permutation_seed", "0 .. 2147483647", self.permutation_seed)
        require(self.pool in (1, 2, 4, 7, 14), "pool", "one of 1, 2, 4, 7, 14", self.pool)
        require(self.training_samples >= 0, "training_samples", "at least 0", self.training_samples)

    @property
    def pixels(self) -> int:
        """Pixels of an image after pooling: the steps of a sample of psmnist."""
        return (28 // self.pool) ** 2
