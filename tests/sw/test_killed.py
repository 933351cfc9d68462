"""A killed command leaves nothing that a later one takes for complete."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import hostile
import kill_points
import tiny_training

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork, to start from a warm interpreter")


def kill(moments: int, check: str, *argv: object) -> None:
    """Kill a command at several moments; `check` is Python that is run after each."""
    command = [sys.executable, kill_points.__file__, str(moments), *map(str, argv)]
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
from spikewright.checkpoint import read_checkpoint, load_tensors
from spikewright.files import read_json
run = Path({str(run)!r})
for name in ("checkpoint", "state"):
    path = run / f"{{name}}.safetensors"
    if path.exists() and name == "checkpoint":
        read_checkpoint(path)
    elif path.exists():
        load_tensors(path, "spikewright-training-1", ("config", "progress"))
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
import sys, kill_points, spikewright.train
*argv, out = sys.argv[1:]
operations = kill_points.run_until(-1, [*argv, out + "-whole"])
print(*(kill_points.run_until(moment, [*argv, out]) for moment in (operations - 3, operations // 3)))
"""
    env = {**os.environ, "PYTHONPATH": str(Path(kill_points.__file__).parent), "OMP_NUM_THREADS": "1"}
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
from spikewright.model import load_model
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
from spikewright.build import open_build
build = Path({str(build)!r})
if build.exists():
    open_build(build)
if killed % 2:
    shutil.rmtree(build, ignore_errors=True)
"""
    # Half of the times over a folder that is there: it is the old one, the new one, or for a moment none.
    kill(6, check, "generate", model, "-o", build, "--lanes", 1)
    assert hostile.call("generate", model, "-o", build, "--lanes", 1)[0] == 0
