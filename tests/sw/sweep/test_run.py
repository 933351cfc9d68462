import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import time

import pytest
from safetensors.torch import load_file

from spikewright.cli import main as cli
from spikewright.contract.errors import InputError
from spikewright.learn.config import load_config
from spikewright.learn.train import train
from spikewright.sweep import run as sweep
from spikewright.sweep.run import Grid
from tiny_training import write_all


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return write_all(tmp_path_factory.mktemp("tiny"))


def call(*argv):
    """Exit status, standard output and standard error of a command."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = cli.main(list(map(str, argv)))
    return status, out.getvalue(), err.getvalue()


# ---- the grid


def test_points_are_named_after_what_varies(tiny):
    config = load_config(tiny[0])
    grid = Grid(
        lambdas=[0.001, 0.1], sparsities=[0.9], seeds=[0, 1], optimizers=["adam", "adabreg"], schedules=["onecycle"]
    )
    points = {point.name: point.config.training for point in grid.points(config)}
    assert list(points) == [
        "adam-onecycle-seed0",
        "adabreg-lam0.001-onecycle-seed0",
        "adabreg-lam0.1-onecycle-seed0",
        "adabreg-sparsity0.9-onecycle-seed0",
        "adam-onecycle-seed1",
        "adabreg-lam0.001-onecycle-seed1",
        "adabreg-lam0.1-onecycle-seed1",
        "adabreg-sparsity0.9-onecycle-seed1",
    ]
    settings = {name: (t.optimizer, t.lam, t.target_sparsity, t.schedule, t.seed) for name, t in points.items()}
    assert settings["adam-onecycle-seed1"] == ("adam", 0.02, 0.0, "onecycle", 1)
    assert settings["adabreg-lam0.1-onecycle-seed1"] == ("adabreg", 0.1, 0.0, "onecycle", 1)
    assert settings["adabreg-sparsity0.9-onecycle-seed0"] == ("adabreg", 0.02, 0.9, "onecycle", 0)


def test_a_fixed_lambda_has_no_target(tiny):
    config = load_config(tiny[0], {"target_sparsity": "0.7"})
    assert [point.name for point in Grid().points(config)] == ["adabreg-sparsity0.7-none-seed0"]
    [point] = Grid(lambdas=[0.5]).points(config)
    assert (point.config.training.lam, point.config.training.target_sparsity) == (0.5, 0.0)


def test_any_setting_can_vary(tiny):
    vary = {"rate_penalty": ["0.0", "2.5"], "network.layers.1.max_delay": ["4", "5"]}
    points = Grid(vary=vary).points(load_config(tiny[0]))
    assert [point.name for point in points] == [
        "adabreg-lam0.02-none-rate_penalty0.0-layers.1.max_delay4-seed0",
        "adabreg-lam0.02-none-rate_penalty0.0-layers.1.max_delay5-seed0",
        "adabreg-lam0.02-none-rate_penalty2.5-layers.1.max_delay4-seed0",
        "adabreg-lam0.02-none-rate_penalty2.5-layers.1.max_delay5-seed0",
    ]
    assert points[2].config.training.rate_penalty == 2.5
    assert points[1].config.network.layers[1].max_delay == 5


@pytest.mark.parametrize(
    ("grid", "message"),
    [
        ({"lambdas": [0.1, 0.1]}, "lambdas must be different, not 0.1 twice"),
        ({"vary": {"lr": ["1", "1"]}}, "values of lr must be different, not 1 twice"),
        ({"optimizers": ["sgd"]}, "training.optimizer must be one of adabreg, linbreg, adam, not 'sgd'"),
        ({"sparsities": [1.5]}, "training.target_sparsity must be at least 0 and below 1, not 1.5"),
        ({"lambdas": [float("nan")]}, "training.lam must be finite, not nan"),
        ({"vary": {"rate": ["1"]}}, "--set rate must name a setting such as training.epochs, not 'rate'"),
        (
            {"vary": {"validation_speakers": ["[0, 1]", "[0; 1]"]}},
            "--set validation_speakers must be a value such as [2], not '[0; 1]'",
        ),
        (
            {"vary": {"validation_speakers": ["[1]", "1"]}},
            "training.validation_speakers must be a list, not 1",
        ),
    ],
)
def test_a_grid_that_makes_no_sense(tiny, grid, message):
    with pytest.raises(InputError) as error:
        Grid(**grid).points(load_config(tiny[0]))
    assert str(error.value) == message


def test_points_whose_names_would_be_equal(tiny):
    with pytest.raises(InputError) as error:
        Grid(vary={"validation_speakers": ["[0]", "[ 0]"]}).points(load_config(tiny[0]))
    name = "adabreg-lam0.02-none-validation_speakers0-seed0"
    assert str(error.value) == f"points of the sweep must have different names, not {name} twice"


# ---- trainings


@pytest.fixture(scope="module")
def swept(tiny, tmp_path_factory):
    """Two points, of which the second diverges: nothing is left of its weights."""
    runs = tmp_path_factory.mktemp("runs")
    argv = ["sweep", tiny[0], "--data", tiny[1], "--out", runs, "--lambdas", "50", "--optimizers", "linbreg"]
    argv += ["--vary", "density=0.6,0.0001", "--jobs", "2"]
    return runs, argv, call(*argv)


GOOD, BAD = "linbreg-lam50-none-density0.6-seed0", "linbreg-lam50-none-density0.0001-seed0"
DIVERGED = "training diverged in epoch 1: all of layers.0.weight is zero; lower lam or lr"


def test_a_diverging_training_does_not_stop_the_others(swept):
    runs, _, (status, out, err) = swept
    assert status == 1
    good, bad = out.splitlines()
    assert good.startswith(f"{GOOD}     ")
    assert good.endswith(" s")
    assert bad == f"{BAD}  diverged: {DIVERGED}"
    assert err.splitlines()[-1] == f"spikewright: failed: 1 of 2 trainings: {BAD} diverged"
    assert f"{BAD}: {DIVERGED}" in err
    assert (runs / GOOD / "checkpoint.safetensors").is_file()
    assert not (runs / BAD / "result.json").exists()


def test_what_has_ended_is_not_trained_again(swept, monkeypatch):
    runs, argv, _ = swept

    def never(*args):
        raise AssertionError

    monkeypatch.setattr(sweep, "LocalExecutor", never)
    status, out, err = call(*argv, "--json")
    report = json.loads(out)
    assert (status, report["finished"], report["failed"]) == (1, 1, 1)
    assert [point["status"] for point in report["points"]] == ["finished", "diverged"]
    assert [point["message"] for point in report["points"]] == [None, DIVERGED]
    assert report["points"][0]["epochs"] == 2
    assert report["points"][0]["sparsity"] == json.loads((runs / GOOD / "result.json").read_text())["sparsity"]
    assert err == f"spikewright: failed: 1 of 2 trainings: {BAD} diverged\n"


@pytest.mark.parametrize("lost", ["result.json", "checkpoint.safetensors", "last epoch"])
def test_an_incomplete_folder_is_not_taken_for_complete(swept, lost, tmp_path):
    runs, _, _ = swept
    folder = tmp_path / GOOD
    folder.mkdir()
    for file in (runs / GOOD).iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    config = sweep.from_dict(json.loads((folder / "config.json").read_text()))
    assert sweep._earlier_ending(folder, config) == sweep.Ending("finished")
    if lost == "last epoch":
        log = folder / "log.jsonl"
        log.write_text(log.read_text().rstrip("\n"))
    else:
        (folder / lost).unlink()
    assert sweep._earlier_ending(folder, config) is None


def test_what_diverged_is_trained_again_when_asked(swept, monkeypatch):
    submitted = []
    monkeypatch.setattr(sweep, "LocalExecutor", executor_of([(BAD, sweep.Ending("diverged", "again"))], submitted))
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    status, out, _ = call(*swept[1], "--retry", "--device", "cuda")
    assert (status, submitted) == (1, [1, (BAD, 3, "cuda"), "stopped"])
    assert out.splitlines()[1] == f"{BAD}  diverged: again"


def test_a_run_of_another_configuration_is_refused_before_anything_is_trained(swept):
    runs, argv, _ = swept
    status, out, err = call(*argv, "--set", "lr=0.5")
    assert (status, out) == (2, "")
    message = f"{runs / GOOD} must hold a run of the same configuration, not one of another training.lr"
    assert err == f"spikewright: error: {message}\n"


def test_a_sweep_is_lengthened_but_not_shortened(tiny, tmp_path, capsys):
    argv = ("sweep", tiny[0], "--data", tiny[1], "--out", tmp_path, "--seeds", "0", "--set", "epochs=1", "--json")
    assert call(*argv)[0] == 0
    status, out, err = call(*argv, "--set", "epochs=2")
    assert status == 0
    assert "warning: the validation part has 30 samples, too few to choose an epoch by" in err
    (point,) = json.loads(out)["points"]
    assert point["epochs"] == 2
    assert json.loads((tmp_path / point["name"] / "result.json").read_text())["epochs"] == 2
    status, _, err = call(*argv)
    assert status == 2
    done = f"epochs must be at least 2, those that {tmp_path / point['name']} has done, not 1"
    assert err == f"spikewright: error: {done}\n"


def test_a_damaged_configuration_is_named(swept, tmp_path):
    _, argv, _ = swept
    (tmp_path / GOOD).mkdir()
    (tmp_path / GOOD / "config.json").write_text('{"training": {}}')
    status, _, err = call(*argv[:4], "--out", tmp_path, *argv[6:])
    assert status == 2
    assert err == f"spikewright: error: {tmp_path / GOOD / 'config.json'}: network must be given, not left out\n"


def executor_of(endings, submitted):
    """An executor on which trainings end as told."""

    class Executor:
        free = 1

        def __init__(self, jobs):
            submitted.append(jobs)

        def submit(self, name, job):
            submitted.append((name, job.threads, job.device))

        def ended(self):
            return [endings.pop(0)]

        def stop(self):
            submitted.append("stopped")

    return Executor


def test_data_that_fits_nothing_is_bad_input(tiny, tmp_path, monkeypatch):
    submitted = []
    endings = [("adabreg-lam0.1-none-seed0", sweep.Ending("refused", "no such recordings"))]
    monkeypatch.setattr(sweep, "LocalExecutor", executor_of(endings, submitted))
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(sweep, "cores", lambda: 7)
    argv = ["sweep", tiny[0], "--data", tiny[1], "--out", tmp_path / "runs", "--lambdas", "0.1,0.2"]
    status, out, err = call(*argv)
    assert (status, out, err.splitlines()[-1]) == (2, "", "spikewright: error: no such recordings")
    names = ["adabreg-lam0.1-none-seed0", "adabreg-lam0.2-none-seed0"]
    assert submitted == [2, *((name, 3, "cpu") for name in names), "stopped"]
    status, _, err = call(*argv[:2], "--data", tmp_path / "none", *argv[4:])
    assert (status, err) == (2, f"spikewright: error: data must be a folder, not {tmp_path / 'none'}\n")


def test_a_worker_that_sees_other_folders_has_not_finished(tiny, tmp_path, monkeypatch):
    name = "adabreg-lam0.02-none-seed0"
    monkeypatch.setattr(sweep, "LocalExecutor", executor_of([(name, sweep.Ending("finished"))], []))
    status, out, _ = call("sweep", tiny[0], "--data", tiny[1], "--out", tmp_path)
    message = f"{tmp_path / name} lacks the run's files: do the workers see the same folders?"
    assert (status, out) == (1, f"{name}  crashed: {message}\n")


def interrupt(argv, log, number, lines):
    """Run a sweep in a process of its own and signal it when a training has logged so many epochs."""
    command = [sys.executable, "-m", "spikewright", *map(str, argv)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while not log.exists() or log.read_bytes().count(b"\n") < lines:
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
        os.kill(process.pid, number)
        out, err = process.communicate()
    return process.returncode, out, err


def test_an_interrupted_sweep_continues_with_the_same_result(tiny, tmp_path):
    epochs = 60
    argv = ["sweep", tiny[0], "--data", tiny[1], "--out", tmp_path, "--lambdas", "0.05", "--set", f"epochs={epochs}"]
    folder = tmp_path / "adabreg-lam0.05-none-seed0"
    log = folder / "log.jsonl"
    assert interrupt(argv, log, signal.SIGTERM, 1)[:2] == (143, "")
    done = log.read_bytes().count(b"\n")
    assert 0 < done < epochs
    assert not (folder / "result.json").exists()
    assert not [path for path in folder.iterdir() if ".tmp" in path.name]
    time.sleep(0.3)
    assert log.read_bytes().count(b"\n") == done  # no process trains on
    status, out, _ = call(*argv, "--json")
    assert (status, json.loads(out)["finished"]) == (0, 1)
    unbroken = tmp_path / "unbroken"
    train(load_config(tiny[0], {"lam": "0.05", "epochs": str(epochs)}), tiny[1], unbroken)
    one, other = (load_file(path / "state.safetensors") for path in (folder, unbroken))
    assert one.keys() == other.keys()
    assert all(bool((one[name] == other[name]).all()) for name in one)
