"""What travels on a board's serial line.

A byte with its top bit set begins a frame, the others carry on: seven payload bits a byte, low bits first. A lost byte
therefore costs one frame and never shifts the meaning of the next ones, and it is noticed.

To the board: one frame per beat of the core's input stream,

====================  ==================================================================
bits                  meaning
====================  ==================================================================
`axon_bits`           axon of an event; of a mark: 1 if it ends the sample, 0 otherwise
`value_bits`          value of an event; of a mark: 0
1                     0: an event, 1: a mark, which ends a step
====================  ==================================================================

A mark with a value of 1 is none: where the core is loaded at run time, such a frame begins a load image (axon 0) or
ends it (axon 1). Between the two travel the bits of the image, low bits first, seven in a byte without the top bit. Any
other frame in between ends the image too, as one that was cut short.

From the board: one frame per sample,

============================  ==========================================================
bytes                         meaning
============================  ==========================================================
1                             top bit, and the flags `OVERFLOW`, `LINE_ERROR`, `PROTOCOL_ERROR`
2                             beats that reached the core in this sample, modulo 2**14
ceil(8 output_bytes / 7)      the score of a class, as often as there are classes
ceil(8 output_bytes / 7)      the class; the top bit of `output_bytes` is the core's error flag
============================  ==========================================================

and for the end of every load image a byte: the top bit, the one below it, `LOADED` and the flags. Results do not have
the bit below the top one.

A flag once set stays until a break (`rx` low for longer than a byte takes) resets the bridge and the core, which also
forgets what it was loaded with. The line has no flow control: beats wait in a queue of the board, and what comes while
that is full is dropped and sets `OVERFLOW`. Who sends a sample only after the result of the one before arrived never
fills it with anything but one sample.

A core that refuses an image has no network, and takes no events until it is loaded again: they are dropped, and set
`UNLOADED`. An image that begins while a sample is under way is dropped, and the core keeps its network: it sets
`OVERFLOW`. Send one only after all results arrived, and samples only after the answer to it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spikewright.contract.errors import InputError

OVERFLOW = 1
LINE_ERROR = 2
PROTOCOL_ERROR = 4
UNLOADED = 8
FLAG_BITS = 4

LOADED = 0x20
LOAD_REPLY = 0x40
START = 0x80
BEAT_COUNT_BITS = 14


def groups(bits: int) -> int:
    """Bytes of seven payload bits that hold `bits` bits."""
    return -(-bits // 7)


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
    loadable: bool = False
    shape: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        for name, high in (("axon_bits", 16), ("value_bits", 16), ("output_bytes", 8), ("classes", 1 << 16)):
            _check(name, getattr(self, name), 1, high)
        least = -(-(self.mark_bit + 1) // 8)
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
    def from_manifest(cls, manifest: Mapping[str, Any]) -> StreamFormat:
        """The format of a build folder's core.

        Raises
        ------
        InputError
            If the manifest has no valid `stream` entry.
        """
        entry = manifest.get("stream")
        if not isinstance(entry, Mapping):
            raise InputError("manifest entry stream must be an object with the widths of the streams, not missing")
        names = ("axon_bits", "value_bits", "input_bytes", "output_bytes", "classes")
        loadable = "load" in manifest
        shape = manifest.get("sample")
        if shape is not None:
            numbers = shape if isinstance(shape, list) else []
            if len(numbers) != 2 or not all(type(value) is int and value > 0 for value in numbers):
                raise InputError(f"manifest entry sample must be [steps, axons], not {shape!r:.60}")
        result = cls(
            **{name: entry.get(name) for name in names},  # type: ignore[arg-type]
            loadable=loadable,
            shape=None if shape is None else (shape[0], shape[1]),
        )
        _check("mark_bit", entry.get("mark_bit"), result.mark_bit, result.mark_bit)
        return result


def _check(name: str, value: object, low: int, high: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        constraint = f"{low} .. {high}" if low < high else f"{low}"
        raise InputError(f"manifest entry stream.{name} must be {constraint}, not {value!r}")


def frame(value: int, bits: int) -> bytes:
    """One frame of `bits` payload bits."""
    body = bytearray((value >> (7 * k)) & 0x7F for k in range(groups(bits)))
    body[0] |= START
    return bytes(body)
