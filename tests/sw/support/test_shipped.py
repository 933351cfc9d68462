"""What is shipped, by its names."""

import json
import shutil

import pytest

from spikewright.cli.main import main
from spikewright.contract.errors import InputError
from spikewright.data.sets import file_of, load_split
from spikewright.integer.evaluate import load_network
from spikewright.integer.file import load_info
from spikewright.learn.checkpoint import load_checkpoint, read_checkpoint
from spikewright.learn.config import DataConfig, load_config, override
from spikewright.learn.distill import Teachers
from spikewright.learn.samples import load_samples
from spikewright.learn.train import train
from spikewright.support.files import sha256
from spikewright.support.shipped import SAMPLE, asset, checkpoint_path, checkpoints, is_sample
from tiny_training import write_run

NAMES = "shd-adabreg50, shd-adabreg70, shd-adabreg90, shd-adam, shd-fast, shd-small-adabreg, synth-full, synth-small"


@pytest.fixture(autouse=True)
def empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def run(capsys, *words):
    status = main([*map(str, words), "--json"])
    captured = capsys.readouterr()
    return status, json.loads(captured.out) if status == 0 else captured.err


def test_every_name_is_a_checkpoint():
    assert ", ".join(checkpoints()) == NAMES
    for name in checkpoints():
        assert checkpoint_path(name) == checkpoint_path(f"{name}.safetensors") == asset(f"{name}.safetensors")
        assert load_checkpoint(name).config == read_checkpoint(name)[1].network == load_network(name).config


@pytest.mark.parametrize("command", ["evaluate", "quantize", "explore"])
def test_a_name_that_is_none_is_refused_with_those_that_are(capsys, command):
    out = ("-o", "model") if command == "quantize" else ()
    status, error = run(capsys, command, "synth-smal", *out, "--data", "sample")
    wanted = f"checkpoint must be a file or one of {NAMES}, not synth-smal; did you mean synth-small?"
    assert (status, error) == (2, f"spikewright: error: {wanted}\n")


def test_evaluates_and_quantizes_by_names_alone(capsys, tmp_path):
    status, report = run(capsys, "evaluate", "synth-small", "--data", "sample")
    assert (status, report["samples"]) == (0, 60)
    assert report["accuracy"] > 0.8
    status, quantized = run(capsys, "quantize", "synth-small", "-o", "model", "--data", "sample")
    assert (status, quantized["samples"], quantized["data"]) == (0, 60, "sample")
    assert quantized["accuracy"]["float"] == report["accuracy"]
    assert load_info(tmp_path / "model")["checkpoint_sha256"] == sha256(asset("synth-small.safetensors"))


def test_a_file_or_folder_in_the_working_folder_is_taken_first(tmp_path):
    trained = write_run(tmp_path / "run") / "checkpoint.safetensors"
    shutil.copyfile(trained, "synth-small")
    assert load_checkpoint("synth-small").config == load_checkpoint(trained).config
    (tmp_path / "synth-full").mkdir()
    with pytest.raises(InputError, match=r"^synth-full must be a file, not a folder$"):
        load_checkpoint("synth-full")
    # With a folder it is a path and no name.
    missing = tmp_path / "nowhere" / "shd-adam"
    with pytest.raises(InputError) as error:
        load_checkpoint(missing)
    assert str(error.value) == f"{missing}: no such file"


def test_trains_on_the_sample_from_a_shipped_start_by_a_shipped_teacher(tmp_path):
    settings = {"epochs": "1", "validation_speakers": "[5, 8]", "start": "synth-small"}
    config = override(load_config("synth-small", settings), {"distillation.teachers": '["synth-full"]'})
    report = train(config, "sample", tmp_path / "run")
    assert report["training_samples"] + report["validation_samples"] == 60
    entry = json.loads((tmp_path / "run" / "log.jsonl").read_text())
    assert entry["start"] == {"synth-small": sha256(asset("synth-small.safetensors"))}
    assert entry["teachers"] == {"synth-full": sha256(asset("synth-full.safetensors"))}


@pytest.mark.parametrize("field", ["start", "teachers"])
def test_a_start_or_teacher_of_no_name(tmp_path, field):
    settings = {"start": "nobody"} if field == "start" else {"distillation.teachers": '["nobody"]'}
    config = load_config("synth-small", {"validation_speakers": "[5]", **settings})
    with pytest.raises(InputError) as error:
        train(config, "sample", tmp_path / "run") if field == "start" else Teachers(config, None)
    assert str(error.value) == f"checkpoint must be a file or one of {NAMES}, not nobody"


def test_the_sample_is_every_part_of_shd_and_nothing_else(tmp_path):
    for split in ("train", "test"):
        assert file_of(DataConfig(), "sample", split) == asset(SAMPLE)
        assert len(load_samples(load_config("synth-small"), "sample", split)[0]) == 60
    assert len(load_split(DataConfig(), "sample", "train", timesteps=100, at_most=7)) == 7
    with pytest.raises(InputError) as error:
        load_split(DataConfig(name="ssc"), "sample", "test", timesteps=250)
    assert str(error.value) == "data must be a folder for a network of ssc, not sample, which is for shd"
    with pytest.raises(InputError) as error:
        load_split(DataConfig(), "smaple", "test", timesteps=100)
    wanted = "data must be a folder or sample, the shipped recordings, not smaple; did you mean sample?"
    assert str(error.value) == wanted
    (tmp_path / "sample").mkdir()
    assert not is_sample("sample")
    assert file_of(DataConfig(), "sample", "test").name == "shd_test.h5"


def test_sweeps_over_the_sample(capsys, tmp_path):
    words = ("sweep", "synth-small", "--set", "epochs=1", "--set", "validation_speakers=[5]", "--out", "runs")
    status, report = run(capsys, *words, "--data", "sample", "--lambdas", "0.1", "--jobs", "1")
    assert (status, report["finished"]) == (0, 1)
    status, error = run(capsys, *words, "--data", "smaple", "--lambdas", "0.1")
    assert status == 2
    wanted = "data must be a folder or sample, the shipped recordings, not smaple; did you mean sample?"
    assert error == f"spikewright: error: {wanted}\n"
