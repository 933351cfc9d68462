"""Arrays of integers, and the bits that integers take."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from spikewright.contract.errors import InputError

IntArray = npt.NDArray[np.int64]


def signed_bits(low: int, high: int) -> int:
    """Width of the smallest two's complement number that holds every integer of `low` .. `high`."""
    return max(int(low + 1 if low < 0 else low).bit_length(), int(high + 1 if high < 0 else high).bit_length()) + 1


def unsigned_bits(high: int) -> int:
    """Width of the smallest unsigned number that holds 0 .. `high`; at least 1."""
    return max(1, int(high).bit_length())


def run_addresses(starts: IntArray, lengths: IntArray) -> IntArray:
    """Addresses of the words of all runs, one run after the other."""
    within = np.arange(int(lengths.sum())) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    addresses: IntArray = np.repeat(starts, lengths) + within
    return addresses


def frozen(value: Any, name: str, shape: tuple[int, ...]) -> IntArray:
    """A read-only copy of an array of integers; raises a TypeError or ValueError that calls it `name`."""
    array = np.asarray(value)
    if not np.issubdtype(array.dtype, np.integer):
        raise TypeError(f"{name} must be integers, not {array.dtype}")
    if not np.can_cast(array.dtype, np.int64):
        raise TypeError(f"{name} must be integers of at most 64 bits with sign, not {array.dtype}")
    if array.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, not {array.shape}")
    array = array.astype(np.int64)
    array.flags.writeable = False
    return array


def check_samples(name: str, values: Any, timesteps: int, channels: int) -> None:
    """Raise an InputError, with both shapes, unless an array or tensor is (samples, timesteps, channels).

    Where there are as many samples as steps, another order of the axes cannot be seen.
    """
    shape = tuple(values.shape)
    if len(shape) != 3 or shape[1:] != (timesteps, channels):
        raise InputError(f"{name} must be (samples, {timesteps} steps, {channels} channels), not {shape}")


def check_labels(labels: Any, samples: int) -> None:
    """Raise an InputError unless an array or tensor of labels has one for each sample."""
    if tuple(labels.shape) != (samples,):
        raise InputError(f"labels must be one for each of the {samples} samples, not of shape {tuple(labels.shape)}")


def check_range(name: str, array: IntArray, low: int, high: int) -> None:
    """Raise a ValueError that names the first place where `array` leaves low .. high."""
    outside = np.argwhere((array < low) | (array > high))
    if len(outside):
        place = tuple(outside[0].tolist())
        raise ValueError(f"{name} must be {low} .. {high}, not {array[place]} (at {', '.join(map(str, place))})")
