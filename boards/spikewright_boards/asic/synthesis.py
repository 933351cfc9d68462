"""Verilog of a core to gates of a library: what yosys is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from spikewright.contract.errors import InputError
from spikewright.contract.names import TRACE
from spikewright.support.files import read_json, write_json
from spikewright_boards.flow.tools import Progress, ToolError, run_tool

from .design import MACRO, Design, choose
from .gates import Netlist
from .library import Library
from .memories import Found, Macro, declaration_of, library_of, techmap_of
from .selfgate import gate_themselves

Gating = Literal["none", "enable", "full"]
GATINGS: tuple[Gating, ...] = get_args(Gating)
GATED_TOGETHER = 4
"""Flip-flops with one enable from which a clock gating cell is worth its area and energy."""
LIMIT = 1 << 30
DELAYS = "stats.txt"
"""Where abc writes delays of all modules."""
LOGIC = "logic.json"
"""The core as simple gates and registers, before clocks are gated and cells chosen."""
_ABC = (
    "strash; &get -n; &fraig -x; &put; scorr; dc2; dretime; strash; &get -n; &dch -f; &nf -D {0}; &put; "
    "buffer; upsize -D {0}; dnsize -D {0}; stime -p -d\n"
)
"""What yosys has abc do by itself, given a driver; `-d` alone is added, which writes `DELAYS`."""


@dataclass(frozen=True)
class Options:
    """How a core becomes gates.

    Parameters
    ----------
    clock_mhz : float
    gating : "none", "enable" or "full"
        Whether clocks are switched off: of registers with an enable, and of all others that keep their contents.
    trace : bool
        Whether the trace ports stay.
    macros : list of Macro, "blackbox" or None
    """

    clock_mhz: float
    gating: Gating = "full"
    trace: bool = False
    macros: Sequence[Macro] | str | None = None


def synthesize_gates(
    library: Library, options: Options, work: Path, verilog: Sequence[Path], progress: Progress
) -> tuple[Netlist, list[Found]]:
    """The netlist of a core whose Verilog, its own file first, was copied to `work` with its images.

    Raises
    ------
    InputError
        If yosys is missing, or takes the core or the library not.
    """
    top = verilog[0].stem
    read = f"""
        read_verilog -defer {f"-D{TRACE}" if options.trace else ""} {" ".join(path.name for path in verilog)}
        hierarchy -check -top {top}
        proc -norom
        opt_expr
        opt_clean
        memory_collect
        write_json design.json
    """
    _run(read, "read", work, progress, verilog[0])
    design = Design(read_json(work / "design.json", "netlist", limit=LIMIT), top)
    memories = design.memories()
    choose(memories, options.macros, library.register_bit_area)
    design.mark(memories)
    write_json(work / "design.json", design.netlist)
    for number, text in enumerate(library.trimmed()):
        (work / f"cells{number}.lib").write_text(text)
    (work / "driver.constr").write_text(_driver(library))
    before, behind = _mapping(library, options, memories, work, top)
    _run(before, "gated", work, progress, library.path)
    if options.gating == "full" and library.gating is not None:
        gated = read_json(work / "gated.json", "netlist", limit=LIMIT)
        gate_themselves(gated, library)
        write_json(work / "gated.json", gated)
    _run(behind, "mapped", work, progress, library.path)
    found = Netlist.from_json(read_json(work / "netlist.json", "netlist", limit=LIMIT), top)
    if left := sorted(kind for kind in found.cells() if kind.startswith("_")):
        raise InputError(f"{library.path} must have cells for all that a core needs: none became of {', '.join(left)}")
    return found, memories


def _mapping(library: Library, options: Options, memories: Sequence[Found], work: Path, top: str) -> tuple[str, str]:
    """Commands up to the clock gating, and behind it."""
    enabled, gate = _gating(library) if options.gating != "none" else ("", "")
    libraries = " ".join(f"-liberty cells{number}.lib" for number in range(1 + len(library.others)))
    period = round(1e6 / options.clock_mhz)
    (work / "delays.abc").write_text(_ABC.format(period))
    before = f"""
        read_json design.json
        hierarchy -check -top {top}
        flatten -noscopeinfo
        opt_expr
        opt_clean
        opt -noff
        fsm
        opt
        wreduce
        peepopt
        opt_clean
        alumacc
        share
        opt
        memory -nomap
        opt_clean
        {_map_macros(memories, work)}
        opt -fast -full
        memory_map
        opt -undriven -fine
        techmap
        opt -fast
        opt_dff -simple-dffe
        dfflegalize -cell $_DFF_P_ x {enabled}
        opt_clean
        write_json {LOGIC}
        {gate}
        dfflegalize -cell $_DFF_P_ x
        opt_expr
        opt_merge
        opt_clean
        write_json gated.json
    """
    behind = f"""
        read_json gated.json
        dfflibmap {libraries}
        opt
        abc {libraries} -D {period} -constr driver.constr -script delays.abc
        setundef -zero
        opt_clean -purge
        write_json netlist.json
    """
    return before, behind


def _gating(library: Library) -> tuple[str, str]:
    """Which flip-flops keep an enable, and the command that makes clock gating cells of those."""
    if library.gating is None:
        return "", ""
    enable, clock, out, test = library.gating_pins()
    ties = " ".join(f"-tie_lo {pin}" for pin in test)
    pins = f"{library.gating.name} {enable}:{clock}:{out}"
    # What is reset and held becomes what is held, so that its clock can be switched off too.
    enabled = f"-cell $_DFFE_PP_ x -mince {GATED_TOGETHER}"
    return enabled, f"clockgate -pos {pins} {ties} -min_net_size {GATED_TOGETHER}"


def _map_macros(memories: Sequence[Found], work: Path) -> str:
    """Commands that put macros where they were chosen, a kind at a time: yosys would choose for itself."""
    kinds: dict[str, list[Found]] = {}
    for memory in memories:
        if memory.macro is not None:
            kinds.setdefault(memory.macro.name, []).append(memory)
    lines = []
    for name, of in kinds.items():
        macro = of[0].macro
        assert macro is not None
        (work / f"{name}.ram").write_text(library_of(macro))
        (work / f"{name}.map.v").write_text(techmap_of(macro))
        (work / f"{name}.box.v").write_text(declaration_of(macro))
        lines += [
            f"read_verilog -lib {name}.box.v",
            f"select -set chosen a:{MACRO}={name}",
            f"memory_libmap -logic-cost-ram 1000 -lib {name}.ram @chosen",
            f"techmap -map {name}.map.v",
        ]
    return "\n".join(lines)


def _driver(library: Library) -> str:
    """What drives and loads the logic, for abc: a buffer, and four inputs of it."""
    cell = library.buffers[0]
    load = 4 * max(pin.capacitance for pin in cell.inputs) * 1e15
    return f"set_driving_cell {cell.name}\nset_load {load:.3f} [all_outputs]\n"


def _run(script: str, name: str, work: Path, progress: Progress, blamed: Path) -> None:
    lines = (line.strip() for line in script.strip().splitlines())
    (work / f"{name}.ys").write_text("\n".join(line for line in lines if line) + "\n")
    try:
        # yosys writes the log itself: abc, which is inside of it, takes away what is printed from then on.
        run_tool("yosys", ["-l", f"{name}.log", f"{name}.ys"], work, progress)
    except ToolError as error:
        raise InputError(f"{blamed} must be what yosys takes: {error}") from error
