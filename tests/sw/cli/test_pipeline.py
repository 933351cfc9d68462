"""The commands on small, real files, and on damaged ones."""

import contextlib
import io
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from spikewright.cli import main as cli
from spikewright.integer.file import load_info, load_model
from spikewright_boards.catalog import names

CLASSES, STEPS = 4, 12

CONFIG = f"""
[network]
inputs = 140
classes = {CLASSES}
timesteps = {STEPS}

[[network.layers]]
neurons = 9

[[network.layers]]
neurons = 9
recurrent = true
delay_low = 0.0
delay_high = 5.0
max_delay = 6

[training]
epochs = 2
batch = 8
target_sparsity = 0.5
"""


def write_recordings(path: Path, samples: int, *, unit: int = 0, classes: int = CLASSES) -> None:
    """Random spikes in the format of SHD; the last spike of the last sample is in channel `unit`."""
    rng = np.random.default_rng(samples)
    with h5py.File(path, "w") as file:
        times = file.create_dataset("spikes/times", (samples,), dtype=h5py.vlen_dtype(np.float16))
        units = file.create_dataset("spikes/units", (samples,), dtype=h5py.vlen_dtype(np.uint16))
        for row in range(samples):
            count = int(rng.integers(200, 400))
            channels = rng.integers(0, 700, count).astype(np.uint16)
            if row == samples - 1:
                channels[-1] = unit
            times[row] = np.sort(rng.random(count) * 0.1).astype(np.float16)
            units[row] = channels
        file["labels"] = np.arange(samples, dtype=np.uint16) % classes
        file["extra/speaker"] = np.arange(samples, dtype=np.uint16) % 3


def call(*argv: object) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of a command."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = cli.main(list(map(str, argv)))
    return status, out.getvalue(), err.getvalue()


def report(*argv: object) -> Any:
    """The JSON object of a command that succeeds."""
    status, out, err = call(*argv, "--json")
    assert status == 0, err
    return json.loads(out)


