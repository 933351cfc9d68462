import json
import subprocess
import sys
from pathlib import Path

import pytest

from spikewright.contract.errors import CheckFailed, InputError, ToolTrouble
from spikewright_boards.asic import layout
from spikewright_boards.asic.layout import Drawn, Qflow, die_area, find_qflow, lay_out, read_verdict

ROOT = Path(__file__).parents[3]
TINY = """module tiny (clk, d, q);
  input clk;
  input [1:0] d;
  output q;
  wire a;
  wire b;
  wire c;
  DFFPOSX1 r0 (.CLK(clk), .D(d[0]), .Q(a));
  DFFPOSX1 r1 (.CLK(clk), .D(d[1]), .Q(b));
  AND2X2 x (.A(a), .B(b), .Y(c));
  DFFPOSX1 r2 (.CLK(clk), .D(c), .Q(q));
endmodule
"""
SPICE = """* NGSPICE file created from tiny.ext
.subckt FILL gnd vdd
.ends

.subckt AND2X2 A B gnd Y vdd
.ends

.subckt DFFPOSX1 Q CLK D gnd vdd
.ends

.subckt tiny vdd gnd clk d[0] d[1]
+ q
XFILL_0_0_0 gnd vdd FILL
XAND2X2_1 AND2X2_1/A vdd gnd AND2X2_1/Y vdd AND2X2
XDFFPOSX1_1 q clk
+ AND2X2_1/Y gnd vdd DFFPOSX1
XDFFPOSX1_3 AND2X2_1/A clk d[0] gnd vdd DFFPOSX1
.ends
.end
"""


def test_the_circuit_of_a_layout_is_read() -> None:
    drawn = Drawn.read(SPICE, "tiny")
    assert drawn.nets == {"q", "clk", "d[0]", "AND2X2_1/A", "AND2X2_1/Y"}
    assert drawn.verilog(TINY) == (
        "// The circuit in a layout of tiny.\n"
        "module tiny (clk, d, q);\n  input clk;\n  input [1:0] d;\n  output q;\n"
        "  wire net_0;\n  wire net_1;\n"
        "  AND2X2 cell_0 (.A(net_0), .B(1'b1), .Y(net_1));\n"
        "  DFFPOSX1 cell_1 (.Q(q), .CLK(clk), .D(net_1));\n"
        "  DFFPOSX1 cell_2 (.Q(net_0), .CLK(clk), .D(d[0]));\n"
        "endmodule\n"
    )


@pytest.mark.parametrize(
    ("spice", "said"),
    [
        (SPICE.replace("XFILL_0", "M_0"), "must be of cells, not M_0_0_0 gnd vdd FILL"),
        (SPICE.replace("vdd gnd AND2X2_1/Y", "gnd AND2X2_1/Y"), "must declare AND2X2 with 4 pins"),
        (SPICE.replace(".subckt tiny", ".subckt other"), "must be of cells, not XFILL"),
        (SPICE[: SPICE.index(".subckt tiny")], "must be tiny, which it does not have"),
    ],
)
def test_what_is_no_circuit_of_cells_is_refused(spice: str, said: str) -> None:
    with pytest.raises(ToolTrouble, match=said):
        Drawn.read(spice, "tiny")


def test_only_a_unique_match_with_the_same_ports_is_one() -> None:
    good = "Circuits match correctly.\nNetlists match uniquely.\nd[0]    |d[0]\nCircuits match uniquely.\n"
    assert read_verdict(good) == "Circuits match uniquely."
    for text, said in (
        ("Circuits match uniquely.\nNetlists do not match.\n", "must match, not: Netlists do not match.$"),
        ("Circuits match uniquely.\nTop level cell failed pin matching.\n", "not: Top level cell failed"),
        ("", "must match, not: no verdict"),
        (good.replace("|d[0]", "|d[1] **Mismatch**"), r"must have the same ports, not d\[0\] for d\[1\]"),
    ):
        with pytest.raises(CheckFailed, match=said):
            read_verdict(text)


def test_the_size_is_in_micrometres() -> None:
    assert die_area("UNITS DISTANCE MICRONS 100 ;\nDIEAREA ( -240 -200 ) ( 3200 2150 ) ;\n") == (34.4, 23.5)


def test_a_missing_tool_is_named_in_a_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    line = "layout not made: qflow is not installed (Debian and Ubuntu: apt install qflow graywolf qrouter magic "
    line += "netgen-lvs qflow-tech-osu018)"
    assert find_qflow() == line
    done = subprocess.run([sys.executable, str(ROOT / "bench" / "layout.py")], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, line + "\n")


def test_a_netlist_of_another_library_is_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"library": "ten"}')
    with pytest.raises(InputError, match=r"must be gates of osu018_stdcells, not of 'ten'$"):
        lay_out(Qflow(tmp_path, tmp_path), tmp_path, tmp_path / "out", lambda line: None)
    assert not (tmp_path / "out").exists()


FOUND = find_qflow()


@pytest.mark.skipif(isinstance(FOUND, str), reason=f"needs qflow: {FOUND}")
def test_a_netlist_becomes_a_layout_that_matches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(FOUND, Qflow)
    gates = tmp_path / "gates"
    (gates / "simulation").mkdir(parents=True)
    about = {"format": "spikewright-asic-1", "library": layout.LIBRARY, "core_sha256": "0"}
    (gates / "manifest.json").write_text(json.dumps(about))
    (gates / "simulation" / "manifest.json").write_text('{"top": "tiny"}')
    (gates / "netlist.v").write_text(TINY)
    (gates / "cells.v").write_text("// cells\n")
    report = lay_out(FOUND, gates, tmp_path / "out", lambda line: None)
    assert (report["cells"], report["nets"], report["lvs"]) == (4, 7, "Circuits match uniquely.")
    assert 20 < report["width_um"] < 200
    core = (tmp_path / "out" / "simulation" / "tiny.v").read_text()
    assert core == (tmp_path / "out" / "netlist.v").read_text() + "// cells\n"
    assert core.count("DFFPOSX1 cell_") == 3
    # A layout of another circuit is noticed: netgen is given one of its gates changed.
    monkeypatch.setattr(layout, "STAGES", ("place", "route", "migrate", "changed", "lvs"))
    run = layout._run

    def change(command: list[str], folder: Path, output: Path, logs: Path | None = None) -> None:
        if command[1] == "changed":
            spice = folder / "layout" / "tiny.spice"
            spice.write_text(spice.read_text().replace("AND2X2_1/B gnd", "AND2X2_1/A gnd"))
        else:
            run(command, folder, output, logs)

    monkeypatch.setattr(layout, "_run", change)
    with pytest.raises(CheckFailed, match=r"^layout and netlist must match, not: Netlists do not match\.$"):
        lay_out(FOUND, gates, tmp_path / "wrong", lambda line: None)
    assert not (tmp_path / "wrong").exists()
