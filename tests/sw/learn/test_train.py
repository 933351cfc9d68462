import json
import shutil
from contextlib import nullcontext
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from spikewright import __version__
from spikewright.contract.errors import CheckFailed, InputError
from spikewright.data.shd import load_split
from spikewright.integer.evaluate import evaluate
from spikewright.learn.checkpoint import load_checkpoint, save_tensors
from spikewright.learn.checkpoint import load_tensors as read_state
from spikewright.learn.config import AugmentConfig, Config, LayerConfig, NetworkConfig, TrainingConfig, override
from spikewright.learn.recipe import rate_factor
from spikewright.learn.sparsity import sparsity
from spikewright.learn.state import STATE_FORMAT
from spikewright.learn.train import train
from spikewright.report.runs import read
from spikewright.support.files import sha256
from spikewright.support.locks import locked

CONFIG = Config(
    network=NetworkConfig(
        inputs=10,
        classes=3,
        timesteps=20,
        bin_width=70,
        layers=(
            LayerConfig(neurons=24, dropout=0.1),
            LayerConfig(neurons=24, recurrent=True, delay_low=0, delay_high=6, max_delay=8, recurrent_dropout=0.1),
        ),
    ),
    training=TrainingConfig(
        epochs=12, batch=32, lr=0.01, lam=0.02, density=0.6, target_sparsity=0.6, lam_gain=0.3, lam_step=0.05,
        schedule="cosine",
        sigma=2.0, logit_scale=5.0, validation_speakers=(2,), lr_delays=1.0,
    ),
    augment=AugmentConfig(channel_shift=0.5, time_warp=0.1, time_shift=1, drop=0.2, mix=0.2),
)  # fmt: skip


def write_words(path: Path, samples: int, seed: int) -> None:
    """Three "words" that differ in how their pitch moves, from three speakers."""
    rng = np.random.default_rng(seed)
    with h5py.File(path, "w") as file:
        times = file.create_dataset("spikes/times", (samples,), dtype=h5py.vlen_dtype(np.float32))
        units = file.create_dataset("spikes/units", (samples,), dtype=h5py.vlen_dtype(np.uint16))
        labels = np.arange(samples) % 3
        for sample, label in enumerate(labels):
            time = np.sort(rng.uniform(0, 0.19, 120))
            slope = (-1500, 0, 1500)[label]
            unit = 350 + slope * (time - 0.1) + rng.normal(0, 50, 120)
            times[sample], units[sample] = time, np.clip(unit, 0, 699).astype(np.uint16)
        file["labels"] = labels
        file["extra/speaker"] = np.arange(samples) // 3 % 3


@pytest.fixture(scope="module")
def words(tmp_path_factory):
    folder = tmp_path_factory.mktemp("words")
    write_words(folder / "shd_train.h5", 360, 0)
    write_words(folder / "shd_test.h5", 90, 1)
    return folder


