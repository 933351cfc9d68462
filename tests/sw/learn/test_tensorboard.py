import json
from importlib import util

import pytest

from spikewright.cli.main import main
from spikewright.contract.errors import InputError
from spikewright.learn.checkpoint import load_checkpoint
from spikewright.learn.sparsity import sparsity
from spikewright.learn.train import train
from tiny_training import write_all


def scalars(run):
    """(step, value) by name, as TensorBoard shows them."""
    accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="TensorBoard is not installed"
    )
    events = accumulator.EventAccumulator(str(run / "tensorboard"), {accumulator.SCALARS: 0})
    events.Reload()
    return {name: [(event.step, event.value) for event in events.Scalars(name)] for name in events.Tags()["scalars"]}


def test_what_is_logged_is_what_tensorboard_shows(tmp_path, monkeypatch):
    config, data = write_all(tmp_path)
    run = tmp_path / "run"
    settings = {"epochs": "3", "target_sparsity": "0.5", "keep": "last"}
    if util.find_spec("tensorboard") is None:
        pytest.skip("TensorBoard is not installed")
    # Interrupted after the second epoch was written, and before it counted.
    from spikewright.learn import run as module

    save, saved = module.save_state, []

    def stop(*arguments):
        saved.append(arguments)
        if len(saved) == 2:
            raise KeyboardInterrupt
        save(*arguments)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(module, "save_state", stop)
        train(config, data, run, settings, tensorboard=True)
    train(config, data, run, settings, tensorboard=True)
    log = [json.loads(text) for text in (run / "log.jsonl").read_text().splitlines()]
    shown = scalars(run)
    for name, values in {
        "loss/training": [entry["loss"] for entry in log],
        "loss/validation": [entry["validation_loss"] for entry in log],
        "accuracy/training": [entry["accuracy"] for entry in log],
        "accuracy/validation": [entry["validation_accuracy"] for entry in log],
        "sparsity/all": [entry["sparsity"] for entry in log],
        "sparsity/target": [0.5] * 3,
        "rate/layers.0": [entry["rates"][0] for entry in log],
        "rate/layers.1": [entry["rates"][1] for entry in log],
        "training/lambda": [entry["lam"] for entry in log],
        "training/sigma": [entry["sigma"] for entry in log],
        "training/learning_rate": [entry["lr"] for entry in log],
    }.items():
        assert shown.pop(name) == [(step, pytest.approx(value)) for step, value in enumerate(values, 1)], name
    matrices = load_checkpoint(run / "checkpoint.safetensors").weight_matrices()
    assert shown.keys() == {f"sparsity/{name}" for name in matrices}
    for name, matrix in matrices.items():
        assert shown[f"sparsity/{name}"][-1] == (3, pytest.approx(sparsity([matrix])))
    # Afresh, nothing of the first training is left.
    train(config, data, run, {**settings, "epochs": "1"}, resume=False, tensorboard=True)
    assert [step for step, _ in scalars(run)["loss/training"]] == [1]


def test_without_tensorboard_the_training_does_not_begin(tmp_path, monkeypatch, capsys):
    config, data = write_all(tmp_path)
    monkeypatch.setattr("spikewright.learn.tensorboard.util.find_spec", lambda name: None)
    message = "--tensorboard needs TensorBoard, which is not installed: pip install 'spikewright[tensorboard]'"
    with pytest.raises(InputError) as error:
        train(config, data, tmp_path / "run", tensorboard=True)
    assert str(error.value) == message
    words = ["train", str(config), "--data", str(data), "--out", str(tmp_path / "run"), "--tensorboard"]
    assert main(words) == 2
    assert capsys.readouterr().err == f"spikewright: error: {message}\n"
    assert not (tmp_path / "run").exists()
