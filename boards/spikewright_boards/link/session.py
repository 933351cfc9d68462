"""A conversation with a board: which core it has, load images, samples, and what to do when bytes are lost."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy.typing as npt

from spikewright.contract.errors import InputError, ToolTrouble
from spikewright.contract.stream import StreamFormat

from .host import Identity, LoadReply, Result, ResultDecoder, beats, encode, encode_load, encode_question
from .protocol import LINE_ERROR, OVERFLOW, PROTOCOL_ERROR, UNLOADED

PATIENCE = 2.0
"""Seconds that an answer may take, behind what its question takes on the line."""
TRIES = 3
_LOOK = 0.05
FLAGS = {
    OVERFLOW: "the board's queue was full",
    LINE_ERROR: "a byte came without its stop bit",
    PROTOCOL_ERROR: "a frame was cut short",
    UNLOADED: "the core had no network",
}


class Port(Protocol):
    """What `SerialPort` is, and the emulator's end of a line."""

    name: str
    baud: int

    def write(self, data: bytes) -> None: ...
    def read(self, seconds: float) -> bytes: ...
    def send_break(self) -> None: ...
    def overdue(self, seconds: float, patience: float) -> bool: ...
    def latency(self, measured: float) -> float: ...
    def close(self) -> None: ...


class NoAnswer(ToolTrouble):
    """The board did not answer; no verdict on the core."""


@dataclass(frozen=True)
class Answer:
    """A result, and how it came.

    Parameters
    ----------
    result : Result
    latency : float
        Seconds from the last byte sent to the first byte of the result.
    tries : int
        How often the sample was sent; more than once if bytes were lost.
    """

    result: Result
    latency: float
    tries: int


class Session:
    """A conversation with one board.

    Parameters
    ----------
    port : Port
    stream : StreamFormat
        Of the build folder.
    patience : float
        Seconds that an answer may take.
    """

    def __init__(self, port: Port, stream: StreamFormat, *, patience: float = PATIENCE) -> None:
        self.port = port
        self.stream = stream
        self._patience = patience
        self._decoder = ResultDecoder(stream)
        self._stuck = 0

    def begin(self, fingerprint: int | None = None) -> Identity:
        """Start bridge and core over by a break, and see which core answers.

        Flags that are set even so, as some adapters make no break, say nothing of what is sent from now on.

        Parameters
        ----------
        fingerprint : int, optional
            The board must have this core.

        Raises
        ------
        InputError
            If the board has another core, does not answer, or speaks at another rate.
        """
        heard = 0
        for _ in range(TRIES):
            self._restart()
            before = len(self._decoder.identities)
            self.port.write(encode_question(self.stream))
            decoder = self._decoder
            _, count = self._wait(lambda: len(decoder.identities) > before, self._patience)  # noqa: B023
            heard += count
            if len(self._decoder.identities) > before:
                identity = self._decoder.identities[-1]
                self._stuck = identity.flags
                return self._checked(identity, fingerprint)
        name, baud = self.port.name, self.port.baud
        if heard:
            raise NoAnswer(
                f"the board at {name} must answer at {baud} baud, not with {heard} bytes that mean nothing: "
                "is its rate another one, or is it another device?"
            )
        raise NoAnswer(
            f"the board at {name} must answer within {self._patience:g} s, not be silent: "
            "is it programmed, is this its port, and its rate?"
        )

    def _checked(self, identity: Identity, fingerprint: int | None) -> Identity:
        if fingerprint is not None and identity.fingerprint != fingerprint:
            raise InputError(
                f"the board at {self.port.name} must have the core of this build folder (fingerprint "
                f"{fingerprint:07x}), not another one ({identity.fingerprint:07x}): program it with the bitstream "
                "that `spikewright synth` made of this folder"
            )
        return identity

    def load(self, image: bytes) -> None:
        """Load a network into a core that takes one.

        Raises
        ------
        InputError
            If the core takes none, or refuses the image.
        """
        data = encode_load(image, self.stream)
        reply: LoadReply | None = None
        for _ in range(TRIES):
            decoder, before = self._decoder, len(self._decoder.loads)
            self.port.write(data)
            self._wait(lambda: len(decoder.loads) > before, self._patience + self._seconds(data))  # noqa: B023
            if len(decoder.loads) > before:
                reply = decoder.loads[-1]
                if reply.loaded and not reply.flags & ~self._stuck:
                    return
            self._restart()
        if reply is None:
            raise NoAnswer(f"the board at {self.port.name} must answer to a load image, not be silent")
        raise InputError(
            f"the board at {self.port.name} must take the load image, not refuse it in {TRIES} tries"
            f"{_because(reply.flags)}"
        )

    def ask(self, counts: npt.ArrayLike, reload: Callable[[], object] | None = None) -> Answer:
        """Send a sample, and wait for its result; if bytes were lost, start over by a break and send it again.

        Parameters
        ----------
        counts : (T, axons) integers
        reload : callable, optional
            Loads the network again after a break, which makes a core forget it.

        Raises
        ------
        NoAnswer
            If the sample does not get through in `TRIES` tries.
        """
        data, expected = encode(counts, self.stream), beats(counts)
        said = "silence"
        for attempt in range(TRIES):
            self.port.write(data)
            sent = time.monotonic()
            results, _ = self._wait(lambda: False, self._patience + self._seconds(data), first=True)
            if results:
                latency = self.port.latency(max(0.0, self._came - sent))
                result = results[0]
                lost = result.flags & ~self._stuck
                if result.beats == expected and not lost and not result.out_of_range:
                    return Answer(result, latency, attempt + 1)
                said = f"{result.beats} of its {expected} beats{_because(lost)}"
                if result.out_of_range:
                    said += ", an event out of range"
            self._restart()
            if reload is not None:
                reload()
        raise NoAnswer(f"a sample must reach the board at {self.port.name} whole, not with {said} after {TRIES} tries")

    def _restart(self) -> None:
        self.port.send_break()
        self._decoder = ResultDecoder(self.stream)

    def _seconds(self, data: bytes) -> float:
        return 10 * len(data) / self.port.baud

    def _wait(self, enough: Callable[[], bool], patience: float, *, first: bool = False) -> tuple[list[Result], int]:
        """Results until there is `enough`, or the `first` is there, or none will come; and how many bytes came."""
        results: list[Result] = []
        heard = 0
        since = time.monotonic()
        while not enough() and not (first and results):
            data = self.port.read(_LOOK)
            now = time.monotonic()
            if data:
                if not heard:
                    self._came = now
                heard += len(data)
                results += self._decoder.feed(data)
                since = now
            elif self.port.overdue(now - since, patience):
                break
        return results, heard

    _came = 0.0
    """When the first byte of the last answer came."""

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: Any) -> None:
        self.port.close()


def _because(flags: int) -> str:
    reasons = [reason for flag, reason in FLAGS.items() if flags & flag]
    return f" ({'; '.join(reasons)})" if reasons else ""