@pytest.fixture(scope="module")
def run(words, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    return folder, train(CONFIG, words, folder)


def read_log(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def test_learns_sparsely(run, words):
    folder, report = run
    network = load_checkpoint(folder / "checkpoint.safetensors")
    data = load_split(words, "test", timesteps=20, timestep=0.01, bin_width=70)
    result = evaluate(network, data)
    assert result["accuracy"] > 0.9
    assert report["accuracy"] > 0.9
    assert 0.5 <= report["sparsity"] == sparsity(network.weight_matrices().values()) == result["sparsity"] < 0.8
    assert (report["epochs"], report["training_samples"], report["validation_samples"]) == (12, 240, 120)


def test_logs_every_epoch(run):
    log = read_log(run[0])
    assert [entry["epoch"] for entry in log] == list(range(1, 13))
    assert log[0]["loss"] > log[-1]["loss"]
    assert set(log[0]) >= {"accuracy", "validation_loss", "validation_accuracy", "sparsity", "lam", "rates", "seconds"}
    assert all(0 < rate < 1 for entry in log for rate in entry["rates"])


def test_graphs_of_a_step_train_the_same(words, tmp_path, monkeypatch):
    short = override(CONFIG, {"epochs": "2"})
    train(short, words, tmp_path / "plain")
    monkeypatch.setattr("spikewright.learn.train.choose_device", lambda name: torch.device("cpu"))
    monkeypatch.setattr(torch.cuda, "make_graphed_callables", lambda module, samples, **_: module)
    train(short, words, tmp_path / "graphs", device="cuda-graph")
    for one, other in zip(read_log(tmp_path / "graphs"), read_log(tmp_path / "plain"), strict=True):
        assert one["loss"] == pytest.approx(other["loss"], rel=1e-4)
        assert one["rates"] == pytest.approx(other["rates"], abs=1e-3)


def test_delays_stay_within_their_limit(run):
    delays = load_checkpoint(run[0] / "checkpoint.safetensors").layers[1].delays
    assert delays.min() >= 0
    assert delays.max() <= 8


def stop_after(monkeypatch, epochs):
    """Make a training fail, as if killed, when it begins the epoch after `epochs`."""
    from spikewright.learn import run as module

    original = module.Run.train_epoch

    def train_epoch(self, epoch):
        if epoch == epochs:
            raise KeyboardInterrupt
        original(self, epoch)

    monkeypatch.setattr(module.Run, "train_epoch", train_epoch)


@pytest.mark.parametrize("optimizer", ["adabreg", "linbreg", "adam"])
def test_resumes_with_the_same_result(words, tmp_path, monkeypatch, optimizer):
    own = {"target_sparsity": "0"} if optimizer == "adam" else {"target_sparsity": "0.5"}
    own |= {"momentum": "0.5"} if optimizer == "linbreg" else {}
    config = override(CONFIG, {"epochs": "3", "optimizer": optimizer, **own})
    unbroken = train(config, words, tmp_path / "unbroken")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        stop_after(patch, 2)
        train(config, words, tmp_path / "resumed")
    assert len(read_log(tmp_path / "resumed")) == 2
    resumed = train(config, words, tmp_path / "resumed")
    for name in ("checkpoint.safetensors", "state.safetensors"):
        one, other = (load_tensors(tmp_path / folder / name) for folder in ("unbroken", "resumed"))
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)
    drop = ("seconds", "checkpoint")
    assert {k: v for k, v in unbroken.items() if k not in drop} == {k: v for k, v in resumed.items() if k not in drop}
    logs = [[{**e, "seconds": 0} for e in read_log(tmp_path / folder)] for folder in ("unbroken", "resumed")]
    assert logs[0] == logs[1]


@pytest.mark.parametrize("optimizer", ["adabreg", "adam"])
def test_begins_with_the_weights_of_a_checkpoint(run, words, tmp_path, optimizer):
    start = run[0] / "checkpoint.safetensors"
    settings = {"start": str(start), "optimizer": optimizer, "epochs": "1", "lr": "1e-12", "lr_delays": "0"}
    settings |= {"target_sparsity": "0"} if optimizer == "adam" else {}
    train(CONFIG, words, tmp_path, settings)
    before, after = load_checkpoint(start), load_checkpoint(tmp_path / "checkpoint.safetensors")
    for name, weight in before.weight_matrices().items():
        torch.testing.assert_close(after.weight_matrices()[name], weight, rtol=0, atol=1e-6)
        if optimizer == "adabreg":
            assert torch.equal(after.weight_matrices()[name] == 0, weight == 0)
    for name, delays in before.delay_parameters().items():
        assert torch.equal(after.delay_parameters()[name], delays)
    assert read_log(tmp_path)[0]["start"] == {str(start): sha256(start)}


def test_a_start_is_read_once(run, words, tmp_path, monkeypatch):
    start = tmp_path / "start.safetensors"
    shutil.copy(run[0] / "checkpoint.safetensors", start)
    config = override(CONFIG, {"epochs": "2", "start": str(start)})
    train(config, words, tmp_path / "unbroken")
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        stop_after(patch, 1)
        train(config, words, tmp_path / "resumed")
    start.unlink()
    train(config, words, tmp_path / "resumed")
    one, other = (load_tensors(tmp_path / folder / "state.safetensors") for folder in ("unbroken", "resumed"))
    assert all(torch.equal(one[key], other[key]) for key in one)
    logs = [[{**e, "seconds": 0} for e in read_log(tmp_path / folder)] for folder in ("unbroken", "resumed")]
    assert logs[0] == logs[1]


def test_a_start_of_another_shape_is_refused(run, words, tmp_path):
    start = run[0] / "checkpoint.safetensors"
    with pytest.raises(InputError) as error:
        train(CONFIG, words, tmp_path, {"start": str(start), "network.layers.0.neurons": "5"})
    assert str(error.value) == f"{start}: tensor 'layers.0.weight' must have shape (5, 10), not (24, 10)"


def test_a_start_has_its_delays_cut_to_the_limit(run, words, tmp_path):
    start = run[0] / "checkpoint.safetensors"
    limits = {"network.layers.1.delay_high": "3", "network.layers.1.max_delay": "3"}
    train(CONFIG, words, tmp_path, {"start": str(start), "epochs": "1", "lr_delays": "0", **limits})
    before, after = (
        load_checkpoint(path).delay_parameters()["layers.1.delays"].detach()
        for path in (start, tmp_path / "checkpoint.safetensors")
    )
    assert float(before.max()) > 3
    assert torch.equal(after, before.clamp(max=3))


def load_tensors(path):
    from safetensors.torch import load_file

    return load_file(path)


def test_a_damaged_log_does_not_keep_a_run_from_resuming(run, words, tmp_path):
    folder = shutil.copytree(run[0], tmp_path / "run")
    (folder / "log.jsonl").write_bytes(b"\xff\xfe\n")
    assert train(CONFIG, words, folder) == {**run[1], "checkpoint": str(folder / "checkpoint.safetensors")}
    assert (folder / "log.jsonl").read_bytes() == b"\xff\xfe\n"


def test_a_finished_run_is_not_trained_again(run, words):
    before = (run[0] / "checkpoint.safetensors").read_bytes()
    assert train(CONFIG, words, run[0]) == run[1]
    assert (run[0] / "checkpoint.safetensors").read_bytes() == before


@pytest.mark.parametrize("name", ["training.lr", "network.layers.1.threshold", "training.validation_speakers"])
def test_another_configuration_does_not_resume(run, words, name):
    value = "[1]" if name.endswith("speakers") else "0.5"
    with pytest.raises(InputError) as error:
        train(CONFIG, words, run[0], {name: value})
    state = run[0] / "state.safetensors"
    assert str(error.value) == f"{state} must hold a run of the same configuration, not one of another {name}"


def test_without_resume_a_run_starts_afresh(words, tmp_path):
    settings = {"epochs": "1"}
    train(CONFIG, words, tmp_path, settings)
    train(CONFIG, words, tmp_path, {**settings, "seed": "5"}, resume=False)
    assert len(read_log(tmp_path)) == 1
    assert json.loads((tmp_path / "config.json").read_text())["training"]["seed"] == 5


def test_an_interrupted_restart_does_not_continue_the_run_before(words, tmp_path, monkeypatch):
    config = override(CONFIG, {"epochs": "2"})
    train(config, words, tmp_path)
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        stop_after(patch, 0)
        train(config, words, tmp_path, resume=False)
    assert not (tmp_path / "state.safetensors").exists()
    train(config, words, tmp_path)
    assert [entry["epoch"] for entry in read_log(tmp_path)] == [1, 2]


def same_tensors(one, other):
    left, right = load_tensors(one), load_tensors(other)
    return left.keys() == right.keys() and all(torch.equal(left[key], right[key]) for key in left)


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_run_is_lengthened(words, tmp_path, monkeypatch, interrupted):
    """Finished or not: the learning rate follows the longer run, sigma and the target sparsity never go back."""
    first = override(CONFIG, {"epochs": "4", "sparsity_ramp": "0.75", "target_sparsity": "0.5"})
    longer = override(first, {"epochs": "10"})
    folder = tmp_path / "run"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt) if interrupted else nullcontext():
        if interrupted:
            stop_after(patch, 2)
        train(first, words, folder)
    done = 2 if interrupted else 4
    before = read_log(folder)
    shutil.copytree(folder, tmp_path / "again")
    assert train(longer, words, folder)["epochs"] == 10
    log = read_log(folder)
    assert log[:done] == before
    assert [entry["epoch"] for entry in log] == list(range(1, 11))
    assert all("lengthened" not in entry for entry in before)
    assert all(entry["lengthened"] == [{"after": done, "epochs": 4}] for entry in log[done:])
    last_step = [rate_factor("cosine", 8 * epoch - 1, 80) * 0.01 for epoch in range(1, 11)]
    assert [entry["lr"] for entry in log[done:]] == pytest.approx(last_step[done:])
    sigmas = [entry["sigma"] for entry in log]
    assert sigmas == sorted(sigmas, reverse=True)
    assert sigmas[-1] == 2.0 * 0.95 ** (100 * 9 / 10)
    # The whole target is asked for after 3 epochs, as when the run began, not after 8.
    assert any(entry["candidate"] for entry in log[2:7])
    assert all(entry["candidate"] == (entry["sparsity"] >= 0.48) for entry in log[2:])
    assert read("run", folder).status == "finished"
    # Interrupted in between, it ends with the same result.
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        stop_after(patch, 6)
        train(longer, words, tmp_path / "again")
    train(longer, words, tmp_path / "again")
    for name in ("checkpoint.safetensors", "state.safetensors"):
        assert same_tensors(folder / name, tmp_path / "again" / name)