class Made:
    """Files of a run through the pipeline, and what the commands reported."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.config = folder / "config.toml"
        self.run = folder / "run"
        self.checkpoint = folder / "run" / "checkpoint.safetensors"
        self.model = folder / "model.safetensors"
        self.build = folder / "build"
        self.data.mkdir()
        write_recordings(self.data / "shd_train.h5", 40)
        write_recordings(self.data / "shd_test.h5", 8)
        self.config.write_text(CONFIG)
        self.train = report("train", self.config, "--data", self.data, "--out", self.run, "--set", "epochs=3")
        self.quantize = report("quantize", self.checkpoint, "-o", self.model, "--data", self.data)
        self.generate = report("generate", self.model, "-o", self.build, "--lanes", 2)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(tmp_path_factory.mktemp("pipeline"))


def test_data_info(made: Made) -> None:
    info = report("data", "info", made.data / "shd_test.h5")
    assert info["samples"] == 8
    assert info["samples_per_class"] == [2, 2, 2, 2]
    status, out, _ = call("data", "info", made.data / "shd_test.h5")
    assert status == 0
    assert out.splitlines()[0].split() == ["samples", "8"]


def test_train(made: Made) -> None:
    assert made.train["checkpoint"] == str(made.checkpoint)
    assert made.train["epochs"] == 3


def test_train_continues_and_restarts(made: Made, tmp_path: Path) -> None:
    run = shutil.copytree(made.run, tmp_path / "run")
    argv = ("train", made.config, "--data", made.data, "--out", run, "--set", "epochs=3")
    state = (run / "state.safetensors").stat().st_mtime_ns
    assert report(*argv)["best_epoch"] == made.train["best_epoch"]
    assert (run / "state.safetensors").stat().st_mtime_ns == state  # it was complete
    report(*argv, "--restart")
    assert (run / "state.safetensors").stat().st_mtime_ns != state


def test_quantize(made: Made) -> None:
    spec = load_model(made.model)
    float_report = report("evaluate", made.checkpoint, "--data", made.data)
    integer_report = report("evaluate", made.model, "--data", made.data)
    assert made.quantize["samples"] == 8
    assert made.quantize["accuracy"] == {"float": float_report["accuracy"], "quantized": integer_report["accuracy"]}
    assert made.quantize["synapses"] == sum(layer.synapses for layer in spec.layers)
    assert made.quantize["sparsity"] == integer_report["sparsity"]
    assert load_info(made.model)["bin_width"] == 5
    assert made.quantize["rates_of_samples"] == 40
    assert all(layer.rates is not None and layer.rates.any() for layer in spec.layers[:1])
    assert {layer.weight_bits for layer in spec.layers} == {8}


def test_quantize_widths(made: Made, tmp_path: Path) -> None:
    out = tmp_path / "model.safetensors"
    report("quantize", made.checkpoint, "-o", out, "--data", made.data, "--weight-bits", 4, "--value-bits", 7)
    assert {layer.weight_bits for layer in load_model(out).layers} == {4}
    assert load_model(out).value_bits == 7


@pytest.mark.parametrize("more", [(), ("--calibrate", 5), ("--fine-tune", 1)])
def test_quantize_rounds_delays(made: Made, tmp_path: Path, more: tuple[str | int, ...]) -> None:
    out = tmp_path / "model.safetensors"
    before = load_model(made.model).layers[1].delays
    assert before is not None
    assert (before % 3).any()
    found = report("quantize", made.checkpoint, "-o", out, "--data", made.data, "--delay-step", 3, *more)
    delays = load_model(out).layers[1].delays
    assert delays is not None
    assert len(set(delays.tolist())) > 1
    assert not ((1 + delays) % 3).any()
    assert abs(delays - before).max() <= 2
    assert found["delay_step"] == load_info(out)["delay_step"] == 3
    assert found["accuracy"]["float"] == made.quantize["accuracy"]["float"]


def test_quantize_calibrates(made: Made, tmp_path: Path) -> None:
    out = tmp_path / "model.safetensors"
    argv = ("quantize", made.checkpoint, "-o", out, "--weight-bits", 3, "--calibrate")
    assert refused(tmp_path, *argv, 5) == "--data must be given with --calibrate, not left out"
    found = refused(tmp_path, *argv, 5, "--fine-tune", 1, "--data", made.data)
    assert found == "--calibrate must be left out with --fine-tune, which begins with the nearest integers"
    assert report(*argv, 5, "--data", made.data)["calibrated_on"] == 5
    assert load_info(out)["calibrated_on"] == 5
    few = [layer.weights.tolist() for layer in load_model(out).layers]
    # All that are not held out.
    assert report(*argv, 1000, "--data", made.data)["calibrated_on"] == 36
    assert [layer.weights.tolist() for layer in load_model(out).layers] != few
    assert report(*argv, 0, "--data", made.data)["calibrated_on"] == 0


def test_quantize_fine_tunes(made: Made, tmp_path: Path) -> None:
    out = tmp_path / "model.safetensors"
    argv = ("quantize", made.checkpoint, "-o", out, "--weight-bits", 3, "--fine-tune", 2)
    assert refused(tmp_path, *argv) == "--data must be given with --fine-tune, not left out"
    found = report(*argv, "--data", made.data)["fine_tuning"]
    assert found["epochs"] == 2
    assert len(found["validation"]) == 3
    assert load_info(out)["fine_tuning"] == found
    assert {layer.weight_bits for layer in load_model(out).layers} == {3}


def test_evaluate_split(made: Made) -> None:
    found = report("evaluate", made.checkpoint, "--data", made.data, "--split", "train")
    assert found["samples"] == 40
    assert [layer["shape"] for layer in found["layers"]] == [[9, 140], [9, 18], [4, 9]]


def test_generate(made: Made) -> None:
    assert made.generate["lanes"] == 2
    assert made.generate["synapses"] == made.quantize["synapses"]
    assert set(made.generate["state_bits"]) == {"layer0", "layer1", "layer2"}
    assert (made.build / "spikewright_core.v").exists()
    manifest = json.loads((made.build / "manifest.json").read_text())
    assert made.generate["memory_bits"] == manifest["memory_bits"]
    memories = (manifest["memory_bits"][f"layer1_{name}"] for name in ("rows", "synapses"))
    assert made.generate["encodings"]["layer1"][made.generate["encoding"]["layer1"]]["bits"] == sum(memories)
    assert set(made.generate["encodings"]["layer1"]) == {"absolute", "relative", "bitmap"}


def test_a_core_to_load_and_an_image_for_it(made: Made, tmp_path: Path) -> None:
    build, image = tmp_path / "build", tmp_path / "image.bin"
    options = ("--lanes", 2, "--weights", "loadable", "--margin", 0.5, "--room-for", made.model)
    found = report("generate", made.model, "-o", build, *options)
    assert found["load"]["bytes"] == (build / "weights.bin").stat().st_size
    assert max(layer["lanes"] for layer in found["capacity"]["layers"]) == 2
    assert made.generate["load"] is None
    written = report("generate", made.model, "--image-for", build, "-o", image)
    assert written["image"] == str(image)
    assert written["fingerprint"] == found["load"]["fingerprint"]
    assert image.read_bytes() == (build / "weights.bin").read_bytes()
    status, out, _ = call("generate", made.model, "--image-for", build, "-o", image)
    assert status == 0
    assert out.splitlines()[0].split() == ["load", "image", str(image)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--margin", 0.5), "--margin must be left out without --weights loadable"),
        (("--room-for", "m"), "--room-for must be left out without --weights loadable"),
        (("--weights", "fixed", "--margin", 0), "--margin must be left out without --weights loadable"),
        (("--image-for", "b", "--lanes", 4), "--lanes must be left out with --image-for: the core is made already"),
        (
            ("--image-for", "b", "--room-for", "m"),
            "--room-for must be left out with --image-for: the core is made already",
        ),
        (
            ("--image-for", "b", "--without-idle"),
            "--without-idle must be left out with --image-for: the core is made already",
        ),
        (("--image-for", "none"), "none must be a folder by `spikewright generate`, not one without manifest.json"),
        (
            ("--weights", "loadable", "--without-idle"),
            "a core that is loaded at run time must have all neurons, not be without idle ones",
        ),
    ],
)
def test_options_without_a_meaning_are_refused(
    made: Made, tmp_path: Path, options: tuple[object, ...], message: str
) -> None:
    assert refused(tmp_path, "generate", made.model, "-o", tmp_path / "out", *options) == message


def test_a_fixed_core_is_not_loaded(made: Made, tmp_path: Path) -> None:
    simulate = ("simulate", made.build, "--data", made.data)
    wanted = f"{made.build} must be made by `generate --weights loadable` to take"
    assert refused(tmp_path, *simulate, "--model", made.model) == f"{wanted} another network"
    assert refused(tmp_path, *simulate, "--image", made.model) == f"{wanted} a load image"


def test_tables_name_the_outputs(made: Made, tmp_path: Path) -> None:
    status, out, _ = call("generate", made.model, "-o", tmp_path / "build")
    assert status == 0
    assert out.splitlines()[-1].split() == ["Verilog", str(tmp_path / "build" / "spikewright_core.v")]
    status, out, _ = call("quantize", made.checkpoint, "-o", tmp_path / "m.safetensors", "--data", made.data)
    assert status == 0
    assert out.splitlines()[-1].split() == ["model", str(tmp_path / "m.safetensors")]
    status, out, _ = call("evaluate", made.model, "--data", made.data)
    assert status == 0
    assert out.splitlines()[-1].endswith("read-out")


# ---- bad input: exit status 2, one line, nothing written


def changed(source: Path, target: Path, change: Callable[[dict[str, torch.Tensor]], None]) -> Path:
    """A safetensors file with changed tensors and the same metadata."""
    with safe_open(source, framework="pt") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    change(tensors)
    save_file(tensors, target, metadata)
    return target


def refused(folder: Path, *argv: object) -> str:
    """The one line of a command that is refused, and that changes nothing in `folder`."""

    def everything() -> dict[Path, int]:
        return {path: path.stat().st_mtime_ns for path in folder.rglob("*")}

    before = everything()
    status, out, err = call(*argv)
    assert status == 2, err
    assert out == ""
    assert everything() == before
    assert err.startswith("spikewright: error: ")
    assert err.endswith("\n")
    assert err.count("\n") == 1, err
    return err.removeprefix("spikewright: error: ")[:-1]


def test_truncated_recordings(made: Made, tmp_path: Path) -> None:
    for split in ("train", "test"):
        raw = (made.data / f"shd_{split}.h5").read_bytes()
        (tmp_path / f"shd_{split}.h5").write_bytes(raw[: len(raw) * 2 // 3])
    wanted = f"{tmp_path / 'shd_test.h5'} must be a complete HDF5 file, not a damaged or different one ("
    assert refused(tmp_path, "data", "info", tmp_path / "shd_test.h5").startswith(wanted)
    assert refused(tmp_path, "evaluate", made.checkpoint, "--data", tmp_path).startswith(wanted)
    out = tmp_path / "out.safetensors"
    assert refused(tmp_path, "quantize", made.checkpoint, "-o", out, "--data", tmp_path).startswith(wanted)
    found = refused(tmp_path, "train", made.config, "--data", tmp_path, "--out", tmp_path / "run")
    assert found.startswith(wanted.replace("shd_test", "shd_train"))


def test_units_out_of_range(made: Made, tmp_path: Path) -> None:
    path = tmp_path / "shd_test.h5"
    write_recordings(path, 8, unit=700)
    wanted = f"{path}: sample 7: spikes/units must be between 0 and 699, not 700"
    assert refused(tmp_path, "data", "info", path) == wanted
    assert refused(tmp_path, "evaluate", made.model, "--data", tmp_path) == wanted


def test_missing_and_empty_recordings(made: Made, tmp_path: Path) -> None:
    path = tmp_path / "shd_test.h5"
    wanted = f"{path} must be an SHD-format HDF5 file, not missing"
    assert refused(tmp_path, "evaluate", made.model, "--data", tmp_path) == wanted
    write_recordings(path, 0)
    wanted = f"{path} must hold at least one sample, not 0"
    assert refused(tmp_path, "evaluate", made.model, "--data", tmp_path) == wanted
    assert report("data", "info", path)["samples"] == 0


def test_labels_of_other_classes(made: Made, tmp_path: Path) -> None:
    path = tmp_path / "shd_test.h5"
    write_recordings(path, 8, classes=CLASSES + 1)
    wanted = f"{path}: labels must be below {CLASSES}, the classes of the network, not {CLASSES}"
    assert refused(tmp_path, "evaluate", made.model, "--data", tmp_path) == wanted
    assert refused(tmp_path, "evaluate", made.checkpoint, "--data", tmp_path) == wanted
    assert refused(tmp_path, "simulate", made.build, "--data", tmp_path) == wanted


def test_weights_that_are_not_numbers(made: Made, tmp_path: Path) -> None:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        tensors["layers.1.recurrent_weight"][3, 4] = float("nan")

    path = changed(made.checkpoint, tmp_path / "checkpoint.safetensors", change)
    wanted = f"{path}: tensor 'layers.1.recurrent_weight' must be finite, not NaN or infinite"
    assert refused(tmp_path, "evaluate", path, "--data", made.data) == wanted
    assert refused(tmp_path, "quantize", path, "-o", tmp_path / "m", "--data", made.data) == wanted


def test_checkpoint_of_another_shape(made: Made, tmp_path: Path) -> None:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        tensors["layers.0.weight"] = torch.zeros(9, 139)

    path = changed(made.checkpoint, tmp_path / "checkpoint.safetensors", change)
    wanted = f"{path}: tensor 'layers.0.weight' must have shape (9, 140), not (9, 139)"
    assert refused(tmp_path, "quantize", path, "-o", tmp_path / "m", "--data", made.data) == wanted


def test_model_of_another_shape(made: Made, tmp_path: Path) -> None:
    def change(tensors: dict[str, torch.Tensor]) -> None:
        tensors["layers.0.bias"] = tensors["layers.0.bias"][:5].clone()

    path = changed(made.model, tmp_path / "model.safetensors", change)
    wanted = f"{path}: layer 0: bias must have shape (9,), not (5,)"
    assert refused(tmp_path, "generate", path, "-o", tmp_path / "build") == wanted


def test_truncated_models(made: Made, tmp_path: Path) -> None:
    for source, argv in (
        (made.checkpoint, ("quantize", "-o", tmp_path / "m")),
        (made.model, ("generate", "-o", tmp_path / "build")),
        (made.model, ("evaluate", "--data", made.data)),
    ):
        path = tmp_path / source.name
        path.write_bytes(source.read_bytes()[:-7])
        assert refused(tmp_path, *argv, path).startswith(f"{path}: not a readable safetensors file (")


NO_BUILD = "must be a folder by `spikewright generate`, not one without manifest.json"


def test_the_wrong_kind_of_file(made: Made, tmp_path: Path) -> None:
    checkpoint, integers = "a checkpoint by `spikewright train`", "an integer network by `spikewright quantize`"
    for argv, path, message in (
        (("generate", "-o", tmp_path / "build"), made.checkpoint, f"must be {integers}, not {checkpoint}"),
        (("quantize", "-o", tmp_path / "m"), made.model, f"must be {checkpoint}, not {integers}"),
        (("evaluate", "--data", made.data), tmp_path, "must be a file, not a folder"),
        (("synth", "--board", "icebreaker"), tmp_path, NO_BUILD),
        (("simulate", "--data", made.data), tmp_path, NO_BUILD),
    ):
        assert refused(tmp_path, *argv, path) == f"{path} {message}"
    assert refused(tmp_path, "report", made.model) == f"runs must be a folder, not {made.model}"
    assert (
        refused(tmp_path, "generate", tmp_path / "none", "-o", tmp_path / "b") == f"{tmp_path / 'none'}: no such file"
    )


def test_outputs_that_cannot_be_written(made: Made, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("precious")
    below = file / "out"
    wanted = f"cannot write {below}: Not a directory"
    assert refused(tmp_path, "quantize", made.checkpoint, "-o", below, "--data", made.data) == wanted
    assert refused(tmp_path, "generate", made.model, "-o", below) == wanted
    assert refused(tmp_path, "data", "synth", below, "--samples-per-class", 2) == wanted
    assert refused(tmp_path, "train", made.config, "--data", made.data, "--out", below) == wanted
    assert refused(tmp_path, "generate", made.model, "-o", file) == f"output {file} must be a folder, not a file"


@pytest.mark.skipif(os.geteuid() == 0, reason="needs a user whom permissions bind: root may write everywhere")
def test_outputs_that_may_not_be_written(made: Made, tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    wanted = f"cannot write {locked / 'build'}: Permission denied"
    assert refused(tmp_path, "generate", made.model, "-o", locked / "build") == wanted


def test_folders_of_others(made: Made, tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    wanted = f"output {tmp_path} must be a new or empty folder or one made by spikewright, not {tmp_path}"
    assert refused(tmp_path, "generate", made.model, "-o", tmp_path) == wanted
    assert refused(tmp_path, "data", "synth", tmp_path, "--samples-per-class", 2) == wanted


def test_configurations(made: Made, tmp_path: Path) -> None:
    argv = ("train", made.config, "--data", made.data, "--out", tmp_path / "run", "--set")
    assert refused(tmp_path, *argv, "epochs=0") == "training.epochs must be 1 .. 1000000, not 0"
    assert "--set colour must name a setting" in refused(tmp_path, *argv, "colour=red")
    assert "config must be a TOML file or one of" in refused(
        tmp_path, "train", "nonsense", "--data", made.data, "--out", tmp_path / "run"
    )


def test_counts_that_do_not_fit(made: Made, tmp_path: Path) -> None:
    found = refused(tmp_path, "quantize", made.checkpoint, "-o", tmp_path / "m", "--data", made.data, "--value-bits", 1)
    assert found.startswith(f"{made.checkpoint}: input values must be 0 .. 1 (1 bits), not ")


# ---- simulation and synthesis, as the commands call them (`tests/sim` and `tests/boards` run the real ones)

SIMULATED = {
    "samples": 3,
    "mismatches": 0,
    "cycle_mismatches": 0,
    "details": [],
    "accuracy": 2 / 3,
    "cycles_per_inference": {"min": 900, "mean": 1000.5, "max": 1100},
    "predicted_cycles_per_inference": {"min": 900, "mean": 1000.5, "max": 1100},
    "synaptic_ops": 1234,
    "dense_synaptic_ops": 5678,
}


def fake_simulation(monkeypatch: pytest.MonkeyPatch, **changes: Any) -> list[tuple[Any, ...]]:
    """Replace the simulator; returns the arguments of its calls."""
    calls: list[tuple[Any, ...]] = []

    def simulate(build_dir: Path, counts: Any, labels: Any, **options: Any) -> dict[str, Any]:
        options["progress"]("working")
        calls.append((build_dir, counts.shape, labels.tolist(), options.get("seed")))
        return {**SIMULATED, **changes}

    monkeypatch.setattr("spikewright_sim.runner.simulate", simulate)
    return calls


def test_simulate(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = fake_simulation(monkeypatch)
    found = report("simulate", made.build, "--data", made.data, "--samples", 3, "--seed", 7)
    assert found.items() >= SIMULATED.items()
    assert calls == [(made.build, (3, STEPS, 140), [0, 1, 2], 7)]
    status, out, err = call("simulate", made.build, "--data", made.data)
    assert status == 0
    assert calls[1][1] == (8, STEPS, 140)  # fewer than the default: all
    assert "mismatches            0\n" in out
    assert "cycles per inference  900 - 1,100, mean 1,000\n" in out
    assert err == "working\n"


def test_simulate_fails(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    where = "sample 0, layer 1, step 17, neuron 5: expected 1, got 0"
    fake_simulation(monkeypatch, mismatches=4, cycle_mismatches=1, details=[where])
    status, out, err = call("simulate", made.build, "--data", made.data, "--json")
    assert status == 1
    assert json.loads(out)["mismatches"] == 4
    assert err.splitlines()[-1] == f"spikewright: failed: 4 mismatches, 1 cycle mismatches; {where}"
    fake_simulation(monkeypatch, cycle_mismatches=1, details=[where])
    status, out, err = call("simulate", made.build, "--data", made.data)
    assert status == 1
    assert f"difference            {where}\n" in out


def test_simulate_refuses(made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    argv = ("simulate", made.build, "--data", made.data)
    assert refused(made.folder, *argv, "--samples", 9) == (
        f"samples must be between 0 and 8 (all of {made.data / 'shd_test.h5'}), not 9"
    )
    assert refused(tmp_path, "simulate", tmp_path, "--data", made.data) == (
        f"{tmp_path} must be a folder by `spikewright generate`, not one without manifest.json"
    )
    monkeypatch.setenv("PATH", str(tmp_path))
    assert refused(made.folder, *argv) == f"g++ must be installed to compile a simulation: not found in PATH={tmp_path}"


SYNTHESIZED = {
    "board": "icebreaker",
    "luts": 4000,
    "ffs": 1500,
    "brams": 20,
    "dsps": 0,
    "available": {"luts": 5280, "ffs": 5280, "brams": 30, "dsps": 8},
    "fmax_mhz": 11.5,
    "clock_mhz": 12.0,
    "bitstream": "build/synth-icebreaker/top.bin",
}


def test_synth(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def synthesize(*args: Any, **options: Any) -> dict[str, Any]:
        calls.append((args, options))
        return SYNTHESIZED

    monkeypatch.setattr("spikewright_boards.flow.bitstream.synthesize", synthesize)
    argv = ("synth", made.build, "--board", "icebreaker", "--seed", 3)
    assert report(*argv).items() >= SYNTHESIZED.items()
    assert calls == [((made.build, "icebreaker"), {"out_dir": None, "clock_mhz": None, "seed": 3})]
    status, out, _ = call(*argv)
    assert status == 0
    assert "LUTs           4,000 of 5,280\n" in out
    assert out.splitlines()[-1].split() == ["bitstream", "build/synth-icebreaker/top.bin"]


def test_synth_reports_a_missed_clock(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    from spikewright_boards.flow.bitstream import TimingMissed

    def synthesize(*args: Any, **options: Any) -> dict[str, Any]:
        raise TimingMissed("icebreaker must reach 12 MHz, not 11.5 MHz", SYNTHESIZED)

    monkeypatch.setattr("spikewright_boards.flow.bitstream.synthesize", synthesize)
    status, out, err = call("synth", made.build, "--board", "icebreaker", "--json")
    assert status == 1
    assert json.loads(out).items() >= SYNTHESIZED.items()
    assert err == "spikewright: failed: icebreaker must reach 12 MHz, not 11.5 MHz\n"


def test_synth_refuses(made: Made, tmp_path: Path) -> None:
    wanted = f"argument --board: must be one of {', '.join(names())}, not 'arty' (see `spikewright synth --help`)"
    assert refused(made.folder, "synth", made.build, "--board", "arty") == wanted
    assert "manifest.json" in refused(tmp_path, "synth", tmp_path, "--board", "icebreaker")
