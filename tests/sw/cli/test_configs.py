"""The lists of what is shipped."""

import json
import tomllib
from pathlib import Path

import pytest

from spikewright.cli.main import main
from spikewright.learn.config import load_config, shipped
from spikewright.support.shipped import checkpoints


def test_every_configuration_is_listed_with_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["configs", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["configs"]
    assert [item["name"] for item in listed] == shipped()
    for item in listed:
        load_config(item["name"])
        assert item["about"].endswith(".") and len(item["about"]) > 40
    assert main(["configs"]) == 0
    [line] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("shd-small ")]
    assert line == "shd-small      The small SHD network, 140-42-42-20, about 80 % sparse: fits an iCE40UP5K."


def test_every_checkpoint_is_listed_with_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["checkpoints", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["checkpoints"]
    assert [item["name"] for item in listed] == checkpoints()
    for item in listed:
        assert item["bytes"] == Path(item["file"]).stat().st_size
        assert f"\n{item['about']}\n" in Path(item["card"]).read_text("utf-8")
        assert "dense" in item["about"] if item["name"] == "shd-adam" else "% zero weights" in item["about"]
    assert main(["checkpoints"]) == 0
    assert capsys.readouterr().out.splitlines()[3].startswith("shd-adam           The SHD network, trained on real ")


def test_one_is_printed_as_it_is_shipped(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["configs", "shd-small"]) == 0
    printed = capsys.readouterr().out
    assert tomllib.loads(printed)["network"]["classes"] == 20
    assert main(["configs", "shd-smal"]) == 2
    assert capsys.readouterr().err.endswith(", not 'shd-smal'; did you mean shd-small?\n")