def test_a_run_without_news_of_its_length_is_lengthened(run, words, tmp_path):
    """One that was trained before runs could be lengthened: what is not in its state follows from its settings."""
    folder = shutil.copytree(run[0], tmp_path / "run")
    path = folder / "state.safetensors"
    with safe_open(path, "pt") as file:
        fields = file.metadata()
    progress = json.loads(fields["progress"])
    for name in ("ramp", "sigma", "most_accurate", "lengthened"):
        del progress[name]
    save_file(load_tensors(path), path, {**fields, "progress": json.dumps(progress)})
    train(CONFIG, words, folder, {"epochs": "24"})
    entry = read_log(folder)[12]
    assert entry["sigma"] == read_log(run[0])[-1]["sigma"]
    assert entry["lengthened"] == [{"after": 12, "epochs": 12}]


def test_fewer_epochs_than_are_done_are_refused(run, words):
    with pytest.raises(InputError) as error:
        train(CONFIG, words, run[0], {"epochs": "11"})
    assert str(error.value) == f"epochs must be at least 12, those that {run[0]} has done, not 11"


def test_a_lengthened_run_of_a_sweep_has_no_old_result(run, words, tmp_path):
    folder = shutil.copytree(run[0], tmp_path / "run")
    for name in ("result.json", "diverged.json"):
        (folder / name).write_text("{}")
    train(CONFIG, words, folder)
    assert (folder / "result.json").exists()
    train(CONFIG, words, folder, {"epochs": "13"})
    assert not (folder / "result.json").exists() and not (folder / "diverged.json").exists()


