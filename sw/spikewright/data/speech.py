"""Words spoken by eSpeak NG, the synthesiser that the package `espeakng_loader` brings as a shared library.

The library keeps state from word to word (noise, roughness of a voice, phases), even through its own reset, so that
what it says depends on what it said before. `Speech` therefore runs it in a process of its own: the same requests in
the same order give the same samples, whatever else the program did, and a crash of the library is an error message.

Protocol of the process (`python -m spikewright.data.speech`): it writes the sample rate; for every request, a line of
JSON, it writes the number of samples and the samples. Numbers are 4 bytes, samples 2 bytes, both little-endian and
signed.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import os
import struct
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import BinaryIO

import numpy as np
import numpy.typing as npt

from spikewright.contract.errors import InputError

# Of speak_lib.h, version 1.52.
_SYNCHRONOUS, _DONT_EXIT = 2, 0x8000
_RATE, _PITCH, _RANGE = 1, 3, 4
_UTF8 = 1
_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int16), ctypes.c_int, ctypes.c_void_p)


class Speech:
    """A running synthesiser; use as a context manager.

    Attributes
    ----------
    sample_rate : int
        Sample rate of everything it says, in Hz.

    Raises
    ------
    InputError
        If the library is not installed or does not work.
    """

    sample_rate: int

    def __enter__(self) -> Speech:
        if importlib.util.find_spec("espeakng_loader") is None:
            raise InputError("speech synthesiser must be installed (pip install espeakng-loader), not missing")
        self._messages = tempfile.TemporaryFile()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "spikewright.data.speech"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._messages,
        )
        try:
            self.sample_rate = self._number()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
        self._messages.close()

    def say(
        self, text: str, voice: str, *, rate: int = 175, pitch: int = 50, pitch_range: int = 50
    ) -> npt.NDArray[np.int16]:
        """Speak a text.

        Parameters
        ----------
        text : str
        voice : str
            Language and variant as eSpeak NG names them, such as "en-us+m1".
        rate : int
            Words per minute, 80-450.
        pitch, pitch_range : int
            0-100.

        Returns
        -------
        int16 array, shape (samples,)
            Sound at `sample_rate`, with the silence around it as eSpeak NG leaves it.

        Raises
        ------
        InputError
            If eSpeak NG has no such voice, or fails.
        """
        request = {"text": text, "voice": voice, "rate": rate, "pitch": pitch, "range": pitch_range}
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(json.dumps(request).encode() + b"\n")
            self._process.stdin.flush()
        except OSError:
            raise self._failure() from None
        return np.frombuffer(self._bytes(2 * self._number()), "<i2").astype(np.int16)

    def _bytes(self, count: int) -> bytes:
        assert self._process.stdout is not None
        data = self._process.stdout.read(count)
        if len(data) < count:
            raise self._failure()
        return data

    def _number(self) -> int:
        return int(struct.unpack("<i", self._bytes(4))[0])

    def _failure(self) -> InputError:
        code = self._process.wait()
        self._messages.seek(0)
        lines = self._messages.read().decode(errors="replace").strip().splitlines()
        return InputError(lines[-1] if lines else f"speech synthesiser must keep running, not end with code {code}")


def serve(requests: BinaryIO, sound: BinaryIO) -> None:
    """Speak for `Speech` until the requests end; SystemExit with a message where eSpeak NG fails."""
    import espeakng_loader

    data = Path(espeakng_loader.get_data_path())
    try:
        library = ctypes.CDLL(espeakng_loader.get_library_path())
    except OSError as error:
        raise SystemExit(f"speech synthesiser must be a library for this machine, not one with: {error}") from error
    # The library cuts paths off at 160 bytes; a relative one is always short.
    os.chdir(data.parent)
    sample_rate = library.espeak_Initialize(_SYNCHRONOUS, 0, data.name.encode(), _DONT_EXIT)
    if sample_rate <= 0:
        raise SystemExit(f"speech synthesiser must find its voices in {data}, not fail with code {sample_rate}")
    library.espeak_ng_SetRandSeed(ctypes.c_long(1))  # the clock by default
    chunks: list[bytes] = []

    def collect(samples: ctypes._Pointer[ctypes.c_int16], count: int, _events: int) -> int:
        if samples and count > 0:
            chunks.append(ctypes.string_at(samples, 2 * count))
        return 0

    callback = _CALLBACK(collect)  # a name, so that it lives as long as the library calls it
    library.espeak_SetSynthCallback(callback)
    sound.write(struct.pack("<i", sample_rate))
    sound.flush()
    for line in requests:
        request = json.loads(line)
        # A variant that does not exist would be replaced without a word.
        variant = request["voice"].partition("+")[2]
        known = not variant or (Path(data.name) / "voices" / "!v" / variant).is_file()
        if not known or library.espeak_SetVoiceByName(request["voice"].encode()):
            raise SystemExit(f"voice must be one of eSpeak NG's, not {request['voice']}")
        for parameter, name in ((_RATE, "rate"), (_PITCH, "pitch"), (_RANGE, "range")):
            library.espeak_SetParameter(parameter, request[name], 0)
        text = request["text"].encode()
        chunks.clear()
        if library.espeak_Synth(text, ctypes.c_size_t(len(text) + 1), 0, 1, 0, _UTF8, None, None):
            raise SystemExit(f"speech synthesiser must speak {request['text']!r}, not fail")
        spoken = b"".join(chunks)
        sound.write(struct.pack("<i", len(spoken) // 2) + spoken)
        sound.flush()


if __name__ == "__main__":
    serve(sys.stdin.buffer, sys.stdout.buffer)
