"""From a build folder to a netlist of standard cells, with all that there is to tell of it."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spikewright.build.folder import MODEL, check_images, open_build
from spikewright.contract.errors import InputError
from spikewright.contract.names import verilog_files
from spikewright.support.files import MANIFEST, atomic_dir, read_json, read_manifest, sha256, write_json, write_manifest
from spikewright.support.progress import say
from spikewright_boards.flow.sources import core_sources
from spikewright_boards.flow.tools import Progress, find_tool, tool_version
from spikewright_hw.verilog import LOAD_IMAGE
from spikewright_sim.core.dut import NETLIST
from spikewright_sim.gates import SIMULATION
from spikewright_sim.toggles import count_toggles

from .area import area_report, memory_report
from .energy import energy_report
from .equivalence import prove_equal
from .gates import Netlist
from .library import Library
from .librelane import CONFIG, librelane_config
from .memories import BLACK_BOX_BITS, Found, Macro, macros_of, model_of
from .models import SELF_MODEL, cell_models, self_gating_model
from .selfgate import SELF
from .synthesis import DELAYS, GATINGS, LIMIT, LOGIC, Gating, Options, synthesize_gates
from .timing import MISSING, find_timer, slowest_logic, time_netlist
from .wiring import CLOCK, wire

CLOCK_MHZ = 100.0
VERILOG, CONSTRAINTS, CELLS, MACROS = "netlist.v", "netlist.sdc", "cells.v", "macros.v"
FORMAT = "spikewright-asic-1"


def build_asic(
    build_dir: Path | str,
    liberty: Sequence[Path | str],
    *,
    clock_mhz: float = CLOCK_MHZ,
    sram: Path | str | None = None,
    gating: Gating = "full",
    trace: bool = False,
    dont_use: Sequence[str] = (),
    prove: bool = False,
    counts: npt.NDArray[np.integer] | None = None,
    out_dir: Path | str | None = None,
    progress: Progress | None = None,
) -> dict[str, Any]:
    """Make gates of a core that `spikewright generate` wrote.

    Parameters
    ----------
    build_dir : Path
        Folder by `spikewright generate`.
    liberty : list of Path
        Libraries of standard cells, gzipped or not; the cells of all are used together.
    clock_mhz : float
        What the logic is sized for.
    sram : Path or str, optional
        A TOML file of memory macros, see `read_map`, or the name of a shipped one; or "blackbox", a black box of its
        own for every memory of at least 1,024 bits that is written. Else all memories become registers, or logic.
    gating : "none", "enable" or "full"
        Switch off clocks, where the library has cells for that: of registers with an enable, or of all that keep their
        contents.
    trace : bool
        Keep the trace ports, by which a simulation compares every spike and membrane, and the memories for them.
    dont_use : list of str
        Names of cells not to use, with `*` for anything.
    prove : bool
        Prove that the gates of each block do what its logic did before clocks were gated and cells chosen.
    counts : (B, T, inputs) integers, optional
        Samples that the gates run back to back, to measure the energy of an inference.
    out_dir : Path, optional
        Folder to make; `asic-<library>` in `build_dir` by default. It gets `netlist.v`, `netlist.sdc`, models of the
        cells in it (`cells.v`) and of macros (`macros.v`), `report.json`, `yosys.log`, `simulation`, a build folder
        whose core is the netlist, and `config.json` for LibreLane, where that has a process for the library.
    progress : callable, optional
        Takes lines of progress; standard error by default.

    Returns
    -------
    dict
        See `docs/reference/json.md`.

    Raises
    ------
    InputError
        If the folder, a library, the map or a sample is not usable, or a tool is missing.
    CheckFailed
        If the gates do not give the answers of the network, where energy is measured, or are proven to do something
        else.
    """
    progress = progress or say
    build_dir = Path(build_dir)
    if not 0 < clock_mhz < float("inf"):
        raise InputError(f"clock must be above 0 MHz, not {clock_mhz:g}")
    if gating not in GATINGS:
        raise InputError(f"gating must be one of {', '.join(GATINGS)}, not {gating!r:.40}")
    begin = time.monotonic()
    manifest, _ = open_build(build_dir)
    verilog = [build_dir / name for name in verilog_files(manifest, build_dir / MANIFEST)]
    sources = core_sources(verilog, manifest)
    check_images(build_dir, manifest.get("images"))
    macros = macros_of(sram)
    library = Library.read_all([Path(path) for path in liberty]).without(dont_use)
    library.check()
    find_tool("yosys")
    out = Path(out_dir) if out_dir is not None else build_dir / f"asic-{library.file_name}"
    options = Options(clock_mhz, gating, trace, macros)
    with atomic_dir(out) as folder:
        work = folder / "work"
        work.mkdir()
        for source in sources:
            shutil.copyfile(source, work / source.name)
        netlist, memories = synthesize_gates(library, options, work, verilog, progress)
        wire(netlist, library)
        area = area_report(netlist, library, memories)
        found = memory_report(memories, area["blocks"], netlist)
        _write(folder, netlist, library, memories, clock_mhz)
        about = {
            "family": library.name,
            "memories": _homes(memories),
            "cells": area["cells"],
            "trace": trace,
            "stamp": "",
        }
        _write_simulation(folder, build_dir, verilog[0].name, about, library)
        (work / "mapped.log").replace(folder / "yosys.log")
        estimated = slowest_logic((work / DELAYS).read_text() if (work / DELAYS).is_file() else "")
        proven = _prove(netlist, library, work, progress) if prove else None
        timing = _time(folder, netlist.top, library, clock_mhz, progress)
        shutil.rmtree(work)
        energy = None
        if counts is not None:
            energy = _measure(folder / SIMULATION, netlist, library, memories, clock_mhz, counts, progress)
        report = {
            "library": library.name,
            **area,
            "gating": library.gating.name if gating != "none" and library.gating is not None else None,
            "memories": found,
            "macros": [memory for memory in found if _wants_macro(memory)],
            "clock_mhz": clock_mhz,
            "fmax_mhz": None if timing is None else timing["fmax_mhz"],
            "logic_ns": estimated,
            "timing": timing,
            "proven_registers": proven,
            "energy_nj": None if energy is None else energy["inference_nj"],
            "energy": energy,
            "netlist": str(out / VERILOG),
            "tools": {"yosys": tool_version("yosys")},
            "core_sha256": sha256(verilog[0]),
            "seconds": round(time.monotonic() - begin, 1),
        }
        write_json(folder / "report.json", report)
        write_manifest(folder, {"format": FORMAT, "library": library.name, "core_sha256": report["core_sha256"]})
    progress(f"{library.name}: {sum(area['cells'].values())} cells, {area['area_um2']:.0f} um2")
    return report


def _prove(netlist: Netlist, library: Library, work: Path, progress: Progress) -> dict[str, int]:
    return prove_equal(read_json(work / LOGIC, "logic", limit=LIMIT), netlist, library, work, progress)


def _time(folder: Path, top: str, library: Library, clock_mhz: float, progress: Progress) -> dict[str, Any] | None:
    if (timer := find_timer()) is None:
        progress(MISSING)
        return None
    libraries = [f"work/cells{number}.lib" for number in range(1 + len(library.others))]
    return time_netlist(timer, folder, top, libraries, 1e3 / clock_mhz, progress)


def _measure(
    simulation: Path,
    netlist: Netlist,
    library: Library,
    memories: Sequence[Found],
    clock_mhz: float,
    counts: npt.NDArray[np.integer],
    progress: Progress,
) -> dict[str, Any]:
    toggles = count_toggles(simulation, counts, progress=progress)
    for made in simulation.glob("simulation-*"):
        shutil.rmtree(made)
    return energy_report(netlist, library, _macros(memories), toggles, clock_mhz)


def _macros(memories: Sequence[Found]) -> dict[str, Macro]:
    return {memory.macro.name: memory.macro for memory in memories if memory.macro is not None}


def _wants_macro(memory: dict[str, Any]) -> bool:
    large: bool = memory["words"] * memory["bits"] >= BLACK_BOX_BITS and memory["write_ports"] > 0
    return large or memory["home"] == "macro"


def _write(folder: Path, netlist: Netlist, library: Library, memories: Sequence[Found], clock_mhz: float) -> None:
    cells = [name for name in netlist.cells() if name in library.cells]
    head = f"// Gates of {netlist.top} in {library.name}, by spikewright; this is output, made of your network.\n"
    (folder / VERILOG).write_text(head + netlist.verilog())
    # Energy is counted by the nets between cells, what is in cells by the library.
    about = f"// Functions of cells of {library.name}, without delays.\n/* verilator tracing_off */\n"
    (folder / CELLS).write_text(about + cell_models(library, cells))
    if macros := _macros(memories):
        (folder / MACROS).write_text("".join(model_of(macro) for _, macro in sorted(macros.items())))
    (folder / CONSTRAINTS).write_text(constraints(clock_mhz, library, netlist))
    if config := librelane_config(library.name, netlist.top, VERILOG, list(_macros(memories)), 1e3 / clock_mhz):
        write_json(folder / CONFIG, config)


def constraints(clock_mhz: float, library: Library, netlist: Netlist) -> str:
    """Clock and surroundings of a core, in SDC: a fifth of the cycle is for what is before it, and a fifth behind."""
    period = 1e-6 / clock_mhz / library.time
    share = round(period / 5, 4)
    ports = netlist.modules[netlist.top].ports
    inputs = " ".join(name for name, (direction, _) in ports.items() if direction == "input" and name != CLOCK)
    return (
        f"create_clock -name clk -period {period:.4f} [get_ports clk]\n"
        f"set_input_delay {share} -clock clk [get_ports {{{inputs}}}]\n"
        f"set_output_delay {share} -clock clk [all_outputs]\n"
    )


def _homes(memories: Sequence[Found]) -> str:
    homes = {home: sum(memory.home == home for memory in memories) for home in ("macro", "registers", "logic")}
    return ", ".join(f"{count} in {home}" for home, count in homes.items() if count) or "none"


def _write_simulation(folder: Path, build_dir: Path, core: str, about: dict[str, Any], library: Library) -> None:
    """A build folder whose core is the netlist with its models."""
    inner = folder / SIMULATION
    inner.mkdir()
    for name in (MODEL, LOAD_IMAGE, *(path.name for path in build_dir.glob("*.hex"))):
        if (build_dir / name).is_file():
            shutil.copyfile(build_dir / name, inner / name)
    write_manifest(inner, {**read_manifest(build_dir), "verilog": [core]})
    parts = [folder / name for name in (VERILOG, CELLS, MACROS)]
    text = "".join(path.read_text() for path in parts if path.is_file())
    if library.gating is not None and f" {SELF}_" in text:
        text = re.sub(rf"^(  {re.escape(library.gating.name)}) ({SELF}_)", rf"\1{SELF_MODEL} \2", text, flags=re.M)
        text += self_gating_model(library)
    (inner / core).write_text(text)
    write_json(inner / NETLIST, about)
