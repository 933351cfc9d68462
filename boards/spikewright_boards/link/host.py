"""The host's end of a board's serial line: samples and load images to bytes, bytes to results."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spikewright.contract.errors import InputError
from spikewright.contract.stream import StreamFormat

from .protocol import (
    BEAT_COUNT_BITS,
    FINGERPRINT_BITS,
    FLAG_BITS,
    IDENTITY,
    LOAD_REPLY,
    LOADED,
    START,
    frame,
    groups,
)


def encode(counts: npt.ArrayLike, stream: StreamFormat) -> bytes:
    """Bytes that carry one sample to the board.

    Parameters
    ----------
    counts : (T, axons) integers
        Events per step and axon, 0 .. 2**value_bits - 1.
    stream : StreamFormat

    Raises
    ------
    InputError
        If the sample has no step, is of another shape than those of the network, or has axons or counts beyond the
        stream's widths.
    """
    array = np.asarray(counts)
    if array.ndim != 2 or array.shape[0] < 1 or not np.issubdtype(array.dtype, np.integer):
        raise InputError(f"counts must be integers (T, axons) of at least 1 step, not {array.dtype} {array.shape}")
    if stream.shape is not None and array.shape != stream.shape:
        steps, axons = stream.shape
        raise InputError(f"counts must be ({steps} steps, {axons} axons), not {array.shape}")
    if array.shape[1] > 1 << stream.axon_bits:
        raise InputError(f"axons must be at most {1 << stream.axon_bits}, not {array.shape[1]}")
    high = (1 << stream.value_bits) - 1
    if array.size and not 0 <= array.min() <= array.max() <= high:
        raise InputError(f"counts must be 0 .. {high}, not {array.min()} .. {array.max()}")
    bits = stream.mark_bit + 1
    data = bytearray()
    for step, row in enumerate(array):
        for axon in np.flatnonzero(row):
            data += frame(int(axon) | int(row[axon]) << stream.axon_bits, bits)
        data += frame(int(step == len(array) - 1) | 1 << stream.mark_bit, bits)
    return bytes(data)


def encode_load(image: bytes, stream: StreamFormat) -> bytes:
    """Bytes that carry a load image to the board, which answers with a `LoadReply`.

    Parameters
    ----------
    image : bytes
        `weights.bin` of the build folder, or by `spikewright generate --image-for`.
    stream : StreamFormat

    Raises
    ------
    InputError
        If the core is not loaded at run time, or the image is empty.
    """
    if not stream.loadable:
        raise InputError("a core must be made by `generate --weights loadable` to take a load image")
    if not image:
        raise InputError("a load image must have at least 1 byte, not 0")
    bits = np.unpackbits(np.frombuffer(image, dtype=np.uint8), bitorder="little")
    sevens = np.pad(bits, (0, -len(bits) % 7)).reshape(-1, 7)
    body = np.packbits(sevens, axis=1, bitorder="little").tobytes()
    command = 1 << stream.axon_bits | 1 << stream.mark_bit
    return frame(command, stream.mark_bit + 1) + body + frame(command | 1, stream.mark_bit + 1)


def encode_question(stream: StreamFormat) -> bytes:
    """Bytes that ask the board which core it has; it answers with an `Identity`."""
    return frame(1 | 1 << stream.axon_bits | 1 << stream.mark_bit, stream.mark_bit + 1)


def beats(counts: npt.ArrayLike) -> int:
    """Input beats of a sample, to compare with `Result.beats`: one per event and one per step, modulo 2**14."""
    array = np.asarray(counts)
    return (int(np.count_nonzero(array)) + len(array)) % (1 << BEAT_COUNT_BITS)


@dataclass(frozen=True)
class Result:
    """What the board answers to a sample.

    Parameters
    ----------
    scores : tuple of int
        One per class.
    label : int
        The class.
    out_of_range : bool
        The core saw an event that it does not accept.
    flags : int
        `OVERFLOW`, `LINE_ERROR`, `PROTOCOL_ERROR`, `UNLOADED`: something was lost since the last break.
    beats : int
        Beats that reached the core, modulo 2**14.
    """

    scores: tuple[int, ...]
    label: int
    out_of_range: bool
    flags: int
    beats: int

    @property
    def ok(self) -> bool:
        """Nothing was lost, and the core accepted everything."""
        return not self.flags and not self.out_of_range


@dataclass(frozen=True)
class LoadReply:
    """What the board answers to a load image.

    Parameters
    ----------
    loaded : bool
        The core found the image whole, and meant for it. Otherwise it was refused.
    flags : int
        As of `Result`.
    """

    loaded: bool
    flags: int

    @property
    def ok(self) -> bool:
        """Loaded, and nothing was lost since the last break."""
        return self.loaded and not self.flags


@dataclass(frozen=True)
class Identity:
    """What the board answers to the question which core it has.

    Parameters
    ----------
    fingerprint : int
        By `protocol.fingerprint`, of the build folder that the bitstream was made of.
    loaded : bool
        The core has a network.
    flags : int
        As of `Result`.
    """

    fingerprint: int
    loaded: bool
    flags: int


class ResultDecoder:
    """Results from the bytes of a board, in pieces of any size.

    Parameters
    ----------
    stream : StreamFormat

    Attributes
    ----------
    dropped : int
        Bytes that belong to no complete frame: the rest of one that was cut off by a break, or after lost bytes.
    loads : list of LoadReply
        Answers to load images, in the order they came.
    identities : list of Identity
        Answers to questions, likewise.
    """

    def __init__(self, stream: StreamFormat) -> None:
        self._stream = stream
        self._group = groups(8 * stream.output_bytes)
        self._length = 3 + self._group * (stream.classes + 1)
        self._frame = bytearray()
        self.dropped = 0
        self.loads: list[LoadReply] = []
        self.identities: list[Identity] = []

    @property
    def frame_length(self) -> int:
        """Bytes of one result."""
        return self._length

    def feed(self, data: bytes) -> list[Result]:
        """Results that are complete with these bytes."""
        results = []
        for byte in data:
            if byte & START:
                self.dropped += len(self._frame)
                self._frame.clear()
                if byte & LOAD_REPLY and not byte & IDENTITY:
                    self.loads.append(LoadReply(bool(byte & LOADED), byte & ((1 << FLAG_BITS) - 1)))
                    continue
            elif not self._frame:
                self.dropped += 1
                continue
            self._frame.append(byte)
            head = self._frame[0]
            if head & LOAD_REPLY:
                if len(self._frame) == 1 + groups(FINGERPRINT_BITS):
                    told, flags = _join(bytes(self._frame[1:])), head & ((1 << FLAG_BITS) - 1)
                    self.identities.append(Identity(told, bool(head & LOADED), flags))
                    self._frame.clear()
            elif len(self._frame) == self._length:
                results.append(self._result(bytes(self._frame)))
                self._frame.clear()
        return results

    def _result(self, data: bytes) -> Result:
        width = 8 * self._stream.output_bytes
        words = [_join(data[k : k + self._group]) for k in range(3, self._length, self._group)]
        scores = tuple(word - (1 << width) if word >> (width - 1) else word for word in words[:-1])
        return Result(
            scores=scores,
            label=words[-1] & ((1 << (width - 1)) - 1),
            out_of_range=bool(words[-1] >> (width - 1)),
            flags=data[0] & ~START,
            beats=_join(data[1:3]),
        )


def _join(body: bytes) -> int:
    return sum(byte << (7 * k) for k, byte in enumerate(body))
