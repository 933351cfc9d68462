"""Small data sets in the published formats, for the tests of loading, training and the commands."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt

from spikewright.data import mnist


def write_recordings(path: Path, samples: int, *, classes: int = 35, seconds: float = 1.0) -> None:
    """Random spikes in the format of SHD and SSC, sample i of class i % classes."""
    rng = np.random.default_rng(samples)
    with h5py.File(path, "w") as file:
        times = file.create_dataset("spikes/times", (samples,), dtype=h5py.vlen_dtype(np.float16))
        units = file.create_dataset("spikes/units", (samples,), dtype=h5py.vlen_dtype(np.uint16))
        for row in range(samples):
            times[row] = np.sort(rng.random(300) * seconds).astype(np.float16)
            units[row] = rng.integers(0, 700, 300).astype(np.uint16)
        file["labels"] = np.arange(samples, dtype=np.uint16) % classes
        file["extra/speaker"] = np.arange(samples, dtype=np.uint16) % 3


def idx(array: npt.ArrayLike) -> bytes:
    """An IDX file of unsigned bytes."""
    content = np.asarray(array, np.uint8)
    head = bytes((0, 0, 8, content.ndim)) + struct.pack(f">{content.ndim}I", *content.shape)
    return head + content.tobytes()


def write_images(folder: Path, images: npt.ArrayLike, labels: npt.ArrayLike, split: str = "test") -> None:
    """A part of MNIST as published."""
    for name, array in zip(mnist.FILES[split], (images, labels), strict=True):
        (folder / name).write_bytes(gzip.compress(idx(array), mtime=0))


def write_bars(folder: Path, samples: int, split: str, seed: int = 0) -> None:
    """Images of one of two classes: something bright in the upper or in the lower half."""
    rng = np.random.default_rng(seed)
    images = np.zeros((samples, 28, 28), np.uint8)
    labels = np.arange(samples) % 2
    for image, label in zip(images, labels, strict=True):
        row = 14 * label + rng.integers(0, 8)
        image[row : row + 6] = rng.integers(100, 256, (6, 28))
    write_images(folder, images, labels, split)
