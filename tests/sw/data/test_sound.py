import io
import wave
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from spikewright.contract.errors import InputError
from spikewright.data.sound import Words, read_wav

RATE = 8000


def write(path: Path, samples: Any, *, width: int, channels: int = 1, rate: int = RATE) -> Path:
    data = np.asarray(samples).astype("<i4").view(np.uint8).reshape(-1, 4)[:, :width]
    if width == 1:
        data = data ^ 0x80
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(data.tobytes())
    return path


@pytest.mark.parametrize("width", [1, 2, 3, 4])
def test_samples_of_every_width(tmp_path: Path, width: int) -> None:
    full = 1 << (8 * width - 1)
    sound, rate = read_wav(write(tmp_path / "a.wav", [0, full // 2, -full, full - 1], width=width))
    assert rate == RATE
    assert sound.tolist() == [0, 0.5, -1, 1 - 1 / full]


def test_channels_are_averaged(tmp_path: Path) -> None:
    sound, _ = read_wav(write(tmp_path / "a.wav", [16384, 0, -16384, -16384], width=2, channels=2))
    assert sound.tolist() == [0.25, -0.5]


def test_files_that_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none.wav: No such file or directory$"):
        read_wav(tmp_path / "none.wav")
    for content in (b"", b"RIFF....", b"no sound", io.BytesIO().getvalue() + b"RIFF\x24\0\0\0WAVEfmt \x10\0\0\0\x03\0"):
        (file := tmp_path / "bad.wav").write_bytes(content)
        with pytest.raises(InputError, match=r"bad\.wav must be a WAV file with whole samples, not one with: "):
            read_wav(file)
    with pytest.raises(InputError) as caught:
        read_wav(write(tmp_path / "slow.wav", [1], width=2, rate=4000))
    assert str(caught.value) == f"{tmp_path}/slow.wav: sample rate must be at least 8000 Hz, not 4000"


def tone(seconds: float, loudness: float = 0.5) -> Any:
    return loudness * np.sin(np.arange(round(seconds * RATE)) * 500 * 2 * np.pi / RATE)


def words(sound: Any, longest: float = 1.0, block: int = 10**9) -> list[tuple[float, float]]:
    of = Words(RATE, longest)
    found = [word for k in range(0, len(sound), block) for word in of.feed(sound[k : k + block])]
    return [(round(word.begin, 3), round(len(word.sound) / RATE, 3)) for word in [*found, *of.end()]]


QUIET = np.zeros(RATE // 2)


@pytest.mark.parametrize("block", [37, 1600, 10**9])
def test_words_between_quiet(block: int) -> None:
    # A pause of 0.1 s is within a word, a click of 20 ms is none.
    sound = np.concatenate([QUIET, tone(0.2), QUIET[:800], tone(0.1), QUIET, tone(0.02), QUIET, tone(0.3)])
    assert words(sound, block=block) == [(0.47, 0.46), (1.89, 0.33)]


def test_a_word_that_does_not_end_is_cut() -> None:
    assert words(np.concatenate([QUIET, tone(1.0)]), longest=0.4)[0] == (0.47, 0.46)


def test_noise_is_no_word() -> None:
    noise = 0.02 * np.random.default_rng(1).standard_normal(3 * RATE)
    # Its beginning may be taken for one, until it is known to be noise.
    assert [begin for begin, _ in words(noise) if begin > 1] == []
    assert words(0.005 * np.ones(RATE)) == []
