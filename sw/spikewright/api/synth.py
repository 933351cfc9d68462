"""From a build folder to a bitstream."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from spikewright.api.result import Result
from spikewright.api.source import AnyPath
from spikewright.contract.shown import Facts, thousands


class Synthesis(Result):
    """A bitstream and what it takes; `check()` raises an error if the clock is missed.

    Attributes
    ----------
    board : str
    bitstream : str
        Its file.
    luts, ffs, brams, dsps : int
        What the design takes; `available` has what there is.
    fmax_mhz, clock_mhz : float
        Highest clock frequency, and the one the core runs at.
    failed : str or None
        That the clock was missed, in a line.
    """

    board: str
    bitstream: str
    available: dict[str, int]
    fmax_mhz: float
    clock_mhz: float

    def facts(self) -> Facts:
        facts = [("board", self.board)]
        facts += [
            (label, f"{thousands(self[key])} of {thousands(self.available[key])}")
            for key, label in (
                ("luts", "LUTs"),
                ("ffs", "flip-flops"),
                ("brams", "block RAMs"),
                ("sprams", "single-port RAMs"),
                ("dsps", "multipliers"),
            )
            if key in self
        ]
        return [
            *facts,
            ("maximum clock", f"{self.fmax_mhz:.1f} MHz (runs at {self.clock_mhz:g} MHz)"),
            ("bitstream", str(self.bitstream)),
        ]


def synth(
    build: AnyPath,
    board: str,
    *,
    out: AnyPath | None = None,
    clock_mhz: float | None = None,
    seed: int = 1,
) -> Synthesis:
    """Synthesize a core with its board top, and place and route it. Takes minutes.

    Parameters
    ----------
    build : Build, or folder by `generate`
    board : str
        Such as "ulx3s-85f" or "icebreaker".
    out : path, optional
        Folder to make; `synth-BOARD` in the build folder by default.
    clock_mhz : float, optional
        Clock of the core; what the board is meant for by default.
    seed : int
        Of the placement, at least 0.

    Returns
    -------
    Synthesis
        A missed clock is no error: see `failed`, or call `check()`.

    Raises
    ------
    InputError
        If the folder, the board or the clock is not usable, or a tool is missing.
    CheckFailed
        If the design does not fit, or a memory dissolved into flip-flops.
    """
    from spikewright_boards.flow.bitstream import TimingMissed, synthesize

    place = None if out is None else Path(out)
    try:
        return Synthesis(synthesize(Path(build), board, out_dir=place, clock_mhz=clock_mhz, seed=seed))
    except TimingMissed as missed:
        return Synthesis(missed.report, str(missed))


class Mapping(Result):
    """What a core takes of a family of devices; `check()` raises an error if a memory dissolved into flip-flops.

    Attributes
    ----------
    family : str
    luts, ffs, block_rams, distributed_rams, dsps : int
        Cells of each kind; `cells` has all of them by type.
    memories : list of dict
        Each with `name`, `words`, `width`, `writable` and `home`.
    dissolved : list of str
        Names of memories that are written and found no RAM.
    failed : str or None
        That there are such, in a line.
    """

    family: str
    cells: dict[str, int]
    memories: list[dict[str, Any]]
    dissolved: list[str]

    def facts(self) -> Facts:
        homes = Counter(str(memory["home"]) for memory in self.memories)
        return [
            ("family", self.family),
            *(
                (label, thousands(self[key]))
                for key, label in (
                    ("luts", "LUTs"),
                    ("ffs", "flip-flops"),
                    ("block_rams", "block RAMs"),
                    ("distributed_rams", "distributed RAMs"),
                    ("dsps", "multipliers"),
                )
            ),
            ("memories", ", ".join(f"{count} in {home}" for home, count in sorted(homes.items())) or "none"),
            ("verdict", "nothing dissolved" if not self.dissolved else f"{len(self.dissolved)} memories dissolved"),
        ]


def map_to_family(build: AnyPath, family: str) -> Mapping:
    """Synthesize a core for a family of devices, without a board: what it takes, and where its memories went.

    Parameters
    ----------
    build : Build, or folder by `generate`
    family : str
        Such as "xilinx" or "cyclonev".

    Returns
    -------
    Mapping
        A memory that dissolved is no error: see `failed`, or call `check()`.

    Raises
    ------
    InputError
        If the folder or the family is not usable, or yosys is missing.
    """
    from spikewright_boards.flow.mapping import map_core

    report = map_core(Path(build), family)
    names = ", ".join(report["dissolved"])
    failed = f"no memory must dissolve into flip-flops, but these did: {names}" if names else None
    return Mapping(report, failed)
