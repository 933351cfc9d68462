import dataclasses
import json
import time

import pytest

from spikewright.contract.errors import InputError
from spikewright.learn.config import load_config
from spikewright.support.locks import locked
from spikewright.sweep.worker import Ending, Job, Training, run
from tiny_training import write_all


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return write_all(tmp_path_factory.mktemp("tiny"))


def job_of(tiny, out, **settings):
    config = load_config(tiny[0], {name: str(value) for name, value in settings.items()})
    return Job(config.to_dict(), str(tiny[1]), str(out), 1)


def test_the_folder_of_a_finished_run_says_so(tiny, tmp_path):
    assert run(job_of(tiny, tmp_path)) == Ending("finished")
    result = json.loads((tmp_path / "result.json").read_text())
    assert result["epochs"] == 2
    assert "checkpoint" not in result


def test_two_processes_never_train_in_one_folder(tiny, tmp_path):
    with locked(tmp_path, "trains"):
        ending = run(job_of(tiny, tmp_path))
    assert ending == Ending("refused", f"{tmp_path} must not be in use, but another process trains there")
    assert list(tmp_path.iterdir()) == []


def test_a_record_of_divergence_goes_when_the_run_is_trained_again(tiny, tmp_path):
    (tmp_path / "diverged.json").write_text("{}")
    assert run(job_of(tiny, tmp_path, epochs=1)) == Ending("finished")
    assert not (tmp_path / "diverged.json").exists()


def test_a_device_that_is_not_there_is_refused(tiny, tmp_path):
    ending = run(dataclasses.replace(job_of(tiny, tmp_path), device="tpu"))
    assert ending.status == "refused"
    assert ending.message.startswith("device must be ")


def test_bad_input_is_refused(tiny, tmp_path):
    ending = run(job_of(tiny, tmp_path, inputs=11))
    assert ending == Ending("refused", "network.inputs must be 10, the channels of the data, not 11")


def wait(training):
    deadline = time.monotonic() + 60
    while (ending := training.ending(0.1)) is None:
        assert time.monotonic() < deadline
    return ending


def test_a_process_trains_and_tells_how_it_ended(tiny, tmp_path):
    assert wait(Training(job_of(tiny, tmp_path / "run", epochs=1))) == Ending("finished")
    assert (tmp_path / "run" / "checkpoint.safetensors").is_file()
    assert "epoch 1 of " in (tmp_path / "run" / "train.log").read_text()


def test_a_process_that_fails_unforeseen_shows_its_last_words(tiny, tmp_path):
    job = dataclasses.replace(job_of(tiny, tmp_path), data=5)
    ending = wait(Training(job))
    assert ending.status == "crashed"
    assert ending.message.startswith("TypeError: ")
    assert ending.message.endswith(f" (see {tmp_path / 'train.log'})")


def test_a_process_never_outlives_the_sweep(tiny, tmp_path):
    training = Training(job_of(tiny, tmp_path, epochs=100_000))
    log = tmp_path / "log.jsonl"
    deadline = time.monotonic() + 60
    while not log.exists() or not log.read_bytes():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    training._process.stdin.close()  # what the kernel does when the sweep is killed
    assert wait(training).status == "crashed"
    assert not (tmp_path / "result.json").exists()


def test_a_folder_that_cannot_be_written(tiny, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError) as error:
        Training(job_of(tiny, tmp_path / "file"))
    assert str(error.value) == f"cannot write {tmp_path / 'file'}: File exists"