def test_says_why_a_more_accurate_epoch_was_not_chosen(run):
    log = read_log(run[0])
    top = max(log, key=lambda entry: (entry["validation_accuracy"], -entry["validation_loss"]))
    best = log[run[1]["best_epoch"] - 1]
    assert best["candidate"] and best["sparsity"] >= 0.58
    assert run[1]["most_accurate"] == {
        "epoch": top["epoch"], "accuracy": top["validation_accuracy"], "sparsity": top["sparsity"]
    }  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "said", "reason"),
    [
        ({"target_sparsity": "0"}, None, "the highest validation accuracy of all epochs"),
        ({"target_sparsity": "0.95"}, "no epoch reached the target of 95 % zeros",
         "the highest validation accuracy of all epochs"),
        ({"target_sparsity": "0.2", "sparsity_ramp": "1.0"},
         "epoch 2 had 90.00 %, but came before the target of 20 % zeros was fully asked for (epoch 3)",
         "the highest validation accuracy of the epochs from 3 on that have 18 % zeros or more"),
        ({"target_sparsity": "0.7"}, "epoch 2 had 90.00 %, but only 40.00 % zeros, below the target of 70 % zeros",
         "the highest validation accuracy of the epochs from 2 on that have 68 % zeros or more"),
        ({"target_sparsity": "0", "keep": "last"}, "the last, as training.keep asks for; epoch 2 had 90.00 %",
         "the last, as training.keep asks for"),
    ],
)  # fmt: skip
def test_the_choice_of_the_epoch_is_explained(words, tmp_path, monkeypatch, settings, said, reason):
    from spikewright.learn import run as module

    accuracies, zeros = [0.5, 0.9, 0.8], [0.3, 0.4, 0.7]
    original = module.Run._entry

    def entry(self, epoch, sigma, loss, accuracy):
        made = original(self, epoch, sigma, loss, accuracy)
        return {**made, "validation_accuracy": accuracies[epoch], "sparsity": zeros[epoch]}

    monkeypatch.setattr(module.Run, "_entry", entry)
    report = train(CONFIG, words, tmp_path, {"epochs": "3", **settings})
    assert report["choice"] == said
    assert report["reason"] == reason
    assert report["most_accurate"] == {"epoch": 2, "accuracy": 0.9, "sparsity": 0.4}
    assert report["best_epoch"] == (2 if settings in ({"target_sparsity": "0"}, {"target_sparsity": "0.95"}) else 3)
    assert train(CONFIG, words, tmp_path, {"epochs": "3", **settings}) == report


