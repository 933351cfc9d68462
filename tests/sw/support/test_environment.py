import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from random_networks import random_network
from spikewright.build.generate import build
from spikewright.contract.errors import ToolTrouble
from spikewright.integer.file import save_model
from spikewright.support.environment import amaranth_environment, complaint, is_trouble, tool_environment


def test_the_users_variables_do_not_reach_a_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MAKEFLAGS", "CXX", "LDFLAGS", "CPATH", "LD_PRELOAD", "PERL5OPT", "PYTHONINSPECT", "LANG", "TMP"):
        monkeypatch.setenv(name, "theirs")
    monkeypatch.setenv("PATH", "/theirs/bin")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/theirs/lib")
    with tool_environment(tmp_path) as env:
        assert (env["PATH"], env["LD_LIBRARY_PATH"], env["LC_ALL"]) == ("/theirs/bin", "/theirs/lib", "C")
        assert [name for name, value in env.items() if value == "theirs"] == []
        assert Path(env["TMPDIR"]).parent == tmp_path
        assert Path(env["TMPDIR"]).is_dir()
    assert list(tmp_path.iterdir()) == []


def test_modules_are_found_from_any_folder_but_not_taken_from_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative PYTHONPATH is meant from where the user is."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "wanted.py").write_text("print('wanted')")
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "json.py").write_text("print('not wanted')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", "mine")
    with tool_environment(tmp_path / "work") as env:
        command = [sys.executable, "-c", "import json, wanted"]
        done = subprocess.run(command, cwd=tmp_path / "work", env=env, capture_output=True, text=True, check=True)
    assert done.stdout == "wanted\n"


def test_caches_of_tools_are_where_they_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/proc/nope")
    monkeypatch.setenv("YOWASP_CACHE_DIR", "/proc/nope")
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    with tool_environment(tmp_path) as env:
        assert Path(env["XDG_CACHE_HOME"]) == tmp_path / "tmp" / f"spikewright-{os.getuid()}"
        assert "YOWASP_CACHE_DIR" not in env
    monkeypatch.setenv("YOWASP_CACHE_DIR", str(tmp_path / "tmp"))
    monkeypatch.setattr("spikewright.support.environment.cache_base", lambda *tools: None)
    with tool_environment(tmp_path) as env:
        assert env["XDG_CACHE_HOME"] == env["TMPDIR"]
        assert Path(env["YOWASP_CACHE_DIR"]) == tmp_path / "tmp"


def test_verilog_is_the_same_in_any_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_model(tmp_path / "model.safetensors", random_network(3, (4, 2), timesteps=4))
    build(tmp_path / "model.safetensors", tmp_path / "a", lanes=1)
    for name, value in {"AMARANTH_USE_YOSYS": "theirs", "HOME": "/proc/nope", "PYTHONHASHSEED": "x"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    before = dict(os.environ)
    build(tmp_path / "model.safetensors", tmp_path / "b", lanes=1)
    verilog = [(tmp_path / name / "spikewright_core.v").read_text() for name in "ab"]
    assert verilog[0] == verilog[1]
    assert dict(os.environ) == before


def test_a_broken_yosys_is_no_bug_of_ours(tmp_path: Path) -> None:
    class YosysError(Exception):
        pass

    with pytest.raises(ToolTrouble) as caught, amaranth_environment(tmp_path):
        raise YosysError("Traceback\nOSError: no\n")
    assert str(caught.value) == "the yosys of Amaranth must work, not fail: OSError: no"
    with pytest.raises(KeyError), amaranth_environment(tmp_path):
        raise KeyError("other")


@pytest.mark.parametrize(
    ("line", "of_machine"),
    [
        ("/usr/bin/ld: final link failed: No space left on device", True),
        ("ERROR: Can't open output file `top.json' for writing: Read-only file system", True),
        ("cc1plus: out of memory allocating 65536 bytes", True),
        ("%Error: spikewright_core.v:1:1: syntax error, unexpected IDENTIFIER", False),
        ("ERROR: Module `top' not found!", False),
    ],
)
def test_trouble_of_the_machine_is_told_from_errors(line: str, of_machine: bool) -> None:
    assert is_trouble(line) is of_machine


def test_a_complaint_is_one_line() -> None:
    assert complaint(["g++ -c x", "x.cpp:1: error: bad", "x: write failed: No space left on device", "make: ***"]) == (
        "x: write failed: No space left on device"
    )
    assert complaint(["g++ -c x", "x.cpp:1: error: bad", "make: *** Error 1"]) == "x.cpp:1: error: bad"
    assert complaint(["one", "two", ""]) == "two"
    assert complaint([]) == "it says nothing"
