import os
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from spikewright.contract.errors import ToolTrouble
from spikewright_sim.core import toolchain
from spikewright_sim.core.toolchain import DesignError, Program, Step, compile_model, run_logged, run_steps

VERILOG = "module wires(input clk, input rst, output [1:0] s_axis);\nassign s_axis = {clk, rst};\nendmodule\n"
MAIN = '#include "Vtop.h"\nint main() { Vtop top; top.rst = 1; top.eval(); return top.s_axis == 1 ? 0 : 1; }\n'
ODD = "a b$(c)'\"#%:ü"
"""For a folder: characters that shells and make have their own ideas of."""
HOSTILE = {
    **{"MAKEFLAGS": "-e", "MAKELEVEL": "3", "CXX": "false", "LINK": "false", "CXXFLAGS": "-nope", "CPPFLAGS": "-nope"},
    **{"OPT_FAST": "-nope", "LDFLAGS": "-nope", "LDLIBS": "-nope", "CPATH": "/nope", "PERL5OPT": "-Mnope"},
    **{"VERILATOR_ROOT": "/nope", "VERILATOR_BIN": "false", "VERILATOR_TEST_FLAGS": "--nope"},
}


@pytest.mark.parametrize("quick", [False, True])
def test_variables_and_odd_folders_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick: bool) -> None:
    folder = tmp_path / ODD
    folder.mkdir()
    (folder / "wires.v").write_text(VERILOG)
    (folder / "main.cpp").write_text(MAIN)
    for name, value in {**HOSTILE, "TMPDIR": str(folder)}.items():
        monkeypatch.setenv(name, value)
    work = folder / "work"
    executable = compile_model([folder / "wires.v"], "wires", work, Program(folder / "main.cpp"), quick=quick)
    assert subprocess.run([executable], check=False).returncode == 0
    assert not list(work.glob(".tmp-*"))


def test_a_bad_compiler_is_not_blamed_on_the_design(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "g++").write_text("#!/bin/sh\necho 'g++: fatal error: broken' >&2\nexit 1\n")
    (tmp_path / "bin" / "g++").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}", prepend=":")
    (tmp_path / "wires.v").write_text(VERILOG)
    (tmp_path / "main.cpp").write_text(MAIN)
    with pytest.raises(ToolTrouble) as caught:
        compile_model([tmp_path / "wires.v"], "wires", tmp_path / "x", Program(tmp_path / "main.cpp"))
    assert str(caught.value) == (
        "compiling Verilator's own files must work, not fail with status 1: g++: fatal error: broken"
    )
    assert not list((tmp_path / "x").iterdir())


@pytest.mark.parametrize("quick", [False, True])
def test_verilog_without_a_port_is_not_what_the_main_program_is_for(tmp_path: Path, quick: bool) -> None:
    (tmp_path / "wires.v").write_text(VERILOG.replace("rst", "other"))
    (tmp_path / "main.cpp").write_text(MAIN)
    with pytest.raises(DesignError, match="has no member named 'rst'"):
        compile_model([tmp_path / "wires.v"], "wires", tmp_path / "x", Program(tmp_path / "main.cpp"), quick=quick)


@pytest.mark.parametrize(
    ("said", "kind"),
    [("%Error: core.v: bad", DesignError), ("%Error: core.v: No space left on device", ToolTrouble), ("", ToolTrouble)],
)
def test_a_design_is_blamed_by_name_alone(tmp_path: Path, said: str, kind: type[Exception]) -> None:
    command = ["sh", "-c", f"echo '{said}'; exit 3"]
    with pytest.raises(kind) as caught:
        run_logged(command, tmp_path / "log", {"PATH": "/usr/bin:/bin"}, "it", tmp_path, design=r"^%Error.*core\.v")
    assert type(caught.value) is kind


def test_whatever_decides_it_makes_another_simulation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPIKEWRIGHT_SIMULATIONS", str(tmp_path / "kept"))
    made = []
    monkeypatch.setattr(toolchain, "keep", lambda key, target, make: made.append(key))
    (tmp_path / "wires.v").write_text(VERILOG)
    (tmp_path / "main.cpp").write_text(MAIN)
    sources, program = [tmp_path / "wires.v"], Program(tmp_path / "main.cpp", headers={"a.h": "1"})

    def compiled(top: str = "wires", program: Program = program, **options: Any) -> None:
        compile_model(sources, top, tmp_path / "x", program, **options)

    for change in ({}, {}, {"quick": True}, {"arguments": ["-Wall"]}, {"ports": ("*",)}, {"top": "other"}):
        compiled(**change)
    for field in (
        {"headers": {"a.h": "2"}},
        {"defines": ("A",)},
        {"libraries": ["-lm"]},
        {"vpi": True},
        {"waves": True},
    ):
        compiled(program=replace(program, **field))
    for name, text in (("wires.v", VERILOG + " "), ("main.cpp", MAIN + " "), ("beside.h", "")):
        (tmp_path / name).write_text(text)
        compiled()
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "g++").write_text("#!/bin/sh\n")
    (tmp_path / "bin" / "g++").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}", prepend=os.pathsep)
    compiled()
    assert made[0] == made[1]
    assert len(set(made)) == len(made) - 1 == 14


def test_if_one_fails_the_others_end(tmp_path: Path) -> None:
    commands = [["sleep", "60"], ["sh", "-c", "echo error: no; exit 3"], ["sleep", "60"]]
    steps = [Step(command, tmp_path / f"{k}.log", "it") for k, command in enumerate(commands)]
    begin = time.monotonic()
    with pytest.raises(ToolTrouble, match="^it must work, not fail with status 3: error: no$"):
        run_steps(steps, {"PATH": "/usr/bin:/bin"}, tmp_path)
    assert time.monotonic() - begin < 30
