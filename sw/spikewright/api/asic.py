"""From a build folder to gates of an ASIC."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spikewright.api.result import Result
from spikewright.api.source import AnyPath
from spikewright.contract.shown import Facts, thousands

_BLOCKS = 8
"""Blocks that are shown, the largest ones."""


class Gates(Result):
    """A netlist of standard cells and what it takes.

    Attributes
    ----------
    library : str
    netlist : str
        Its file.
    cells : dict
        How many of each type.
    area_um2 : float
        Square micrometres, without macros of unknown area.
    registers : int
    macros : list of dict
        Memories that are macros, or so large that they should be.
    fmax_mhz, energy_nj : float or None
        None where it was not measured.
    """

    library: str
    netlist: str
    cells: dict[str, int]
    area_um2: float
    registers: int
    macros: list[dict[str, Any]]
    fmax_mhz: float | None
    energy_nj: float | None

    def facts(self) -> Facts:
        return [
            ("library", self.library),
            ("cells", thousands(sum(self.cells.values()))),
            ("area", f"{thousands(round(self.area_um2))} um2"),
            *((f"  {kind}", _area(area)) for kind, area in self["kinds"].items() if area != 0),
            ("registers", f"{thousands(self.registers)} ({thousands(self['gated_registers'])} with a gated clock)"),
            *(("  " + block["block"], _area(block["area_um2"])) for block in self["blocks"][:_BLOCKS]),
            *(("memory", memory_line(memory)) for memory in self.macros),
            ("netlist", self.netlist),
        ]


def asic(
    build: AnyPath,
    liberty: AnyPath | Sequence[AnyPath],
    *,
    clock_mhz: float = 100.0,
    sram: AnyPath | None = None,
    gating: bool = True,
    trace: bool = False,
    dont_use: Sequence[str] = (),
    out: AnyPath | None = None,
) -> Gates:
    """Synthesize a core for standard cells.

    Parameters
    ----------
    build : Build, or folder by `generate`
    liberty : path, or list of paths
        Libraries of cells, gzipped or not.
    clock_mhz : float
        What the logic is sized for.
    sram : path or "blackbox", optional
        A TOML file of memory macros; or a black box for every memory of at least 1,024 bits that is written. By
        default, all memories become registers, or constant logic.
    gating : bool
        Switch off the clocks of registers that keep their contents, if the library has cells for that.
    trace : bool
        Keep the trace ports, by which `simulate` compares every spike and membrane of the gates.
    dont_use : list of str
        Names of cells not to use, with `*` for anything.
    out : path, optional
        Folder to make; `asic-LIBRARY` in the build folder by default.

    Returns
    -------
    Gates

    Raises
    ------
    InputError
        If the folder, a library or the map is not usable, or a tool is missing.
    """
    from spikewright_boards.asic.flow import build_asic

    several = [liberty] if isinstance(liberty, str) or hasattr(liberty, "__fspath__") else liberty
    report = build_asic(
        Path(build),
        [Path(path) for path in several],
        clock_mhz=clock_mhz,
        sram=None if sram is None else Path(sram),
        gating=gating,
        trace=trace,
        dont_use=dont_use,
        out_dir=None if out is None else Path(out),
    )
    return Gates(report)


def memory_line(memory: dict[str, Any]) -> str:
    """A memory as people read it."""
    size = f"{memory['name']}: {thousands(memory['words'])} x {memory['bits']} bits"
    ports = f"{memory['read_ports']} read, {memory['write_ports']} write"
    times = f"{memory['count']} times, " if memory["count"] > 1 else ""
    if memory["home"] == "macro":
        where = f"{memory['macros']} x {memory['macro']}"
    else:
        where = f"in {memory['home']}, {_area(memory['area_um2'])}"
    return f"{size} ({times}{ports}): {where}"


def _area(area: float | None) -> str:
    return "area not known" if area is None else f"{thousands(round(area))} um2"
