"""A killed command leaves nothing that a later one takes for complete."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import hostile
import kill_points
import tiny_training

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork, to start from a warm interpreter")


def kill(moments: int, check: str, *argv: object, first: str = "") -> None:
    """Kill a command at several moments; `check` is Python that is run after each, `first` before all."""
    command = [sys.executable, kill_points.__file__, str(moments), first, *map(str, argv)]
    done = subprocess.run(
        command, input=check, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert int(done.stdout.split()[-1]) >= min(moments, 3)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """A configuration, recordings, and the folder of an unbroken training of two epochs."""
    folder = tmp_path_factory.mktemp("trained")
    config, data = tiny_training.write_all(folder)
    run = folder / "run"
    status, _, err = hostile.call("train", config, "--data", data, "--out", run)
    assert status == 0, err
    return config, data, run


@pytest.fixture(scope="module")
def generated(trained: tuple[Path, Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build folder of the training."""
    _, data, run = trained
    model = tmp_path_factory.mktemp("generated") / "model.safetensors"
    build = model.with_name("build")
    for argv in (
        ("quantize", run / "checkpoint.safetensors", "-o", model, "--data", data),
        ("generate", model, "-o", build, "--lanes", 1),
    ):
        status, _, err = hostile.call(*argv)
        assert status == 0, err
    return build


def weights(path: Path) -> bytes:
    """The tensors of a checkpoint, without its metadata, which tell times."""
    raw = path.read_bytes()
    return raw[8 + int.from_bytes(raw[:8], "little") :]


def test_train(trained: tuple[Path, Path, Path], tmp_path: Path) -> None:
    config, data, unbroken = trained
    run = tmp_path / "run"
    check = f"""
import shutil
from pathlib import Path
from spikewright.learn.checkpoint import read_checkpoint, load_tensors
from spikewright.support.files import read_json
run = Path({str(run)!r})
for name in ("checkpoint", "state"):
    path = run / f"{{name}}.safetensors"
    if path.exists() and name == "checkpoint":
        read_checkpoint(path)
    elif path.exists():
        load_tensors(path, "spikewright-training-2", ("config", "progress"))
if (run / "config.json").exists():
    read_json(run / "config.json", "configuration")
# Every other time the next training starts afresh, else it goes on with what is there.
if killed % 2:
    shutil.rmtree(run, ignore_errors=True)
elif killed >= 0 and (run / "state.safetensors").exists():
    (run / "state.safetensors").unlink()
"""
    argv = ("train", config, "--data", data, "--out", run)
    kill(5, check, *argv)
    status, _, err = hostile.call(*argv)
    assert status == 0, err
    assert weights(run / "checkpoint.safetensors") == weights(unbroken / "checkpoint.safetensors")


