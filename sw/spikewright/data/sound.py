"""Sounds: WAV files, and words in a stream of sound."""

from __future__ import annotations

import wave
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from spikewright.contract.errors import InputError

Floats = npt.NDArray[np.float64]

FRAME = 0.010
"""Seconds over which loudness is measured."""
_FAINTEST = 0.01  # root mean square of a word, in units of full scale
_ABOVE_NOISE = 4.0  # times as loud as the quiet before it
_QUIET = 0.25  # seconds that end a word
_SHORTEST = 0.08  # seconds of a word; what is shorter is a click
_AROUND = 0.03  # seconds that are kept on both sides of a word
_LONGEST_FILE = 1 << 28


def read_wav(path: Path) -> tuple[Floats, int]:
    """The sound of a WAV file with whole samples of 1 to 4 bytes.

    Returns
    -------
    sound : float64 array, shape (n,)
        -1 .. 1, the mean of all channels.
    sample_rate : int
        In Hz.

    Raises
    ------
    InputError
        If it is no such file, or is below 8000 Hz.
    """
    try:
        if path.stat().st_size > _LONGEST_FILE:
            raise InputError(f"{path} must have at most {_LONGEST_FILE} bytes, not {path.stat().st_size}")
        with wave.open(str(path), "rb") as file:
            channels, width, rate = file.getnchannels(), file.getsampwidth(), file.getframerate()
            data = file.readframes(file.getnframes())
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror or error}") from error
    except (wave.Error, EOFError, RuntimeError) as error:
        raise InputError(f"{path} must be a WAV file with whole samples, not one with: {error or 'no end'}") from error
    if rate < 8000:
        raise InputError(f"{path}: sample rate must be at least 8000 Hz, not {rate}")
    data = data[: len(data) - len(data) % (channels * width)]
    raw = np.frombuffer(data, np.uint8).reshape(-1, width)
    if width == 1:
        sound = raw[:, 0].astype(np.float64) / 128 - 1
    else:
        # The top bytes of 32-bit numbers.
        padded = np.zeros((len(raw), 4), np.uint8)
        padded[:, 4 - width :] = raw
        sound = padded.reshape(-1).view("<i4").astype(np.float64) / (1 << 31)
    return sound.reshape(-1, channels).mean(axis=1), rate


@dataclass(frozen=True)
class Word:
    """A word in a stream of sound.

    Parameters
    ----------
    begin : float
        Seconds from the beginning of the stream.
    sound : float64 array, shape (n,)
    """

    begin: float
    sound: Floats


class Words:
    """Words in a stream of sound, told by their loudness above the quiet between them.

    Parameters
    ----------
    sample_rate : int
    longest : float
        Seconds after which a word is over even if it goes on.
    """

    def __init__(self, sample_rate: int, longest: float) -> None:
        self._rate = sample_rate
        self._frame = max(1, round(FRAME * sample_rate))
        self._longest = max(longest, _SHORTEST) + 2 * _AROUND
        self._left: Floats = np.zeros(0)
        self._heard: list[Floats] = []
        self._first = 0  # frames before `_heard`
        self._noise = 0.0
        self._spoken = self._silent = 0
        self._faintest = 1.0

    def feed(self, sound: Floats) -> Iterator[Word]:
        """Words that are over with these samples."""
        sound = np.concatenate([self._left, sound])
        whole = len(sound) // self._frame
        self._left = sound[whole * self._frame :]
        for frame in sound[: whole * self._frame].reshape(whole, self._frame):
            if (word := self._next(frame)) is not None:
                yield word

    def end(self) -> Iterator[Word]:
        """The word that the end of the stream cuts off, if there is one."""
        if self._spoken and (word := self._word()) is not None:
            yield word

    def _next(self, frame: Floats) -> Word | None:
        loudness = float(np.sqrt(np.mean(frame**2)))
        loud = loudness > max(_FAINTEST, _ABOVE_NOISE * self._noise)
        self._heard.append(frame)
        if not self._spoken and not loud:
            self._noise += (loudness - self._noise) / 50
            if len(self._heard) > round(_AROUND / FRAME):
                self._heard.pop(0)
                self._first += 1
            return None
        self._spoken += loud
        self._faintest = min(self._faintest, loudness)
        self._silent = 0 if loud else self._silent + 1
        if self._silent * FRAME >= _QUIET:
            return self._word()
        if len(self._heard) * FRAME < self._longest:
            return None
        # What never pauses is noise: what follows has to be louder.
        self._noise = max(self._noise, self._faintest)
        return self._word()

    def _word(self) -> Word | None:
        kept = len(self._heard) - max(0, self._silent - round(_AROUND / FRAME))
        enough = self._spoken * FRAME >= _SHORTEST
        word = Word(self._first * FRAME, np.concatenate(self._heard[:kept])) if enough else None
        self._first += len(self._heard)
        self._heard, self._spoken, self._silent, self._faintest = [], 0, 0, 1.0
        return word
