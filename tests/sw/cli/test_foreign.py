"""The commands for networks of other libraries."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from nir_files import recurrent, write
from spikewright.cli.main import main


@pytest.fixture
def net(tmp_path: Path) -> Path:
    return write(tmp_path / "net.nir", *recurrent())


def report(capsys: pytest.CaptureFixture[str], *argv: object) -> Any:
    assert main([*map(str, argv), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refused(capsys: pytest.CaptureFixture[str], *argv: object) -> str:
    assert main([*map(str, argv)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    return captured.err


def imported(capsys: pytest.CaptureFixture[str], net: Path) -> Path:
    out = net.with_name("net.safetensors")
    report(capsys, "import", net, "-o", out, "--dialect", "snntorch", "--set", "reset=sub_delayed")
    return out


def test_a_network_is_imported_and_evaluated(net: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint = imported(capsys, net)
    data = net.with_name("data.npz")
    values = np.random.default_rng(0).integers(0, 3, (30, 7, 5))
    np.savez(data, input=values, labels=np.zeros(7, int))
    found = report(capsys, "evaluate", checkpoint, "--data", data, "--spikes", net.with_name("spikes.npz"))
    assert found["samples"] == 7
    assert 0 <= found["accuracy"] <= 1
    with np.load(net.with_name("spikes.npz")) as spikes:
        assert list(spikes) == ["lif"]
        assert spikes["lif"].shape == (30, 7, 6)
        assert spikes["lif"].mean() == pytest.approx(found["layers"][0]["firing_rate"])
        assert 0 < spikes["lif"].mean() < 1
    assert found["layers"][1] == {"name": "li", "neurons": 3, "firing_rate": None}
    np.savez(data, input=values)
    assert report(capsys, "evaluate", checkpoint, "--data", data)["accuracy"] is None


def test_import_says_what_it_understood(net: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = report(capsys, "import", net, "--dialect", "snntorch", "--set", "reset=zero", "--timesteps", "9")
    assert found["checkpoint"] is None
    assert (found["dialect"], found["input"], found["classes"]) == ("snntorch-1.0", [5], 3)
    assert (found["timesteps"], found["decision"]) == (9, "sum")
    assert [node["name"] for node in found["nodes"]] == ["fc", "lif", "w_rec", "out", "li"]
    assert found["nodes"][1]["leak"] == pytest.approx([0.9, 0.9])
    assert main(["import", str(net), "--dialect", "snntorch", "--set", "reset=zero"]) == 0
    assert "lif      LIF 6, leak 0.9, gain 1, threshold 1" in capsys.readouterr().out


def test_what_is_left_open_is_asked_for(net: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = net.with_name("net.safetensors")
    said = refused(capsys, "import", net, "-o", out, "--dialect", "snntorch")
    assert said.startswith(
        f"spikewright: error: {net}: node 'lif': reset is not in the file and must be given by --set"
    )
    assert f"{net}: dialect must be a JSON file or one of norse-1.1" in refused(capsys, "import", net, "-o", out)
    assert not out.exists()


def test_data_that_does_not_fit_is_refused(net: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint = imported(capsys, net)
    data = net.with_name("data.npz")
    assert "data must be a file *.npz" in refused(capsys, "evaluate", checkpoint, "--data", "sample")
    np.savez(data, input=np.zeros((3, 2, 4), int))
    assert "values must be (samples, 3 steps, 5 channels)" in refused(capsys, "evaluate", checkpoint, "--data", data)
    np.savez(data, input=np.zeros((3, 1, 5), int), labels=[3])
    assert f"{data}: labels must be below 3" in refused(capsys, "evaluate", checkpoint, "--data", data)
    assert "spikes must be a file *.npz" in refused(
        capsys, "evaluate", checkpoint, "--data", data, "--spikes", net.with_name("spikes.txt")
    )


def test_a_network_is_quantized_and_keeps_its_names(net: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint, model, data = net.with_name("net.safetensors"), net.with_name("model"), net.with_name("data.npz")
    settings = ("--dialect", "snntorch", "--set", "reset=sub_delayed", "--timesteps", "30")
    report(capsys, "import", net, "-o", checkpoint, *settings)
    np.savez(data, input=np.random.default_rng(0).integers(0, 3, (30, 12, 5)), labels=np.arange(12) % 3)
    found = report(capsys, "quantize", checkpoint, "-o", model, "--weight-bits", "16", "--data", data)
    assert found["accuracy"]["quantized"] == found["accuracy"]["float"]
    for file in (checkpoint, model):
        report(capsys, "evaluate", file, "--data", data, "--spikes", file.with_suffix(".npz"))
    with np.load(checkpoint.with_suffix(".npz")) as one, np.load(model.with_suffix(".npz")) as other:
        assert list(one) == list(other) == ["lif"]
        np.testing.assert_array_equal(one["lif"], other["lif"])
    report(capsys, "quantize", checkpoint, "-o", model, "--calibrate", "8", "--data", data)
    report(capsys, "quantize", checkpoint, "-o", model, "--fine-tune", "1", "--data", data)


def test_few_samples_are_enough_to_calibrate(net: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint, model, data = net.with_name("net.safetensors"), net.with_name("model"), net.with_name("data.npz")
    report(capsys, "import", net, "-o", checkpoint, "--dialect", "snntorch", "--set", "reset=sub", "--timesteps", "30")
    np.savez(data, input=np.random.default_rng(0).integers(0, 3, (30, 1, 5)))
    found = report(capsys, "quantize", checkpoint, "-o", model, "--calibrate", "4", "--data", data)
    assert (found["calibrated_on"], found["accuracy"]) == (1, {"float": None, "quantized": None})


def test_every_command_takes_the_checkpoint(net: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint, model, data = net.with_name("net.safetensors"), net.with_name("model"), net.with_name("data.npz")
    settings = ("--dialect", "snntorch", "--set", "reset=zero", "--timesteps", "12", "--decision", "last")
    assert report(capsys, "import", net, "-o", checkpoint, *settings)["refused"] is None
    np.savez(data, input=np.random.default_rng(0).integers(0, 3, (12, 20, 5)), labels=np.arange(20) % 3)
    sparser = ("--set", "epochs=2", "--set", "lam=0.5", "--set", "batch=8")
    trained = report(capsys, "train", checkpoint, "--data", data, "--out", net.with_name("run"), *sparser)
    report(capsys, "quantize", trained["checkpoint"], "-o", model, "--data", data)
    report(capsys, "quantize", checkpoint, "-o", model, "--data", data, "--fine-tune", "1")
    report(capsys, "generate", model, "-o", net.with_name("build"), "--lanes", "1")
    explored = ("--data", data, "--samples", "2", "--split", "test", "--weight-bits", "8")
    assert report(capsys, "explore", checkpoint, *explored)["points"]
    report(capsys, "view", checkpoint, "-o", net.with_name("page.html"))
    report(capsys, "export", checkpoint, "-o", net.with_name("again.nir"))


def test_other_commands_say_what_they_need(net: Path, capsys: pytest.CaptureFixture[str]) -> None:
    checkpoint, data = imported(capsys, net), net.with_name("data.npz")
    np.savez(data, input=np.zeros((30, 12, 5), int))
    said = refused(capsys, "generate", checkpoint, "-o", "x")
    assert "not a network of another library by `spikewright import`" in said
    assert "--data must be a file *.npz" in refused(capsys, "quantize", checkpoint, "-o", "x")
    said = refused(capsys, "quantize", checkpoint, "-o", "x", "--data", data)
    assert f"{checkpoint}: timesteps must be given to `spikewright import`, by --timesteps" in said
    report(capsys, "import", net, "-o", checkpoint, "--dialect", "snntorch", "--set", "reset=sub", "--timesteps", "30")
    said = refused(capsys, "quantize", checkpoint, "-o", "x", "--fine-tune", "1", "--data", data)
    assert "data must have labels with fine_tune" in said


def test_a_network_of_our_own_takes_the_samples_of_anybody(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    values = np.random.default_rng(0).integers(0, 2, (100, 3, 140))
    np.savez(tmp_path / "data.npz", input=values, labels=[0, 1, 2])
    found = report(
        capsys, "evaluate", "synth-small", "--data", tmp_path / "data.npz", "--spikes", tmp_path / "spikes.npz"
    )
    assert found["samples"] == 3
    with np.load(tmp_path / "spikes.npz") as spikes:
        assert sorted(spikes) == ["layers.0", "layers.1"]
        assert spikes["layers.0"].mean() == pytest.approx(found["layers"][0]["firing_rate"])


def test_calls_take_such_networks_too(net: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import spikewright as sw

    checkpoint = imported(capsys, net)
    network = sw.import_nir(net, "snntorch", {"reset": "sub_delayed"})
    data = sw.SpikeData(np.random.default_rng(0).integers(0, 3, (7, 30, 5)), np.zeros(7, int))
    found = sw.evaluate(network, data)
    assert found.report == sw.evaluate(checkpoint, data).report
    assert "6 neurons" in dict(found.facts())["lif"]
    timed = sw.import_nir(net, "snntorch", {"reset": "zero"}, timesteps=30)
    assert isinstance(sw.view(timed, out=net.with_name("page.html")).page, str)
    labelled = sw.SpikeData(np.random.default_rng(0).integers(0, 3, (20, 30, 5)), np.arange(20) % 3)
    assert isinstance(sw.train(timed, labelled, epochs=1).network, sw.SpikingNetwork)


def test_a_network_is_exported_and_says_how_it_is_read_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net = tmp_path / "net.nir"
    found = report(capsys, "export", "synth-small", "-o", net)
    assert (found["dialect"], found["settings"]) == ("spikewright", {"reset": "zero"})
    checkpoint = tmp_path / "net.safetensors"
    settings = [word for key, value in found["settings"].items() for word in ("--set", f"{key}={value}")]
    report(capsys, "import", net, "-o", checkpoint, "--dialect", found["dialect"], *settings, "--timesteps", "100")
    found = report(capsys, "export", checkpoint, "-o", tmp_path / "again.nir")
    assert found["dialect"] == "spikewright-1"
    assert refused(capsys, "export", "synth-small", "-o", tmp_path / "x.nir", "--dialect", "norse") == (
        "spikewright: error: layer 1 must have no recurrence for norse, which reads no delays, not one\n"
    )
