import re
from types import SimpleNamespace

import pytest

from spikewright.learn.journal import line, news
from spikewright.learn.train import train
from tiny_training import write_all

ENTRY = {"epoch": 3, "loss": 0.43214, "validation_accuracy": 0.9125, "sparsity": 0.6812, "lam": 0.034567}


def test_an_epoch_is_a_line() -> None:
    assert line(ENTRY, 0.7, 60, 750.0) == (
        "epoch 3 of 60: loss 0.4321, validation accuracy 91.25 %, zeros 68.1 of 70 %, lambda 0.0346, 12 min left"
    )


def test_what_does_not_apply_is_not_said() -> None:
    assert (
        line({**ENTRY, "lam": 0.0}, 0.0, 3, 0.0)
        == "epoch 3 of 3: loss 0.4321, validation accuracy 91.25 %, zeros 68.1 %"
    )
    assert list(news(ENTRY, 0.0)) == ["validation accuracy", "zeros", "lambda"]


def test_the_time_left_is_that_of_the_epochs_of_this_process(tmp_path, capsys, monkeypatch: pytest.MonkeyPatch) -> None:
    config, data = write_all(tmp_path)
    clock = iter(range(0, 10_000, 30))  # an epoch looks at it twice
    monkeypatch.setattr("spikewright.learn.run.time", SimpleNamespace(monotonic=lambda: next(clock)))
    settings = {"epochs": "2", "target_sparsity": "0.5"}
    train(config, data, tmp_path / "run", settings)
    pattern = (
        r"epoch 1 of 2: loss \d\.\d{4}, validation accuracy [\d.]+ %, zeros [\d.]+ of 50 %, lambda [\d.]+, 30 s left"
    )
    assert re.search(pattern, capsys.readouterr().err)
    clock = iter(range(0, 10_000, 500))
    train(config, data, tmp_path / "run", {**settings, "epochs": "5"})
    lines = [text for text in capsys.readouterr().err.splitlines() if text.startswith("epoch ")]
    assert [text.rpartition(", ")[2] for text in lines[:2]] == ["17 min left", "8 min left"]
    assert "left" not in lines[2]
