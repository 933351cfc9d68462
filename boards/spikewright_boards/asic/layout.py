"""A layout of small netlists by qflow, and the netlist that it has: whether what is drawn is what was meant.

A test of truth in the one technology that comes with it, OSU's for 0.18 um, not a way to a chip.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikewright.contract.errors import CheckFailed, InputError, ToolTrouble
from spikewright.contract.names import core_name
from spikewright.support.environment import complaint, tool_environment
from spikewright.support.files import MANIFEST, atomic_dir, read_manifest, write_json, write_manifest
from spikewright_boards.flow.tools import Progress, run_tool
from spikewright_sim.gates import SIMULATION

TECHNOLOGY = "osu018"
LIBRARY = "osu018_stdcells"
PROGRAMS = ("qflow", "graywolf", "qrouter", "magic", "netgen-lvs", "tcsh")
PACKAGES = "qflow graywolf qrouter magic netgen-lvs qflow-tech-osu018"
STAGES = ("place", "route", "migrate", "lvs")
"""Of qflow; not its timing of wires, whose `rc2dly` aborts."""
SUPPLIES = {"vdd", "gnd"}
MATCH = "Circuits match uniquely."
_FLATTEN = """read_liberty -lib -ignore_miss_func cells.lib
read_verilog netlist.v
hierarchy -check -top {top}
flatten -noscopeinfo
opt_clean -purge
rename -hide w:* %x
rename -enumerate
write_blif -gates -impltf -true - vdd -false - gnd -undef - gnd synthesis/{top}.blif
"""


@dataclass(frozen=True)
class Qflow:
    """Where qflow is.

    Parameters
    ----------
    base : Path
        The folder with its `bin` and `scripts`.
    technology : Path
        The folder with the cells: liberty, LEF, SPICE.
    """

    base: Path
    technology: Path

    @property
    def liberty(self) -> Path:
        return self.technology / f"{LIBRARY}.lib"


def find_qflow() -> Qflow | str:
    """Where qflow is; or what of it and of what it needs is missing, and how to get that, in a line."""
    get = f"is not installed (Debian and Ubuntu: apt install {PACKAGES})"
    for program in PROGRAMS:
        if shutil.which(program) is None:
            return f"layout not made: {program} {get}"
    script = Path(str(shutil.which("qflow"))).read_text("utf-8", "replace")
    found = re.search(r"(/\S+)/scripts/qflow\.sh", script)
    if found is None:
        return f"layout not made: the scripts of qflow {get}"
    base = Path(found[1])
    for folder in (base / "tech" / TECHNOLOGY, Path("/usr/share/qflow/tech") / TECHNOLOGY):
        if (folder / f"{LIBRARY}.lib").is_file():
            return Qflow(base, folder)
    return f"layout not made: {TECHNOLOGY} {get}"


def lay_out(qflow: Qflow, gates: Path | str, out_dir: Path | str, progress: Progress) -> dict[str, Any]:
    """Place and route a netlist, compare layout and netlist, and make a core of what is in the layout.

    Parameters
    ----------
    qflow : Qflow
    gates : Path
        Folder by `spikewright asic`, of the library of `qflow`, without memory macros.
    out_dir : Path
        Folder to make. It gets the layout (`layout.def`, `layout.mag`), the circuit in it (`layout.spice`), what
        netgen has to say (`layout.lvs`), and is one by `spikewright asic` for `simulate --netlist`: the core in
        `simulation` is what is in the layout.

    Returns
    -------
    dict
        `cells`, `nets` (of the layout, supplies left out), `width_um`, `height_um`, `lvs` (the verdict), `seconds`.

    Raises
    ------
    InputError
        If the netlist is of another library, or has macros.
    CheckFailed
        If the layout is not the netlist.
    ToolTrouble
        If a tool does not work.
    """
    gates = Path(gates)
    manifest = read_manifest(gates)
    if manifest.get("library") != LIBRARY:
        raise InputError(f"{gates} must be gates of {LIBRARY}, not of {manifest.get('library')!r:.60}")
    if (gates / "macros.v").exists():
        raise InputError(f"{gates} must be without memory macros to be laid out: make it without --sram")
    begin = time.monotonic()
    top = core_name(read_manifest(gates / SIMULATION), gates / SIMULATION / MANIFEST)
    netlist = (gates / "netlist.v").read_text()
    with atomic_dir(Path(out_dir)) as out, tempfile.TemporaryDirectory(prefix="spikewright-layout-") as name:
        work = Path(name)
        verdict = draw(qflow, netlist, top, work, progress)
        kinds = {"def": f"{top}.def", "mag": f"{top}.mag", "spice": f"{top}.spice", "lvs": "comp.out"}
        files = {kind: _left(work / "layout" / name) for kind, name in kinds.items()}
        for kind, text in files.items():
            (out / f"layout.{kind}").write_text(text)
        drawn = Drawn.read(files["spice"], top)
        (out / "netlist.v").write_text(drawn.verilog(netlist))
        shutil.copytree(gates / SIMULATION, out / SIMULATION, ignore=shutil.ignore_patterns("simulation-*"))
        core = out / SIMULATION / f"{top}.v"
        core.write_text((out / "netlist.v").read_text() + (gates / "cells.v").read_text())
        width, height = die_area(files["def"])
        report = {
            "cells": len(drawn.cells),
            "nets": len(drawn.nets),
            "width_um": width,
            "height_um": height,
            "lvs": verdict,
            "seconds": round(time.monotonic() - begin, 1),
        }
        write_json(out / "report.json", report)
        write_manifest(out, {key: manifest[key] for key in ("format", "library", "core_sha256")})
    return report


def draw(qflow: Qflow, netlist: str, top: str, work: Path, progress: Progress) -> str:
    """Flatten a netlist, and take it through qflow in the folder `work`; returns the verdict of netgen.

    Raises
    ------
    CheckFailed
        If layout and netlist are not the same.
    ToolTrouble
        If a tool ends early, or leaves wires out.
    """
    for folder in ("source", "synthesis", "layout", "log"):
        (work / folder).mkdir()
    shutil.copyfile(qflow.liberty, work / "cells.lib")
    (work / "netlist.v").write_text(netlist)
    (work / "flatten.ys").write_text(_FLATTEN.format(top=top))
    run_tool("yosys", ["-q", "flatten.ys"], work, progress)
    (work / "source" / f"{top}.v").write_text(netlist)
    (work / "log" / "synth.log").touch()
    shutil.copyfile(qflow.technology / f"{TECHNOLOGY}.par", work / "layout" / f"{top}.par")
    synthesis = work / "synthesis"
    (synthesis / f"{top}_powerground").write_text('set vddnet="vdd"\nset gndnet="gnd"\n')
    of = ["-c", "-p", "-v", "vdd", "-g", "gnd", f"{top}.blif"]
    for name in ("rtl", "rtlnopwr", "rtlbb"):
        _run([str(qflow.base / "bin" / "blif2Verilog"), *of], synthesis, synthesis / f"{top}.{name}.v")
    for stage in STAGES:
        progress(f"qflow: {stage} ...")
        log = work / "log" / f"qflow-{stage}.txt"
        _run(["qflow", stage, "-T", TECHNOLOGY, "-p", str(work), top], work, log, work / "log")
    return read_verdict(_left(work / "layout" / "comp.out"))


def _left(path: Path) -> str:
    """What a tool wrote."""
    if not path.is_file():
        raise ToolTrouble(f"qflow must work, not end without {path.name}")
    return path.read_text("utf-8", "replace")


def _run(command: list[str], folder: Path, output: Path, logs: Path | None = None) -> None:
    with tool_environment(folder) as environment, output.open("wb") as file:
        done = subprocess.run(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.PIPE
        )
    said = done.stderr.decode("utf-8", "replace").splitlines()
    if logs is not None:
        # qflow's own exit status is zero whatever happens; its logs end with a line that says so.
        said += output.read_text("utf-8", "replace").splitlines()
        stopped = any("error condition" in log.read_text("utf-8", "replace") for log in logs.glob("*.log"))
        # What netgen says of a layout that is another circuit is a verdict, and read from its own file.
        if stopped and command[1] != "lvs":
            raise ToolTrouble(f"qflow {command[1]} must work, not stop: {complaint(said)}")
    elif done.returncode:
        raise ToolTrouble(f"{Path(command[0]).name} must work, not end with {done.returncode}: {complaint(said)}")


def read_verdict(text: str) -> str:
    """The last verdict in a file of netgen: of the whole, after those of cells.

    Raises
    ------
    CheckFailed
        If it is not that the circuits match uniquely, with all their ports.
    """
    said = re.compile(r"^(circuits|netlists|top level cell) .*(match|fail)", re.IGNORECASE)
    final = [line.strip() for line in text.splitlines() if said.match(line)]
    if not final or final[-1] != MATCH:
        raise CheckFailed(f"layout and netlist must match, not: {final[-1] if final else 'no verdict'}")
    # Of circuits that are alike but for the names of ports, netgen says that they match uniquely.
    if found := re.search(r"^(.*?)\s*\|(.*?) \*\*Mismatch\*\*", text, re.MULTILINE):
        raise CheckFailed(f"layout and netlist must have the same ports, not {found[1]} for {found[2]}")
    return MATCH


def die_area(text: str) -> tuple[float, float]:
    """Width and height of a layout, in micrometres, from its DEF."""
    units = re.search(r"UNITS DISTANCE MICRONS (\d+)", text)
    found = re.search(r"DIEAREA \( (-?\d+) (-?\d+) \) \( (-?\d+) (-?\d+) \)", text)
    if units is None or found is None:
        raise ToolTrouble("the layout must have a size, not none")
    left, low, right, high = (int(found[index]) / int(units[1]) for index in range(1, 5))
    return round(right - left, 2), round(high - low, 2)


@dataclass(frozen=True)
class Drawn:
    """The circuit in a layout.

    Parameters
    ----------
    top : str
    ports : list of str
    cells : dict
        Kind, and net of each pin, by name; cells without pins but supplies, which fill rows, left out.
    """

    top: str
    ports: list[str]
    cells: dict[str, tuple[str, dict[str, str]]]

    @classmethod
    def read(cls, spice: str, top: str) -> Drawn:
        """From what magic extracts.

        Raises
        ------
        ToolTrouble
            If it has anything but cells that it declares, in one circuit.
        """
        pins: dict[str, list[str]] = {}
        cells: dict[str, tuple[str, dict[str, str]]] = {}
        inside = ""
        for words in _lines(spice):
            if words[0] == ".subckt":
                inside = words[1]
                pins[inside] = words[2:]
            elif words[0] == ".ends":
                inside = ""
            elif inside == top and words[0][0] in "Xx":
                name, nets, kind = words[0][1:], words[1:-1], words[-1]
                if len(pins.get(kind, ())) != len(nets):
                    raise ToolTrouble(f"the circuit of the layout must declare {kind} with {len(nets)} pins")
                used = {p: net for p, net in zip(pins[kind], nets, strict=True) if p.lower() not in SUPPLIES}
                if used:
                    cells[name] = (kind, used)
            elif words[0] != ".end":
                raise ToolTrouble(f"the circuit of the layout must be of cells, not {' '.join(words)[:60]}")
        if top not in pins:
            raise ToolTrouble(f"the circuit of the layout must be {top}, which it does not have")
        return cls(top, pins[top], cells)

    @property
    def nets(self) -> set[str]:
        """Names of nets at pins of cells, supplies left out."""
        return {net for _, used in self.cells.values() for net in used.values()} - SUPPLIES

    def verilog(self, netlist: str) -> str:
        """As Verilog, with the ports of a netlist's top, and nothing else of it."""
        found = re.search(rf"^module {re.escape(self.top)} \(.*?\);\n((?:  (?:in|out)put .*;\n)+)", netlist, re.M)
        if found is None:
            raise InputError(f"netlist must have a module {self.top}")
        bits = set()
        for high, name in re.findall(r"put (?:\[(\d+):0\] )?(\w+);", found[1]):
            bits |= {f"{name}[{bit}]" for bit in range(int(high) + 1)} if high else {name}
        inner = sorted(self.nets - bits)
        names = {net: f"net_{number}" for number, net in enumerate(inner)} | {bit: bit for bit in bits}
        names |= {"vdd": "1'b1", "gnd": "1'b0"}
        text = f"// The circuit in a layout of {self.top}.\n{found[0]}"
        text += "".join(f"  wire {names[net]};\n" for net in inner)
        for number, (kind, used) in enumerate(self.cells.values()):
            pins = ", ".join(f".{pin}({names[net]})" for pin, net in used.items())
            text += f"  {kind} cell_{number} ({pins});\n"
        return text + "endmodule\n"


def _lines(spice: str) -> Iterator[list[str]]:
    """Words of each line of SPICE, with its continuations."""
    for line in re.sub(r"\n\+", " ", spice).splitlines():
        words = line.split()
        if words and not line.startswith("*"):
            yield words
