import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from random_networks import random_network
from spikewright.build.generate import Loadable, build
from spikewright.contract.errors import InputError, ToolTrouble
from spikewright.integer.file import save_model
from spikewright.support import caches
from spikewright.support.caches import writable
from spikewright_sim.core.dut import Dut, beats

STREAM = {"axon_bits": 3, "value_bits": 2, "mark_bit": 5}


def quiet(message: str) -> None:
    pass


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build folders `fixed` and `loadable` of a recurrent network."""
    folder = tmp_path_factory.mktemp("dut")
    save_model(folder / "model.safetensors", random_network(2, (6, 5, 3), recurrent=(True,), timesteps=8))
    build(folder / "model.safetensors", folder / "fixed", lanes=2)
    build(folder / "model.safetensors", folder / "loadable", lanes=2, loadable=Loadable(0.1))
    return folder


def test_a_step_is_its_events_by_rising_axon_and_a_mark() -> None:
    values = np.array([[0, 3, 0, 0, 1], [0, 0, 0, 0, 0], [2, 0, 0, 0, 0]])
    assert beats(values, STREAM) == [(1 | 3 << 3, 0), (4 | 1 << 3, 0), (32, 0), (32, 0), (2 << 3, 0), (32, 1)]


def test_a_sample_is_sent_in_the_fields_of_the_manifest(made: Path) -> None:
    dut = Dut.open(made / "fixed")
    values = np.eye(6, dtype=np.int64)[:2]
    assert dut.beats(values) == beats(values, dut.stream) != beats(values, STREAM)


def test_patience_is_longer_than_the_longest_step(made: Path) -> None:
    dut = Dut.open(made / "fixed")
    programs = [sum(plan.entries for plan in image.plans.values()) for image in dut.core.layers]
    sweep = max(image.rows + program for image, program in zip(dut.core.layers, programs, strict=True))
    assert dut.settle == sweep + 64
    assert dut.patience > 4 * max(image.spec.synapses // 2 + 8 * image.spec.axons for image in dut.core.layers)


@pytest.mark.parametrize(
    ("folder", "image", "message"),
    [
        ("loadable", "none.bin", "cannot read {image}: No such file or directory"),
        ("loadable", "empty.bin", "{image} must be a load image, not an empty file"),
        ("fixed", "empty.bin", "{folder} must be made by `generate --weights loadable` to take a load image"),
    ],
)
def test_load_images_that_cannot_be_read(made: Path, tmp_path: Path, folder: str, image: str, message: str) -> None:
    (tmp_path / "empty.bin").touch()
    with pytest.raises(InputError) as error:
        Dut.open(made / folder, image=tmp_path / image)
    assert str(error.value) == message.format(image=tmp_path / image, folder=made / folder)


def test_only_loadable_cores_have_a_load_image(made: Path) -> None:
    assert Dut.open(made / "fixed").weights == b""
    assert Dut.open(made / "loadable").weights == (made / "loadable" / "weights.bin").read_bytes()


def test_verilog_that_is_none_is_an_input_error(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made / "fixed", tmp_path / "build")
    (tmp_path / "build" / "spikewright_core.v").write_text("nonsense\n")
    with pytest.raises(InputError) as error:
        Dut.open(tmp_path / "build").compiled("native", quiet)
    verilog = tmp_path / "build" / "spikewright_core.v"
    assert str(error.value).startswith(f"{verilog} must be the core of its manifest: ")
    assert not list((tmp_path / "build").glob("*simulation*"))


def test_a_read_only_build_folder_is_simulated_elsewhere(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_dir = tmp_path / "build"
    shutil.copytree(made / "fixed", build_dir)
    files = sorted(build_dir.rglob("*"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(caches, "writable", lambda folder: folder != build_dir and writable(folder))
    told: list[str] = []
    dut = Dut.open(build_dir)
    executable = dut.compiled("native", told.append, quick=True)
    assert executable.is_file()
    assert executable.is_relative_to(tmp_path / "cache")
    assert dut.compiled("native", told.append, quick=True) == executable
    assert told == ["compiling the Verilog with Verilator, for native"]
    assert sorted(build_dir.rglob("*")) == files
    shutil.copytree(executable.parent, build_dir / executable.parent.name)
    assert dut.compiled("native", told.append, quick=True) == build_dir / executable.parent.name / executable.name


def test_trouble_of_the_compiler_is_not_blamed_on_the_core(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "g++").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "g++").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    with pytest.raises(ToolTrouble, match=r"^compiling Verilator's own files must work, not fail with status 1: it "):
        Dut.open(made / "fixed").compiled("native", quiet, quick=True)
    assert not list((made / "fixed").glob("*simulation*"))


def test_an_optimized_simulation_is_for_few_samples_too(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made / "fixed", tmp_path / "build")
    told: list[str] = []
    dut = Dut.open(tmp_path / "build")
    quick = dut.compiled("native", told.append, quick=True)
    optimized = dut.compiled("native", told.append)
    assert quick.stat().st_size > optimized.stat().st_size
    assert dut.compiled("native", told.append, quick=True) == optimized
    assert len(told) == 2
    assert sorted(file.name for file in optimized.parent.iterdir()) == ["manifest.json", "spikewright_core"]


def test_of_two_at_once_one_compiles(made: Path, tmp_path: Path) -> None:
    shutil.copytree(made / "fixed", tmp_path / "build")
    told: list[str] = []
    with ThreadPoolExecutor(4) as pool:
        found = [pool.submit(Dut.open(tmp_path / "build").compiled, "native", told.append, quick=True) for _ in "1234"]
    assert {future.result() for future in found} == {tmp_path / "build/simulation-native-quick/spikewright_core"}
    assert told == ["compiling the Verilog with Verilator, for native"]
    assert not list((tmp_path / "build").glob(".*"))


def test_missing_compiler_is_named(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    with pytest.raises(InputError) as error:
        Dut.open(made / "fixed").compiled("native", quiet)
    assert str(error.value) == f"g++ must be installed to compile a simulation: not found in PATH={tmp_path / 'bin'}"
    assert not list((made / "fixed").glob("*simulation*"))
