"""From a build folder to gates of an ASIC."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from spikewright.api.result import Result
from spikewright.api.source import AnyPath, Data, opened
from spikewright.build.folder import MODEL
from spikewright.contract.defaults import SIMULATED_SAMPLES
from spikewright.contract.errors import InputError
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
            *proof_facts(self["proven_registers"]),
            *timing_facts(self["timing"], self["clock_mhz"], self["logic_ns"]),
            *energy_facts(self["energy"]),
            ("netlist", self.netlist),
        ]


def asic(
    build: AnyPath,
    liberty: AnyPath | Sequence[AnyPath],
    *,
    clock_mhz: float = 100.0,
    sram: AnyPath | None = None,
    gating: Literal["none", "enable", "full"] = "full",
    trace: bool = False,
    dont_use: Sequence[str] = (),
    prove: bool = False,
    data: Data | None = None,
    split: str = "test",
    samples: int | None = None,
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
    sram : path or str, optional
        A TOML file of memory macros; "sky130-openram" or "ihp-sg13g2" for macros that these processes have; or
        "blackbox", a black box for every memory of at least 1,024 bits that is written. By default, all memories become
        registers, or constant logic.
    gating : "none", "enable" or "full"
        Switch off clocks, if the library has cells for that: of registers with an enable, or of all that keep their
        contents, for more area.
    trace : bool
        Keep the trace ports, by which `simulate` compares every spike and membrane of the gates.
    dont_use : list of str
        Names of cells not to use, with `*` for anything.
    prove : bool
        Prove, block by block, that the gates do what the logic did before clocks were gated and cells chosen.
    data : SpikeData, folder or "sample", optional
        Measure the energy of inferences of these recordings.
    split : "train", "valid" or "test"
        Part of a folder's data set.
    samples : int, optional
        The first so many; by default the first 20, or all if there are fewer.
    out : path, optional
        Folder to make; `asic-LIBRARY` in the build folder by default.

    Returns
    -------
    Gates

    Raises
    ------
    InputError
        If the folder, a library or the map is not usable, or a tool is missing.
    CheckFailed
        If the gates do something else than the network, or than the logic that they are made of.
    """
    from spikewright_boards.asic.flow import build_asic

    counts = None
    if data is not None:
        at_most = SIMULATED_SAMPLES if samples is None else None
        counts = opened(Path(build) / MODEL).samples(data, split, samples, at_most).counts
    elif samples is not None:
        raise InputError("samples must be of data, not without")
    several = [liberty] if isinstance(liberty, str) or hasattr(liberty, "__fspath__") else liberty
    report = build_asic(
        Path(build),
        [Path(path) for path in several],
        clock_mhz=clock_mhz,
        sram=None if sram is None else Path(sram),
        gating=gating,
        trace=trace,
        dont_use=dont_use,
        prove=prove,
        counts=counts,
        out_dir=None if out is None else Path(out),
    )
    return Gates(report)


def timing_facts(timing: dict[str, Any] | None, clock_mhz: float, logic_ns: float | None) -> Facts:
    """Highest clock frequency and the slowest paths by block; without a timer, the estimate of yosys, which is less."""
    if timing is None:
        said = "ns by yosys, an estimate: logic of one block, without registers and wires"
        return [] if logic_ns is None else [("slowest logic", f"{logic_ns:.2f} {said}")]
    paths = [(f"  {path['block']}", f"{path['slack_ns']:.2f} ns left") for path in timing["paths"][:_BLOCKS]]
    return [("maximum clock", f"{timing['fmax_mhz']:.1f} MHz by {timing['by']} (sized for {clock_mhz:g})"), *paths]


def proof_facts(proven: dict[str, int] | None) -> Facts:
    """What was proven equal, nothing if nothing was."""
    if proven is None:
        return []
    return [("proven", f"{len(proven)} blocks, {thousands(sum(proven.values()))} registers: gates do what logic did")]


def energy_facts(energy: dict[str, Any] | None) -> Facts:
    """Energy per inference and where it goes, nothing if it was not measured."""
    if energy is None:
        return []
    parts = ", ".join(f"{part} {nj:.2f}" for part, nj in energy["parts_nj"].items() if nj)
    facts = [
        ("energy per inference", f"{energy['inference_nj']:.2f} nJ ({energy['samples']} samples)"),
        ("  of which", f"{parts} nJ"),
        ("  power", f"{energy['power_mw']:.3f} mW"),
    ]
    if energy["synaptic_op_pj"] is not None:
        facts.append(("  per synaptic operation", f"{energy['synaptic_op_pj']:.2f} pJ"))
    facts += [(f"  {block['block']}", f"{block['nj']:.2f} nJ") for block in energy["blocks"][:_BLOCKS]]
    if energy["macros_without_energy"]:
        facts.append(("  not in it", f"macros {', '.join(energy['macros_without_energy'])}"))
    return facts


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
