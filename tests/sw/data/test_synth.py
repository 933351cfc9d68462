import json
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from spikewright.contract.errors import InputError
from spikewright.data import shd
from spikewright.data.speech import Speech
from spikewright.data.synth import (
    KEYS,
    TEST_VOICES,
    VOICES,
    Utterance,
    make_sample,
    plan,
    record,
    synth,
)

ASSET = Path(__file__).parents[3] / "sw" / "spikewright" / "assets" / "synth_sample.h5"

# Share of the spikes in each 50 channels, and mean spikes a sample, of the Heidelberg Digits heard by the model of SHD.
SHD_PROFILE = (0.005, 0.005, 0.006, 0.006, 0.009, 0.015, 0.029, 0.054, 0.095, 0.139, 0.177, 0.218, 0.166, 0.076)
SHD_SPIKES = 5729


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("synth") / "new" / "digits"
    return folder, synth(folder, samples_per_class=2, seed=3, progress=False)


def test_files_are_as_shd_publishes_them(made: tuple[Path, dict[str, Any]]) -> None:
    for split in ("train", "test"):
        with h5py.File(made[0] / f"shd_{split}.h5") as file:
            assert sorted(file) == ["extra", "labels", "spikes"]
            assert h5py.check_vlen_dtype(file["spikes/times"].dtype) == np.float16
            assert h5py.check_vlen_dtype(file["spikes/units"].dtype) == np.uint16
            assert file["labels"].dtype == file["extra/speaker"].dtype == np.uint16
            assert [key.decode() for key in file["extra/keys"]] == list(KEYS)
            assert all((np.diff(times.astype(float)) >= 0).all() for times in file["spikes/times"])


def test_every_word_is_in_both_splits_and_no_voice_is(made: tuple[Path, dict[str, Any]]) -> None:
    train, test = (shd.load_split(made[0], split) for split in ("train", "test"))
    assert sorted(train.labels) == sorted(test.labels) == list(range(20))
    assert not set(train.speakers) & set(test.speakers)
    assert train.keys == test.keys == KEYS


def test_report_and_manifest(made: tuple[Path, dict[str, Any]]) -> None:
    folder, report = made
    assert report == {
        "out_dir": str(folder),
        "seed": 3,
        "samples_per_class": 2,
        "train": {"samples": 20, "voices": 20, "spikes_per_sample": report["train"]["spikes_per_sample"]},
        "test": {"samples": 20, "voices": 20, "spikes_per_sample": report["test"]["spikes_per_sample"]},
    }
    assert 3000 < report["train"]["spikes_per_sample"] < 8000
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["seed"] == 3 and manifest["samples_per_class"] == 2
    assert sorted(path.name for path in folder.iterdir()) == ["manifest.json", "shd_test.h5", "shd_train.h5"]


