"""Sound to a board: through the model of the inner ear to the core, and the word back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spikewright.api.hardware import connected, load_image_of
from spikewright.api.result import Result
from spikewright.api.source import AnyPath
from spikewright.build.folder import MODEL, open_build
from spikewright.contract.errors import InputError
from spikewright.contract.shown import Facts
from spikewright.data.sound import Word, Words, read_wav
from spikewright.integer.file import load_info
from spikewright.support.progress import say

MICROPHONE_RATE = 16000
_BLOCK = 1600  # samples that are taken from a microphone at once


class Heard(Result):
    """Words that a board understood.

    Attributes
    ----------
    words : list of dict
        Each with `begin_s` and `duration_s`, `label` (the class), `word` (its name) and `scores`.
    """

    words: list[dict[str, Any]]

    def facts(self) -> Facts:
        if not self.words:
            return [("words", "none was heard")]
        return [(f"{of['begin_s']:.2f} s", told(of)) for of in self.words]


def told(word: dict[str, Any]) -> str:
    """A word with the best of its scores, as people read it."""
    ranked = sorted(zip(word["scores"], word["names"], strict=True), reverse=True)[:3]
    return f"{word['word']:<8} ({', '.join(f'{name} {score:,}' for score, name in ranked)})"


def listen(
    build: AnyPath,
    *,
    port: str,
    wav: AnyPath | None = None,
    microphone: bool = False,
    seconds: float | None = None,
    board: str | None = None,
    baud: int | None = None,
) -> Heard:
    """Send words that are heard to a board, by way of the inner ear of `make_digits`, and tell what it answers.

    Parameters
    ----------
    build : Build, or folder by `generate`
        Of a network for SHD or the synthetic digits.
    port : str
        As of `run`.
    wav : path, optional
        WAV file with words, a quarter of a second of quiet between them.
    microphone : bool
        Listen to the microphone instead, live; needs the package sounddevice.
    seconds : float, optional
        How long to listen to the microphone; until it is interrupted by default.
    board : str, optional
        As of `run`.
    baud : int, optional
        As of `run`.

    Raises
    ------
    InputError
        If the network is not for sounds, a file or an option does not fit, or the board does not answer.
    """
    if (wav is not None) == microphone:
        raise InputError("either wav or microphone must be given, not " + ("both" if microphone else "neither"))
    if seconds is not None and not microphone:
        raise InputError("seconds must be left out without microphone: a file ends by itself")
    folder = Path(build)
    manifest, core = open_build(folder)
    ear = _Ear(folder, core.network)
    words: list[dict[str, Any]] = []
    with ExitStack() as files:
        source = _from_file(Path(wav), ear.longest) if wav is not None else _from_microphone(seconds, ear.longest)
        session = files.enter_context(connected(folder, port, board, baud))
        weights = load_image_of(folder, manifest, core, None)
        load = None if weights is None else lambda: session.load(weights)
        if load is not None:
            load()
        for word, rate in source:
            result = session.ask(ear.hear(word.sound, rate), load).result
            words.append(
                {
                    "begin_s": round(word.begin, 3),
                    "duration_s": round(len(word.sound) / rate, 3),
                    "label": result.label,
                    "word": ear.names[result.label],
                    "scores": list(result.scores),
                    "names": ear.names,
                }
            )
            if microphone:
                say(told(words[-1]))
    return Heard({"port": port, "words": words})


class _Ear:
    """How a network of a build folder hears."""

    def __init__(self, folder: Path, network: Any) -> None:
        from spikewright.data.shd import CHANNELS
        from spikewright.data.synth import KEYS
        from spikewright.integer.recordings import data_of

        info = load_info(folder / MODEL)
        self._network = network
        self._timestep, self._bin_width = info.get("timestep", 0.010), info.get("bin_width", 5)
        name = data_of(info, f"{folder / MODEL}: metadata: ").name
        heard = type(self._bin_width) is int and self._bin_width * network.inputs == CHANNELS
        if name == "psmnist" or not heard or type(self._timestep) not in (int, float) or not self._timestep > 0:
            raise InputError(f"{folder} must have a network that hears {CHANNELS} channels, not one of {name}")
        self.longest = float(network.timesteps * self._timestep)
        known = KEYS if name == "shd" and network.classes <= len(KEYS) else ()
        self.names = [known[k] if k < len(known) else str(k) for k in range(network.classes)]

    def hear(self, sound: npt.NDArray[np.float64], rate: int) -> npt.NDArray[np.int64]:
        """Counts (T, inputs); more spikes than the network takes at once are as many as it takes."""
        from spikewright.data.cochlea import hear
        from spikewright.data.shd import Rows, bin_spikes

        times, units = hear(sound, rate)
        rows = Rows(np.zeros(1, np.int64), np.array([len(times)]), times, units)
        counts = bin_spikes(rows, self._network.timesteps, self._timestep, self._bin_width)[0]
        limited: npt.NDArray[np.int64] = np.minimum(counts, (1 << self._network.value_bits) - 1)
        return limited


def _from_file(path: Path, longest: float) -> Iterator[tuple[Word, int]]:
    sound, rate = read_wav(path)
    words = Words(rate, longest)
    return ((word, rate) for part in (words.feed(sound), words.end()) for word in part)


def _from_microphone(seconds: float | None, longest: float) -> Iterator[tuple[Word, int]]:
    try:
        import sounddevice
    except (ModuleNotFoundError, OSError) as error:
        raise InputError(
            f"the package sounddevice must be installed to listen to a microphone (pip install sounddevice): {error}"
        ) from None
    return _blocks(sounddevice, seconds, longest)


def _blocks(sounddevice: Any, seconds: float | None, longest: float) -> Iterator[tuple[Word, int]]:
    words = Words(MICROPHONE_RATE, longest)
    left = None if seconds is None else round(seconds * MICROPHONE_RATE)
    try:
        with sounddevice.InputStream(samplerate=MICROPHONE_RATE, channels=1, dtype="float32") as stream:
            say("listening; Ctrl-C ends it" if left is None else f"listening for {seconds:g} s")
            while left is None or left > 0:
                block, _ = stream.read(_BLOCK)
                for word in words.feed(np.asarray(block, np.float64)[:, 0]):
                    yield word, MICROPHONE_RATE
                left = None if left is None else left - _BLOCK
    except sounddevice.PortAudioError as error:
        raise InputError(f"a microphone must be there to listen to, not missing: {error}") from error
    for word in words.end():
        yield word, MICROPHONE_RATE