def test_two_trainings_never_share_a_folder(run, words, tmp_path):
    folder = shutil.copytree(run[0], tmp_path / "run")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with locked(folder, "trains"), pytest.raises(InputError) as error:
        train(CONFIG, words, folder, resume=False)
    assert str(error.value) == f"{folder} must not be in use, but another process trains there"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_divergence_stops_with_a_clear_line(words, tmp_path, monkeypatch):
    from spikewright.learn import objective as module

    monkeypatch.setattr(module, "_logits", lambda network, scores, scale: scores * float("nan"))
    with pytest.raises(CheckFailed) as error:
        train(CONFIG, words, tmp_path)
    assert str(error.value) == "training diverged in epoch 1: the loss is nan; lower lr or lam"


def test_a_lambda_that_leaves_no_weights_stops(words, tmp_path):
    with pytest.raises(CheckFailed) as error:
        train(CONFIG, words, tmp_path, {"optimizer": "linbreg", "lam": "50", "density": "0.0001"})
    assert str(error.value).endswith("is zero; lower lam or lr")
    assert str(error.value).startswith("training diverged in epoch 1: all of ")


def test_damaged_state_is_refused(words, tmp_path):
    train(CONFIG, words, tmp_path, {"epochs": "1"})
    state = tmp_path / "state.safetensors"
    state.write_bytes(state.read_bytes()[:-10])
    with pytest.raises(InputError) as error:
        train(CONFIG, words, tmp_path, {"epochs": "1"})
    assert str(error.value).startswith(f"{state}: not a readable safetensors file (")


@pytest.mark.parametrize(("field", "value"), [("validation_accuracy", None), ("sparsity", "0.5"), ("rates", [None])])
def test_a_state_whose_best_epoch_is_not_of_numbers_is_refused(run, words, tmp_path, field, value):
    folder = shutil.copytree(run[0], tmp_path / "run")
    state = folder / "state.safetensors"
    tensors, fields = read_state(state, STATE_FORMAT, ("config", "progress"))
    fields["progress"]["best"][field] = value
    save_tensors(state, tensors, STATE_FORMAT, fields)
    with pytest.raises(InputError) as error:
        train(CONFIG, words, folder)
    assert str(error.value) == f"{state}: metadata 'progress' is damaged (best must be of numbers)"


def test_keeps_the_last_epoch_where_asked(words, tmp_path):
    # Nothing is learned any more: all epochs are equal, and the first of equals would be the best.
    settings = {"epochs": "3", "optimizer": "adam", "lr": "1e-12", "lr_delays": "0", "target_sparsity": "0"}
    assert train(CONFIG, words, tmp_path / "best", settings)["best_epoch"] < 3
    assert train(CONFIG, words, tmp_path / "last", {**settings, "keep": "last"})["best_epoch"] == 3


def test_says_that_another_version_trained_what_it_resumes(run, words, tmp_path, monkeypatch, capsys):
    folder = shutil.copytree(run[0], tmp_path / "run")
    train(CONFIG, words, folder)
    assert capsys.readouterr().err == f"resuming {folder} after epoch {run[1]['epochs']}\n"
    monkeypatch.setattr("spikewright.learn.run.__version__", "9.9")
    train(CONFIG, words, folder)
    assert capsys.readouterr().err == (
        f"resuming {folder} after epoch {run[1]['epochs']}, which version {__version__} trained, with version 9.9\n"
    )