def test_sample_repeats_the_rows_of_the_set(made: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    path = tmp_path / "sample.h5"
    make_sample(path, per_class=1, samples_per_class=2, seed=3, progress=False)
    with h5py.File(path) as sample, h5py.File(made[0] / "shd_test.h5") as test:
        assert sample.attrs["source"] == (
            "spikewright.data.synth.make_sample(per_class=1, samples_per_class=2, seed=3)"
        )
        assert np.array_equal(sample["labels"], test["labels"])
        for name in ("spikes/times", "spikes/units"):
            for row, expected in zip(sample[name], test[name], strict=True):
                assert np.array_equal(row, expected)


def test_plan_depends_on_the_seed_only() -> None:
    assert plan(7, 1) == plan(7, 1)
    assert plan(7, 1) != plan(7, 2)


@pytest.mark.parametrize(("samples", "train", "test"), [(2, 1, 1), (5, 4, 1), (6, 4, 2), (160, 128, 32)])
def test_plan_is_balanced_and_splits_by_voice(samples: int, train: int, test: int) -> None:
    splits = plan(samples, 0)
    for split, count in (("train", train), ("test", test)):
        labels = [utterance.label for utterance in splits[split]]
        assert np.bincount(labels).tolist() == [count] * 20
    speakers = {split: {utterance.speaker for utterance in splits[split]} for split in splits}
    assert not speakers["train"] & speakers["test"]
    if samples == 160:
        assert len(speakers["train"]) == 80 and len(speakers["test"]) == TEST_VOICES == 20


def test_every_voice_speaks_both_languages() -> None:
    assert len(VOICES) == len(set(VOICES)) == 100
    accents = sorted({utterance.accent for utterance in plan(160, 0)["train"]})
    assert len(accents) == 9
    with Speech() as speech:
        for name in VOICES:
            for word, accent in (("three", "en"), ("drei", "de")):
                assert np.abs(speech.say(word, f"{accent}+{name}").astype(int)).max() > 1000, name
        for accent in accents:
            assert np.abs(speech.say("nine", f"{accent}+m1").astype(int)).max() > 1000, accent


def an_utterance(**changes: Any) -> Utterance:
    values: dict[str, Any] = {
        **{"label": 3, "speaker": 0, "accent": "en", "rate": 100, "pitch": 50, "pitch_range": 50},
        **{"level": 0.0, "lead": 0.05, "tail": 0.05, "ear": 0},
    }
    return Utterance(**{**values, **changes})


def test_silence_is_trimmed_and_replaced() -> None:
    word = (10000 * np.sin(np.arange(4000) * 0.3)).astype(np.int16)
    short = record(an_utterance(), word, 22050)
    padded = record(an_utterance(), np.pad(word, (3000, 9000)), 22050)
    assert abs(len(short[0]) - len(padded[0])) < 0.05 * len(short[0])
    late = record(an_utterance(lead=0.25), word, 22050)
    assert np.median(late[0]) - np.median(short[0]) == pytest.approx(0.2, abs=0.02)
    assert abs(len(late[0]) - len(short[0])) < 0.2 * len(short[0])


def test_silent_word() -> None:
    with pytest.raises(InputError) as error:
        record(an_utterance(), np.zeros(1000, np.int16), 22050)
    assert str(error.value) == "speech synthesiser must say three, not stay silent"


@pytest.mark.parametrize(
    ("samples", "seed", "message"),
    [
        (1, 0, "samples_per_class must be at least 2, one for each split, not 1"),
        (2, -1, "seed must not be negative, not -1"),
    ],
)
def test_bad_parameters_leave_nothing(tmp_path: Path, samples: int, seed: int, message: str) -> None:
    with pytest.raises(InputError) as error:
        synth(tmp_path / "out", samples_per_class=samples, seed=seed)
    assert str(error.value) == message
    assert not list(tmp_path.iterdir())


def test_bad_sample_size(tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        make_sample(tmp_path / "sample.h5", per_class=2, samples_per_class=2)
    assert str(error.value) == "per_class must be between 1 and 1, not 2"
    assert not list(tmp_path.iterdir())


def test_failure_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise InputError("cannot hear")

    monkeypatch.setattr("spikewright.data.synth.hear", fail)
    with pytest.raises(InputError, match="^cannot hear$"):
        synth(tmp_path / "a" / "out", samples_per_class=2, progress=False)
    assert not list(tmp_path.iterdir())


def test_a_folder_of_somebody_else_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match="^output .* must be a new or empty folder or one made by spikewright"):
        synth(tmp_path, samples_per_class=2)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_shipped_sample() -> None:
    assert ASSET.stat().st_size < 2_000_000
    with h5py.File(ASSET) as file:
        assert file.attrs["source"] == (
            "spikewright.data.synth.make_sample(per_class=3, samples_per_class=160, seed=0)"
        )
    data = shd.load(ASSET)
    assert np.bincount(data.labels).tolist() == [3] * 20
    assert data.keys == KEYS
    test_voices = {utterance.speaker for utterance in plan(160, 0)["test"]}
    assert set(data.speakers) <= test_voices


def test_shipped_sample_has_the_statistics_of_shd() -> None:
    with h5py.File(ASSET) as file:
        times, units = file["spikes/times"][:], file["spikes/units"][:]
    assert SHD_SPIKES / 1.5 < np.mean([len(row) for row in times]) < SHD_SPIKES * 1.5
    assert max(row.max() for row in times) < 1.4
    profile = np.bincount(np.concatenate(units), minlength=700).reshape(14, 50).sum(axis=1)
    assert np.corrcoef(profile, SHD_PROFILE)[0, 1] > 0.8


def test_words_of_the_shipped_sample_are_recognisable() -> None:
    # Nearest neighbour over coarse spectrograms of three samples a word, each by another voice; 5 % is chance.
    data = shd.load(ASSET)
    coarse = np.log1p(data.counts.reshape(60, 10, 10, 28, 5).sum(axis=(2, 4), dtype=float)).reshape(60, -1)
    coarse = coarse - coarse.mean(axis=0)
    coarse /= np.linalg.norm(coarse, axis=1, keepdims=True)
    likeness = coarse @ coarse.T
    np.fill_diagonal(likeness, -1)
    assert (data.labels[likeness.argmax(axis=1)] == data.labels).mean() > 0.25
