"""The streams of a core: where axon, value and mark lie in a beat, and how wide a result is."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from spikewright.contract.core import CoreSpec
from spikewright.contract.errors import InputError
from spikewright.contract.integers import unsigned_bits


@dataclass(frozen=True, kw_only=True)
class StreamFormat:
    """Widths of a core's streams: the `stream` entry of its manifest.

    Parameters
    ----------
    axon_bits : int
        1 .. 16.
    value_bits : int
        1 .. 16.
    input_bytes : int
        Bytes of an input beat; the smallest number that holds axon, value and mark.
    output_bytes : int
        1 .. 8: bytes of a result beat.
    classes : int
        1 .. 65536; with an error flag on top, a class must fit a result beat.
    events : int
        1 or 2: events of an input beat. The second has its axon and value above the mark; a value of 0 says that there
        is none, so that beats of one event are good for any core.
    loadable : bool
        The core is loaded at run time.
    shape : (int, int), optional
        Steps and axons of a sample of the network, where it is known.

    Raises
    ------
    InputError
        If an entry is out of range, or contradicts another.
    """

    axon_bits: int
    value_bits: int
    input_bytes: int
    output_bytes: int
    classes: int
    events: int = 1
    loadable: bool = False
    shape: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        for name, high in (("axon_bits", 16), ("value_bits", 16), ("output_bytes", 8), ("classes", 1 << 16)):
            _check(name, getattr(self, name), 1, high)
        _check("events", self.events, 1, 2)
        least = -(-(self.events * self.mark_bit + 1) // 8)
        _check("input_bytes", self.input_bytes, least, least)
        if (self.classes - 1).bit_length() + 1 > 8 * self.output_bytes:
            raise InputError(
                f"manifest entry stream.output_bytes must hold the {self.classes} classes and a flag, "
                f"not {self.output_bytes}"
            )

    @property
    def mark_bit(self) -> int:
        """Position of the mark in an input beat, above axon and value."""
        return self.axon_bits + self.value_bits

    @classmethod
    def of(cls, core: CoreSpec) -> StreamFormat:
        """That of a core."""
        network = core.network
        axon_bits = unsigned_bits(network.inputs - 1)
        return cls(
            axon_bits=axon_bits,
            value_bits=network.value_bits,
            input_bytes=-(-(core.beat_events * (axon_bits + network.value_bits) + 1) // 8),
            output_bytes=-(-core.score_bits // 8),
            classes=network.classes,
            events=core.beat_events,
            loadable=core.loadable,
            shape=(network.timesteps, network.inputs),
        )

    def widths(self) -> dict[str, int]:
        """As in the `stream` entry of a manifest."""
        return {
            "input_bytes": self.input_bytes,
            "axon_bits": self.axon_bits,
            "value_bits": self.value_bits,
            "mark_bit": self.mark_bit,
            "output_bytes": self.output_bytes,
            "classes": self.classes,
            **({"events": self.events} if self.events > 1 else {}),
        }

    @classmethod
    def from_manifest(cls, manifest: Mapping[str, Any]) -> StreamFormat:
        """The format of a build folder's core.

        Raises
        ------
        InputError
            If the manifest has no valid `stream` entry.
        """
        entry = manifest.get("stream")
        if not isinstance(entry, Mapping):
            found = "missing" if entry is None else f"{entry!r:.60}"
            raise InputError(f"manifest entry stream must be an object with the widths of the streams, not {found}")
        names = ("axon_bits", "value_bits", "input_bytes", "output_bytes", "classes")
        loadable = "load" in manifest
        shape = manifest.get("sample")
        if shape is not None:
            numbers = shape if isinstance(shape, list) else []
            if len(numbers) != 2 or not all(type(value) is int and value > 0 for value in numbers):
                raise InputError(f"manifest entry sample must be [steps, axons], not {shape!r:.60}")
        events = entry.get("events", 1)
        result = cls(
            events=events,
            **{name: entry.get(name) for name in names},  # type: ignore[arg-type]
            loadable=loadable,
            shape=None if shape is None else (shape[0], shape[1]),
        )
        _check("mark_bit", entry.get("mark_bit"), result.mark_bit, result.mark_bit)
        return result


def events_of(
    values: npt.NDArray[np.integer], axon_bits: int, mark_bit: int, together: int = 1
) -> list[tuple[int, int]]:
    """Input beats (tdata, tlast) of a sample (T, inputs): per step its events by rising axon, then a mark.

    A beat has so many events `together`, see `StreamFormat.events`.
    """
    words: list[tuple[int, int]] = []
    for t, row in enumerate(values):
        events = [int(axon) | int(row[axon]) << axon_bits for axon in np.flatnonzero(row)]
        if together > 1:
            pairs = itertools.zip_longest(events[::2], events[1::2], fillvalue=0)
            events = [first | second << mark_bit + 1 for first, second in pairs]
        words += [(event, 0) for event in events]
        words.append((1 << mark_bit, int(t == len(values) - 1)))
    return words


def _check(name: str, value: object, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        constraint = f"{low} .. {high}" if low < high else f"{low}"
        raise InputError(f"manifest entry stream.{name} must be {constraint}, not {value!r}")
