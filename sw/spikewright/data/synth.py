"""Spoken digits as spikes, made from nothing: the default data set, in the format of the Spiking Heidelberg Digits.

The twenty words of SHD (zero to nine in English, labels 0-9, and in German, 10-19), spoken by eSpeak NG in a hundred
voices (`spikewright.data.speech`), heard by the inner ear of `spikewright.data.cochlea`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import numpy.typing as npt

from spikewright.contract.errors import InputError
from spikewright.data.cochlea import hear
from spikewright.data.speech import Speech
from spikewright.support.files import atomic_dir, atomic_path, sha256, write_manifest
from spikewright.support.progress import bar

KEYS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"),
    *("null", "eins", "zwei", "drei", "vier", "fuenf", "sechs", "sieben", "acht", "neun"),
)
"""Names of the classes, as SHD spells them."""

# Every variant of eSpeak NG 1.52 but the whispered ones and two that disguise the words.
VOICES = (
    *("Alex", "Alicia", "Andrea", "Andy", "Annie", "AnxiousAndy", "Denis", "Diogo", "Gene", "Gene2", "Henrique"),
    *("Hugo", "Jacky", "Lee", "Marco", "Mario", "Michael", "Mike", "Nguyen", "Reed", "RicishayMax", "RicishayMax2"),
    *("RicishayMax3", "Storm", "Tweaky", "adam", "anika", "anikaRobot", "announcer", "antonio", "aunty", "belinda"),
    *("benjamin", "boris", "caleb", "croak", "david", "ed", "edward", "edward2", "f1", "f2", "f3", "f4", "f5", "fast"),
    *("grandma", "grandpa", "gustave", "ian", "iven", "iven2", "iven3", "iven4", "john", "kaukovalta", "klatt"),
    *("klatt2", "klatt3", "klatt4", "klatt5", "klatt6", "linda", "m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8"),
    *("marcelo", "max", "michel", "miguel", "mike2", "norbert", "pablo", "paul", "pedro", "quincy", "rob", "robert"),
    *("robosoft", "robosoft2", "robosoft3", "robosoft4", "robosoft5", "robosoft6", "robosoft7", "robosoft8", "sandro"),
    *("shelby", "steph", "steph2", "steph3", "travis", "victor", "zac", "Mr serious"),
)
"""Voices, by speaker number."""

TEST_VOICES = len(VOICES) // 5
"""Voices that speak the test split only."""

_ACCENTS = ("en", "en-us", "en-gb-x-rp", "en-gb-scotland", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-029", "en-us-nyc")

SPLITS = ("train", "test")


@dataclass(frozen=True)
class Utterance:
    """One word to be spoken: its class, speaker, and how.

    Parameters
    ----------
    label, speaker : int
        Indices into `KEYS` and `VOICES`.
    accent : str
        Language of eSpeak NG.
    rate : int
        Words per minute.
    pitch, pitch_range : int
        0-100.
    level : float
        Loudness in dB around the normal one.
    lead, tail : float
        Silence before and after the word in seconds.
    ear : int
        Seed of the noise in the inner ear.
    """

    label: int
    speaker: int
    accent: str
    rate: int
    pitch: int
    pitch_range: int
    level: float
    lead: float
    tail: float
    ear: int


def plan(samples_per_class: int, seed: int) -> dict[str, list[Utterance]]:
    """What is spoken in each split, in order.

    A fifth of the samples (rounded up) is the test split. Voices are divided at random, 80 for training and 20 for
    testing, and take turns within a split. Speed, pitch and loudness vary from word to word; a voice's mean pitch and
    its English accent stay.

    Raises
    ------
    InputError
        `samples_per_class` below 2 (one split would be empty), or a negative seed.
    """
    if samples_per_class < 2:
        raise InputError(f"samples_per_class must be at least 2, one for each split, not {samples_per_class}")
    if seed < 0:
        raise InputError(f"seed must not be negative, not {seed}")
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(VOICES)).tolist()
    pitch = rng.integers(30, 71, len(VOICES)).tolist()
    accent = rng.integers(0, len(_ACCENTS), len(VOICES)).tolist()
    test = -(-samples_per_class // 5)
    utterances: dict[str, list[Utterance]] = {}
    for split, takes, voices in (
        ("train", samples_per_class - test, order[TEST_VOICES:]),
        ("test", test, order[:TEST_VOICES]),
    ):
        spoken = []
        for take in range(takes):
            for label in range(len(KEYS)):
                # Labels start at different voices, so that a small set hears many of them.
                speaker = voices[(take + 7 * label) % len(voices)]
                spoken.append(
                    Utterance(
                        label=label,
                        speaker=speaker,
                        accent=_ACCENTS[accent[speaker]] if label < 10 else "de",
                        rate=int(rng.integers(85, 146)),
                        pitch=pitch[speaker] + int(rng.integers(-15, 16)),
                        pitch_range=int(rng.integers(20, 81)),
                        level=float(rng.uniform(-5, 5)),
                        lead=float(rng.uniform(0.02, 0.12)),
                        tail=float(rng.uniform(0.02, 0.08)),
                        ear=int(rng.integers(2**32)),
                    )
                )
        utterances[split] = [spoken[i] for i in rng.permutation(len(spoken))]
    return utterances


def record(utterance: Utterance, sound: npt.NDArray[np.int16], sample_rate: int) -> tuple[Any, Any]:
    """Spike times (float16, seconds) and units (uint16) of a spoken word, freed of its silence and given its own."""
    loud = np.flatnonzero(np.abs(sound.astype(np.int32)) > 0.02 * np.abs(sound.astype(np.int32)).max(initial=0))
    if not len(loud):
        raise InputError(f"speech synthesiser must say {KEYS[utterance.label]}, not stay silent")
    word = sound[loud[0] : loud[-1] + 1]
    # The level is of the word itself, however long the silence: it is set before the silence is added.
    word = word / np.sqrt(np.mean(word.astype(np.float64) ** 2))
    padding = (round(utterance.lead * sample_rate), round(utterance.tail * sample_rate))
    level = utterance.level + 10 * np.log10(len(word) / (len(word) + sum(padding)))
    times, units = hear(np.pad(word, padding), sample_rate, seed=utterance.ear, level=level)
    return times.astype(np.float16), units.astype(np.uint16)


def synth(
    out_dir: str | os.PathLike[str], *, samples_per_class: int = 100, seed: int = 0, progress: bool = True
) -> dict[str, Any]:
    """Make ``shd_train.h5`` and ``shd_test.h5``.

    Parameters
    ----------
    out_dir : path
        Folder to make; an existing one is replaced only if it was made by this function.
    samples_per_class : int
        Recordings of each of the twenty words in both splits together, at least 2; a fifth is for testing.
    seed : int
        The same seed and number give the same spikes.
    progress : bool
        Show a bar on standard error.

    Returns
    -------
    dict
        JSON-ready: out_dir, seed, samples_per_class; by split: samples, voices, spikes_per_sample (mean).

    Raises
    ------
    InputError
        Bad parameters, a folder that cannot be written, or a missing speech synthesiser.
    """
    utterances = plan(samples_per_class, seed)
    report: dict[str, Any] = {"out_dir": str(out_dir), "seed": seed, "samples_per_class": samples_per_class}
    total = sum(map(len, utterances.values()))
    with (
        atomic_dir(Path(out_dir)) as folder,
        bar(total=total, desc="Speaking", mininterval=0.5, show=progress) as spoken,
    ):
        rows = recordings(utterances, lambda split, row: True)
        for split in SPLITS:
            heard = []
            for _ in utterances[split]:
                heard.append(next(rows)[2:])
                spoken.update()
            write(folder / f"shd_{split}.h5", utterances[split], heard)
            report[split] = {
                "samples": len(heard),
                "voices": len({utterance.speaker for utterance in utterances[split]}),
                "spikes_per_sample": round(sum(len(times) for times, _ in heard) / len(heard), 1),
            }
        files = {f"shd_{split}.h5": sha256(folder / f"shd_{split}.h5") for split in SPLITS}
        content = {key: report[key] for key in report if key != "out_dir"}
        write_manifest(folder, {"made_by": "spikewright data synth", **content, "sha256": files})
    return report


def recordings(
    utterances: dict[str, list[Utterance]], wanted: Callable[[str, int], bool]
) -> Iterator[tuple[str, int, Any, Any]]:
    """Split, row, spike times and units of the wanted rows, in order.

    Everything is spoken, for the synthesiser's words depend on those before; only the wanted is heard, which takes a
    hundred times as long.
    """
    with Speech() as speech:
        for split in SPLITS:
            for row, utterance in enumerate(utterances[split]):
                word = KEYS[utterance.label].replace("fuenf", "fünf")
                sound = speech.say(
                    word,
                    f"{utterance.accent}+{VOICES[utterance.speaker]}",
                    rate=utterance.rate,
                    pitch=utterance.pitch,
                    pitch_range=utterance.pitch_range,
                )
                if wanted(split, row):
                    yield split, row, *record(utterance, sound, speech.sample_rate)


def make_sample(
    path: str | os.PathLike[str],
    *,
    per_class: int = 3,
    samples_per_class: int = 160,
    seed: int = 0,
    progress: bool = True,
) -> None:
    """Write the first recordings of each class in the test split of `synth`: the sample that the package ships.

    Parameters
    ----------
    path : path
        File to make.
    per_class : int
        Recordings of each class.
    samples_per_class, seed : int
        As of the data set that the sample is taken from; its other recordings are spoken, but not heard.
    progress : bool
        Show a bar on standard error.
    """
    utterances = plan(samples_per_class, seed)
    chosen: list[int] = []
    for label in range(len(KEYS)):
        rows = [row for row, utterance in enumerate(utterances["test"]) if utterance.label == label]
        if not 1 <= per_class <= len(rows):
            raise InputError(f"per_class must be between 1 and {len(rows)}, not {per_class}")
        chosen += rows[:per_class]
    chosen.sort()
    source = f"make_sample(per_class={per_class}, samples_per_class={samples_per_class}, seed={seed})"
    with (
        atomic_path(Path(path)) as temporary,
        bar(total=len(chosen), desc="Speaking", mininterval=0.5, show=progress) as spoken,
    ):
        heard = []
        for _, _, times, units in recordings(utterances, lambda split, row: split == "test" and row in chosen):
            heard.append((times, units))
            spoken.update()
        write(temporary, [utterances["test"][row] for row in chosen], heard, source=f"spikewright.data.synth.{source}")


def write(
    path: Path, utterances: Sequence[Utterance], heard: Sequence[tuple[Any, Any]], *, source: str | None = None
) -> None:
    """Write recordings as SHD publishes them; `source`, if given, becomes an attribute of the file."""
    with h5py.File(path, "w") as file:
        for name, part, kind in (("times", 0, np.float16), ("units", 1, np.uint16)):
            data = file.create_dataset(f"spikes/{name}", (len(heard),), dtype=h5py.vlen_dtype(kind))
            for row, spikes in enumerate(heard):
                data[row] = spikes[part]
        file["labels"] = np.array([utterance.label for utterance in utterances], np.uint16)
        file["extra/speaker"] = np.array([utterance.speaker for utterance in utterances], np.uint16)
        file["extra/keys"] = np.array(KEYS, "S")
        if source is not None:
            file.attrs["source"] = source
