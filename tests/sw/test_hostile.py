"""Hostile files through the command line: exit status 2 with one line, and never a traceback, a hang or an output."""

import gzip
import os
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hostile
import tiny_training
from data_files import write_bars
from hostile import survives
from spikewright.contract.errors import InputError

EXAMPLES = int(os.environ.get("SPIKEWRIGHT_EXAMPLES", "12"))
MEMORY = 1 << 30
"""Bytes that the process may grow by over all examples of a test: the network is tiny."""

FINE = "nothing is wrong with the build"

ARRAYS = ("network", "info", "config", "progress")

hostile_examples = settings(
    max_examples=EXAMPLES,
    deadline=None,  # commands end within `hostile.DEADLINE`, which a busy machine cannot make flaky
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


class Good:
    """A run through the pipeline, whose files are then attacked one at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config, self.data = tiny_training.write_all(folder)
        self.run = folder / "run"
        self.checkpoint = self.run / "checkpoint.safetensors"
        self.model = folder / "model.safetensors"
        self.build = folder / "build"
        for argv in (
            ("train", self.config, "--data", self.data, "--out", self.run, "--set", "epochs=1"),
            ("quantize", self.checkpoint, "-o", self.model, "--data", self.data),
            ("generate", self.model, "-o", self.build, "--lanes", 2),
        ):
            status, _, err = hostile.call(*argv)
            assert status == 0, err


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Good:
    return Good(tmp_path_factory.mktemp("good"))


@pytest.fixture(autouse=True)
def bounded_memory() -> Iterator[None]:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    yield
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MEMORY >> 10


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the bad files and the outputs of a test go."""
    return tmp_path_factory.mktemp("bad")


@pytest.fixture(scope="module")
def reads_only() -> Iterator[None]:
    """Simulation and synthesis end where all files are read."""
    import spikewright_boards.flow.bitstream
    import spikewright_sim.core.dut
    import spikewright_sim.runner

    def simulate(build_dir: Path, *args: object, **options: object) -> None:
        spikewright_sim.core.dut.Dut.open(build_dir)
        raise InputError(f"{build_dir} is fine")

    def find_tool(*args: object, **options: object) -> None:
        raise InputError(FINE)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(spikewright_sim.runner, "simulate", simulate)
        patch.setattr(spikewright_boards.flow.bitstream, "find_tool", find_tool)
        yield


@hostile_examples
@given(data=st.data())
def test_checkpoints(good: Good, place: Path, data: st.DataObject) -> None:
    path = place / "checkpoint.safetensors"
    path.write_bytes(data.draw(hostile.safetensors_like(good.checkpoint.read_bytes(), ARRAYS)))
    survives(place, path, "evaluate", path, "--data", good.data)
    survives(place, path, "quantize", path, "-o", place / "out.safetensors", "--data", good.data)
    (place / "out.safetensors").unlink(missing_ok=True)


@hostile_examples
@given(data=st.data())
def test_models(good: Good, place: Path, data: st.DataObject) -> None:
    path = place / "model.safetensors"
    path.write_bytes(data.draw(hostile.safetensors_like(good.model.read_bytes(), ARRAYS)))
    survives(place, path, "evaluate", path, "--data", good.data)
    survives(place, path, "generate", path, "-o", place / "out", "--lanes", 1)
    shutil.rmtree(place / "out", ignore_errors=True)


@hostile_examples
@given(data=st.data())
def test_training_states(good: Good, place: Path, data: st.DataObject) -> None:
    shutil.rmtree(place / "run", ignore_errors=True)
    shutil.copytree(good.run, place / "run")
    path = place / "run" / "state.safetensors"
    path.write_bytes(data.draw(hostile.safetensors_like(path.read_bytes(), ARRAYS)))
    argv = ("train", good.config, "--data", good.data, "--out", place / "run", "--set", "epochs=1")
    survives(place, path, *argv)


@hostile_examples
@given(data=st.data())
def test_logs_and_configurations_of_runs(good: Good, place: Path, data: st.DataObject) -> None:
    shutil.rmtree(place / "run", ignore_errors=True)
    shutil.copytree(good.run, place / "run")
    path = place / "run" / data.draw(st.sampled_from(["log.jsonl", "config.json"]))
    text = path.read_text()
    path.write_bytes(data.draw(st.one_of(hostile.bytes_like(text.encode()), hostile.json_like(text).map(str.encode))))
    argv = ("train", good.config, "--data", good.data, "--out", place / "run", "--set", "epochs=1")
    survives(place, path, *argv)


@hostile_examples
@given(data=st.data())
def test_builds(good: Good, place: Path, reads_only: None, data: st.DataObject) -> None:
    build = place / "build"
    shutil.rmtree(build, ignore_errors=True)
    shutil.copytree(good.build, build)
    path = data.draw(st.sampled_from([build / "manifest.json"] * 3 + sorted(build.glob("*.hex"))))
    raw = path.read_bytes()
    lines = raw.decode().splitlines()
    odd = st.sampled_from(["", "zz", "-1", "0x10", "1" * 10_000, "\u00e9", "@5 0", "1 2", "x", "// 1"])
    other = st.tuples(st.integers(0, len(lines) - 1), odd).map(
        lambda change: "\n".join([*lines[: change[0]], change[1], *lines[change[0] + 1 :]]).encode()
    )
    text = hostile.json_like(raw.decode()).map(lambda text: text.encode("utf-8", "surrogatepass"))
    path.write_bytes(data.draw(st.one_of(hostile.bytes_like(raw), text if path.suffix == ".json" else other)))
    survives(place, build, "simulate", build, "--data", good.data, "--samples", 2)
    line = survives(place, "", "synth", build, "--board", "icebreaker", fine=())
    assert line is not None
    assert str(build) in line or line == FINE, line


@hostile_examples
@given(data=st.data())
def test_configurations(good: Good, place: Path, data: st.DataObject) -> None:
    path = place / "config.toml"
    path.write_bytes(data.draw(hostile.toml_like(good.config.read_text())))
    # There are no recordings, and so there is no training: what is left of the configuration is refused for them.
    line = survives(place, "", "train", path, "--data", place / "none", "--out", place / "run", fine=())
    assert line is not None
    assert str(path) in line or str(place / "none") in line, line


@hostile_examples
@given(data=st.data())
def test_recordings(good: Good, place: Path, data: st.DataObject) -> None:
    path = place / "shd_test.h5"
    path.write_bytes(data.draw(hostile.bytes_like((good.data / "shd_test.h5").read_bytes())))
    survives(place, path, "data", "info", path)
    survives(place, path, "evaluate", good.model, "--data", place)


@hostile_examples
@given(data=st.data())
def test_images(place: Path, data: st.DataObject) -> None:
    folder = place / "mnist"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for split in ("train", "test"):
        write_bars(folder, 20, split)
    path = data.draw(st.sampled_from(sorted(folder.glob("train-*"))))
    raw = path.read_bytes()
    inside = hostile.bytes_like(gzip.decompress(raw)).map(lambda content: gzip.compress(content, mtime=0))
    path.write_bytes(data.draw(st.one_of(hostile.bytes_like(raw), inside)))
    argv = ("--data", folder, "--out", place / "run", "--set", "data.pool=14", "--set", "network.timesteps=4")
    # There are no such speakers: nothing is trained.
    line = survives(place, "", "train", "psmnist-small", *argv, "--set", "validation_speakers=[1]")
    assert line is not None
    assert str(folder) in line or line == "validation_speakers must be among -1, not 1", line