def test_a_killed_training_goes_on(trained: tuple[Path, Path, Path], tmp_path: Path) -> None:
    config, data, unbroken = trained
    run = tmp_path / "run"
    argv = ["train", str(config), "--data", str(data), "--out", str(run)]
    code = """
import sys, kill_points, spikewright.learn.train
*argv, out = sys.argv[1:]
operations = kill_points.run_until(-1, [*argv, out + "-whole"])
print(*(kill_points.run_until(moment, [*argv, out]) for moment in (operations - 3, operations // 3)))
"""
    places = [str(Path(kill_points.__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(places), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code, *argv], capture_output=True, text=True, env=env)
    assert done.stdout.split()[-2:] == ["-1", "-1"], done.stderr[-2000:]
    # First while the state of the second epoch was written, then while the next training started.
    assert (run / "state.safetensors").exists()
    status, _, err = hostile.call(*argv)
    assert status == 0, err
    assert "resuming" in err
    assert weights(run / "checkpoint.safetensors") == weights(unbroken / "checkpoint.safetensors")
    assert len((run / "log.jsonl").read_text().splitlines()) == 2


def test_quantize_and_generate(trained: tuple[Path, Path, Path], tmp_path: Path) -> None:
    _, data, run = trained
    model = tmp_path / "model.safetensors"
    check = f"""
from pathlib import Path
from spikewright.integer.file import load_model
model = Path({str(model)!r})
if model.exists():
    load_model(model)
model.unlink(missing_ok=True)
"""
    kill(3, check, "quantize", run / "checkpoint.safetensors", "-o", model, "--data", data)
    assert hostile.call("quantize", run / "checkpoint.safetensors", "-o", model, "--data", data)[0] == 0
    build = tmp_path / "build"
    check = f"""
import shutil
from pathlib import Path
from spikewright.build.folder import open_build
build = Path({str(build)!r})
if build.exists():
    open_build(build)
if killed % 2:
    shutil.rmtree(build, ignore_errors=True)
"""
    # Half of the times over a folder that is there: it is the old one, the new one, or for a moment none.
    kill(6, check, "generate", model, "-o", build, "--lanes", 1)
    assert hostile.call("generate", model, "-o", build, "--lanes", 1)[0] == 0


# In place of the tools: what they would write. The native loop finds every sample as expected.
FAKE_SIMULATORS = f"""
from spikewright_sim import netlist
from spikewright_sim.core import toolchain
LOOP = '''#!{sys.executable} -S
data = open("stimulus", "rb").read()
lines = []
while data:
    lines.append(f"sample {{len(lines)}} 0 0 10 1")
    data = data[4 + 8 * int.from_bytes(data[:4], "little") :]
open("report", "w").write("\\\\n".join([*lines, "end", ""]))
'''
def run(command, log, env, what, cwd, design=None):
    log.write_text("")
    if what == "yosys":
        (cwd / "netlist.v").write_text("cells")
        (cwd / "stat.json").write_text('{{"design": {{"num_cells_by_type": {{"LUT4": 7}}}}}}')
        (cwd / "spikewright_core.v").write_text("module spikewright_core;")
    elif what == "linking the simulation":
        (log.parent / "spikewright_core").write_text(LOOP)
        (log.parent / "spikewright_core").chmod(0o755)
netlist.run_logged = toolchain.run_logged = run
toolchain.run_steps = lambda steps, env, folder: None
"""


def test_simulate(trained: tuple[Path, Path, Path], generated: Path, tmp_path: Path) -> None:
    """The netlist and the compiled simulation, which later runs use again, are whole or not there."""
    _, data, _ = trained
    build = tmp_path / "build"
    shutil.copytree(generated, build)
    whole = tmp_path / "whole"
    check = f"""
import shutil
from pathlib import Path
from spikewright.build.folder import open_build
build, whole = Path({str(build)!r}), Path({str(whole)!r})
open_build(build)
names = ("netlist-ecp5", "netlist-ecp5/simulation-native-quick")
if killed == -1:
    shutil.copytree(build, whole)
for name in names:
    if (build / name).exists():
        for file in filter(Path.is_file, (whole / name).iterdir()):
            assert file.stat().st_size == (build / name / file.name).stat().st_size, file
if killed % 2:
    shutil.rmtree(build / names[0], ignore_errors=True)
elif killed % 4:
    shutil.rmtree(build / names[1], ignore_errors=True)
"""
    argv = ("simulate", build, "--data", data, "--samples", 2, "--engine", "native", "--netlist", "ecp5")
    kill(10, check, *argv, first=FAKE_SIMULATORS)


FAKE_TOOLS = """
import types
from spikewright_boards.flow import tools
tools.sysconfig = types.SimpleNamespace(get_path=lambda name: {folder!r})
"""
NETLIST = {"modules": {"top": {"cells": {}}}}
LAYOUT = {
    "utilization": {f"ICESTORM_{kind}": {"used": 1, "available": 2} for kind in ("LC", "RAM", "DSP", "SPRAM")},
    "fmax": {"clk": {"achieved": 50.0, "constraint": 12.0}},
    "critical_paths": [],
}


def test_synth(generated: Path, tmp_path: Path) -> None:
    fakes = tmp_path / "fakes"
    fakes.mkdir()
    for tool, files in {
        "yosys": {"top.json": NETLIST, "memories.json": NETLIST},
        "nextpnr-ice40": {"nextpnr.json": LAYOUT, "top.asc": {}},
        "icepack": {"top.bin": "bits"},
    }.items():
        lines = [f"printf '%s' '{json.dumps(content)}' > {name}" for name, content in files.items()]
        script = fakes / f"yowasp-{tool}"
        script.write_text("\n".join(["#!/bin/sh", *lines, "echo done", ""]))
        script.chmod(0o755)
    out = tmp_path / "out"
    check = f"""
import json, shutil
from pathlib import Path
out = Path({str(out)!r})
if out.exists():
    names = ["manifest.json", "nextpnr-ice40.log", "report.json", "top.bin", "yosys.log"]
    assert sorted(path.name for path in out.iterdir()) == names
    assert json.loads((out / "report.json").read_text())["met"]
    assert json.loads((out / "manifest.json").read_text())["board"] == "icebreaker"
    assert (out / "top.bin").read_text() == '"bits"'
    assert (out / "yosys.log").read_text() == "done\\n"
if killed % 2:
    shutil.rmtree(out, ignore_errors=True)
"""
    kill(12, check, "synth", generated, "--board", "icebreaker", "-o", out, first=FAKE_TOOLS.format(folder=str(fakes)))
