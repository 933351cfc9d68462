"""MNIST images as sequences of pixels (PSMNIST): the four gzipped IDX files as published, one pixel a step.

An IDX file starts with a magic number (two zero bytes, the type of the elements, the number of dimensions) and the
dimensions as big-endian 32-bit integers; the elements follow, the last dimension fastest. The files are those of
LeCun, Cortes, Burges, "The MNIST database of handwritten digits".

The permuted sequence is due to Le, Jaitly, Hinton, "A Simple Way to Initialize Recurrent Networks of Rectified Linear
Units", 2015: one random order of the pixels, the same one for all images.
"""

from __future__ import annotations

import gzip
import os
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from spikewright.contract.errors import InputError
from spikewright.data.shd import SpikeData

SIDE = 28
"""Rows and columns of an image."""

KEYS = tuple("0123456789")

FILES = {
    "train": ("train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"),
    "test": ("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"),
}
"""Images and labels of each part, as published."""

MAX_SAMPLES = 1_000_000
"""More images than this are a damaged header, not a data set."""

_UNSIGNED_BYTES = 0x08

Bytes = npt.NDArray[np.uint8]


def read_idx(path: Path, shape: tuple[int, ...]) -> Bytes:
    """Elements of a gzipped IDX file of unsigned bytes.

    Parameters
    ----------
    path : Path
    shape : tuple of int
        Dimensions after the first one, which is the number of samples.

    Returns
    -------
    uint8 array, shape (samples, *shape)

    Raises
    ------
    InputError
        The file is missing, damaged or cut short, or not of this kind; names the file.
    """
    if not path.is_file():
        what = "a folder" if path.is_dir() else "a device" if path.exists() else "missing"
        raise InputError(f"{path} must be a gzipped IDX file, not {what}")
    dimensions = 1 + len(shape)
    header = 4 + 4 * dimensions
    try:
        with gzip.open(path) as file:
            head = file.read(header)
            magic = bytes((0, 0, _UNSIGNED_BYTES, dimensions))
            if len(head) < header or head[:4] != magic:
                found = head[:4].hex() if head else "nothing"
                raise InputError(f"{path} must be an IDX file with magic number {magic.hex()}, not {found}")
            samples, *rest = (int(n) for n in np.frombuffer(head, ">u4", offset=4))
            if tuple(rest) != shape:
                raise InputError(
                    f"{path}: samples must be of {' x '.join(map(str, shape))} bytes, not {' x '.join(map(str, rest))}"
                )
            if samples > MAX_SAMPLES:
                raise InputError(f"{path}: samples must be at most {MAX_SAMPLES}, not {samples}")
            size = samples * int(np.prod(shape, dtype=np.int64))
            # One byte more than there should be: the end is reached, and so the check sum behind it.
            content = file.read(size + 1)
    except InputError:
        raise
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path} must be a complete gzip file, not a damaged or different one ({error})") from error
    if len(content) != size:
        found = "more" if len(content) > size else str(len(content))
        raise InputError(f"{path} must hold {size} bytes for {samples} samples, not {found}")
    return np.frombuffer(content, np.uint8).reshape(samples, *shape)


def pixel_order(pixels: int, seed: int) -> npt.NDArray[np.int64]:
    """Order in which the pixels are shown: entry t is the pixel (row by row) of step t.

    It is `numpy.random.RandomState(seed).permutation(pixels)`, whose results NumPy has frozen: the same in every
    version and on every machine.
    """
    return np.random.RandomState(seed).permutation(pixels).astype(np.int64)


def pooled(images: Bytes, side: int) -> Bytes:
    """Means over squares of `side` x `side` pixels, rounded to the nearest integer (halves up).

    Parameters
    ----------
    images : uint8 array, shape (samples, height, width)
        Height and width divisible by `side`.
    side : int
    """
    if side == 1:
        return images
    samples, height, width = images.shape
    squares = images.reshape(samples, height // side, side, width // side, side)
    area = side * side
    sums = squares.sum(axis=(2, 4), dtype=np.uint32)
    means: Bytes = ((sums + area // 2) // area).astype(np.uint8)
    return means


def load_split(
    data_dir: str | os.PathLike[str],
    split: str,
    *,
    permutation_seed: int = 0,
    pool: int = 1,
    samples: int | Sequence[int] | npt.NDArray[np.int64] | None = None,
) -> SpikeData:
    """Read the training or the test part of MNIST as permuted sequences.

    Parameters
    ----------
    data_dir : path
        Folder with the four files as published.
    split : "train" or "test"
    permutation_seed : int
        Seed that `pixel_order` is called with.
    pool : int
        Side of the squares of pixels that are averaged before the permutation; must divide 28.
    samples : int or sequence of int, optional
        Only the first so many samples, or these in this order. Default: all.

    Returns
    -------
    SpikeData
        ``counts`` of shape (samples, (28 / pool) ** 2, 1) holds the pixels, 0-255; a step with a pixel of 0 has no
        event. Speakers are -1.

    Raises
    ------
    InputError
        A bad parameter, or a file that is missing, damaged, or at odds with the other one.
    """
    if split not in FILES:
        raise InputError(f"split of psmnist must be {' or '.join(FILES)}, not {split}")
    if pool < 1 or SIDE % pool:
        raise InputError(f"pool must divide {SIDE}, not {pool}")
    image_file, label_file = (Path(data_dir) / name for name in FILES[split])
    labels = read_idx(label_file, ())
    images = read_idx(image_file, (SIDE, SIDE))
    if len(images) != len(labels):
        raise InputError(f"{label_file} must hold {len(images)} labels as {image_file.name} images, not {len(labels)}")
    bad = np.flatnonzero(labels >= len(KEYS))
    if len(bad):
        raise InputError(f"{label_file}: sample {bad[0]}: labels must be 0 .. 9, not {labels[bad[0]]}")
    chosen = _select(samples, len(labels), image_file)
    pixels = pooled(images[chosen], pool).reshape(len(chosen), -1)
    counts = pixels[:, pixel_order(pixels.shape[1], permutation_seed), None]
    return SpikeData(
        np.ascontiguousarray(counts), labels[chosen].astype(np.int64), np.full(len(chosen), -1, np.int64), KEYS
    )


def _select(
    samples: int | Sequence[int] | npt.NDArray[np.int64] | None, present: int, path: Path
) -> npt.NDArray[np.int64]:
    if samples is None:
        samples = present
    if isinstance(samples, int):
        if not 0 <= samples <= present:
            raise InputError(f"samples must be between 0 and {present} (all of {path}), not {samples}")
        return np.arange(samples, dtype=np.int64)
    rows = np.asarray(samples, np.int64)
    bad = np.flatnonzero((rows < 0) | (rows >= present))
    if len(bad):
        raise InputError(f"samples must be rows between 0 and {present - 1} of {path}, not {rows[bad[0]]}")
    return rows
