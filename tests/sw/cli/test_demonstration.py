"""The demo's steps on a tiny network; the real one runs in `tests/test_readme.py`."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from spikewright.cli import demonstration as demo
from spikewright.cli import main as cli
from spikewright.learn.checkpoint import save_checkpoint
from spikewright.learn.config import Config, LayerConfig, NetworkConfig
from spikewright.learn.networks import SpikingNetwork

SPREAD = {"min": 10, "mean": 10.0, "max": 10}


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A random checkpoint in place of the shipped one, and a simulator that finds what it is told."""
    torch.manual_seed(3)
    config = Config(network=NetworkConfig(layers=(LayerConfig(neurons=6), LayerConfig(neurons=5, recurrent=True))))
    checkpoint = tmp_path / "checkpoint.safetensors"
    save_checkpoint(checkpoint, SpikingNetwork(config.network, 0.5), config, {})
    found = {
        "samples": 5,
        "mismatches": 0,
        "cycle_mismatches": 0,
        "details": [],
        "accuracy": 0.2,
        "cycles_per_inference": SPREAD,
        "predicted_cycles_per_inference": SPREAD,
        "synaptic_ops": 1,
        "dense_synaptic_ops": 2,
    }

    def simulate(build_dir: Path, counts: Any, labels: Any, **options: Any) -> dict[str, Any]:
        assert (build_dir / "spikewright_core.v").is_file()
        assert counts.shape == (5, 100, 140)
        assert labels.shape == (5,)
        assert options["engine"] == "native"
        return found

    monkeypatch.setattr(demo, "asset", lambda name: checkpoint)
    monkeypatch.setattr("spikewright_sim.runner.simulate", simulate)
    return found


def test_the_report_and_the_kept_folder(tiny: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "kept"
    assert cli.main(["demo", "--out", str(out), "--json"]) == 0
    text, progress = capsys.readouterr()
    report = json.loads(text)
    assert report["samples"] == 60
    assert set(report["accuracy"]) == {"float", "quantized", "hardware"}
    weights = 6 * 140 + 5 * (6 + 5) + 20 * 5
    assert report["synapses"]["stored"] + report["synapses"]["skipped"] == weights
    assert report["simulation"] == tiny
    assert sum(line.endswith(" ...") for line in progress.splitlines()) == 5
    assert sorted(path.name for path in out.iterdir()) == ["build", "manifest.json", "model.safetensors"]
    manifest = json.loads((out / "build" / "manifest.json").read_text())
    assert manifest["memory_bits"] == report["memory_bits"]


def test_a_mismatch_fails(tiny: Any, capsys: pytest.CaptureFixture[str]) -> None:
    tiny |= {"mismatches": 1, "details": ["sample 0, layer 0, step 1, neuron 2: expected 1, got 0"]}
    assert cli.main(["demo"]) == 1
    text, progress = capsys.readouterr()
    assert "difference            sample 0, layer 0, step 1, neuron 2: expected 1, got 0" in text.splitlines()
    failed = "spikewright: failed: 1 mismatches, 0 cycle mismatches; sample 0, layer 0, step 1, neuron 2: "
    assert progress.splitlines()[-1] == failed + "expected 1, got 0"
