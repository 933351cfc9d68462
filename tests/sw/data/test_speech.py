import importlib.util
import time
from pathlib import Path
from typing import Any

import espeakng_loader
import numpy as np
import pytest

from spikewright.contract.errors import InputError
from spikewright.data import speech


def loud_seconds(sound: Any, rate: int) -> float:
    loud = np.flatnonzero(np.abs(sound.astype(int)) > 500)
    return float(loud[-1] - loud[0]) / rate


def test_a_word_is_heard() -> None:
    with speech.Speech() as voice:
        assert voice.sample_rate == 22050
        normal = voice.say("seven", "en+m1")
        slow = voice.say("seven", "en+m1", rate=90)
    assert normal.dtype == np.int16
    assert 0.3 < loud_seconds(normal, 22050) < 0.8
    assert loud_seconds(slow, 22050) > 1.3 * loud_seconds(normal, 22050)


def test_the_same_requests_give_the_same_samples() -> None:
    # The voice f3 breathes: its noise would be seeded by the clock, in seconds, if it were left alone.
    requests = [
        ("six", "en+f3", 50),
        ("seven", "en+f1", 30),
        ("fünf", "de+croak", 60),
        ("two", "en-us+klatt", 50),
        ("seven", "en+f1", 30),
    ]
    runs = []
    for _ in range(2):
        with speech.Speech() as voice:
            runs.append([voice.say(text, name, pitch=pitch) for text, name, pitch in requests])
        time.sleep(1.1)
    for first, again in zip(*runs, strict=True):
        assert len(first) > 1000
        assert np.array_equal(first, again)


def test_voices_and_pitches_differ() -> None:
    with speech.Speech() as voice:
        sounds = [voice.say("one", "en+m1"), voice.say("one", "en+f2"), voice.say("one", "en+m1", pitch=90)]
    assert len({sound.tobytes() for sound in sounds}) == 3


@pytest.mark.parametrize("name", ["xx", "en+nobody", "en+../en"])
def test_unknown_voice(name: str) -> None:
    with speech.Speech() as voice, pytest.raises(InputError) as error:
        voice.say("one", name)
    assert str(error.value) == f"voice must be one of eSpeak NG's, not {name}"


def test_library_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InputError) as error, speech.Speech():
        pass
    assert str(error.value) == "speech synthesiser must be installed (pip install espeakng-loader), not missing"


def test_process_dies() -> None:
    with speech.Speech() as voice:
        voice._process.kill()
        with pytest.raises(InputError) as error:
            voice.say("one", "en")
    assert str(error.value) == "speech synthesiser must keep running, not end with code -9"


def test_library_does_not_load(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "espeakng_loader.py").write_text(
        f"get_data_path = lambda: {str(tmp_path)!r}\nget_library_path = lambda: {str(tmp_path / 'absent.so')!r}\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(InputError, match="^speech synthesiser must be a library for this machine, not one with: "):
        speech.Speech().__enter__()


def test_library_in_a_deep_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    # eSpeak NG cuts the path of its voices off at 160 bytes.
    deep = tmp_path / ("folder" * 20) / ("folder" * 20)
    deep.mkdir(parents=True)
    data = deep / "espeak-ng-data"
    data.symlink_to(espeakng_loader.get_data_path())
    (tmp_path / "espeakng_loader.py").write_text(
        f"get_data_path = lambda: {str(data)!r}\nget_library_path = lambda: {espeakng_loader.get_library_path()!r}\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with speech.Speech() as voice:
        assert len(voice.say("one", "en+m1")) > 1000
