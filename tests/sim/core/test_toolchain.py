import re
import subprocess
from pathlib import Path

import pytest

from spikewright.contract.errors import ToolTrouble
from spikewright_sim.core.toolchain import DesignError, compile_model, run_logged

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
    for name, value in {**HOSTILE, "TMPDIR": str(folder), "SPIKEWRIGHT_VERILATOR_CACHE": str(folder / "c")}.items():
        monkeypatch.setenv(name, value)
    work = folder / "work"
    executable = compile_model([folder / "wires.v"], "wires", work, main=folder / "main.cpp", vpi=False, quick=quick)
    assert subprocess.run([executable], check=False).returncode == 0
    assert not list(work.glob(".tmp-*"))


def test_a_bad_compiler_is_not_blamed_on_the_design(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "g++").write_text("#!/bin/sh\necho 'g++: fatal error: broken' >&2\nexit 1\n")
    (tmp_path / "bin" / "g++").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}", prepend=":")
    monkeypatch.delenv("SPIKEWRIGHT_VERILATOR_CACHE")
    (tmp_path / "wires.v").write_text(VERILOG)
    (tmp_path / "main.cpp").write_text(MAIN)
    for quick, what in ((False, "compiling the simulation"), (True, "compiling Verilator's own objects")):
        with pytest.raises(ToolTrouble) as caught:
            compile_model(
                [tmp_path / "wires.v"], "wires", tmp_path / "x", main=tmp_path / "main.cpp", vpi=False, quick=quick
            )
        assert re.fullmatch(
            rf"{what} must work, not fail with status \d: g\+\+: fatal error: broken", str(caught.value)
        )


@pytest.mark.parametrize("quick", [False, True])
def test_verilog_without_a_port_is_not_what_the_main_program_is_for(tmp_path: Path, quick: bool) -> None:
    (tmp_path / "wires.v").write_text(VERILOG.replace("rst", "other"))
    (tmp_path / "main.cpp").write_text(MAIN)
    with pytest.raises(DesignError, match="has no member named 'rst'"):
        compile_model(
            [tmp_path / "wires.v"], "wires", tmp_path / "x", main=tmp_path / "main.cpp", vpi=False, quick=quick
        )


@pytest.mark.parametrize(
    ("said", "kind"),
    [("%Error: core.v: bad", DesignError), ("%Error: core.v: No space left on device", ToolTrouble), ("", ToolTrouble)],
)
def test_a_design_is_blamed_by_name_alone(tmp_path: Path, said: str, kind: type[Exception]) -> None:
    command = ["sh", "-c", f"echo '{said}'; exit 3"]
    with pytest.raises(kind) as caught:
        run_logged(command, tmp_path / "log", {"PATH": "/usr/bin:/bin"}, "it", tmp_path, design=r"^%Error.*core\.v")
    assert type(caught.value) is kind
