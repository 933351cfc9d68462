"""A configuration of LibreLane, which takes a netlist to a layout in a process that one can have chips made in."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from .wiring import CLOCK

CONFIG = "config.json"
PROCESSES = {
    r"sky130_fd_sc_\w+?(?=__|$)": "sky130A",
    r"sg13g2_stdcell(?=_|$)": "ihp-sg13g2",
    r"gf180mcu_fd_sc_\w+?(?=__|$)": "gf180mcuD",
}
"""LibreLane's name of a process, by how the names of libraries begin, which is its name of their cells."""


def process_of(library: str) -> tuple[str, str] | None:
    """Names of a library's process and cells for LibreLane, None if it has no such."""
    for begin, process in PROCESSES.items():
        if found := re.match(begin, library):
            return process, found[0]
    return None


def librelane_config(
    library: str, top: str, netlist: str, macros: Collection[str], period_ns: float
) -> dict[str, Any] | None:
    """What LibreLane's flow `Classic` has to be told of a netlist, None if it has no process for the library.

    Parameters
    ----------
    library : str
        Name of the library of cells.
    top : str
        Module of the core.
    netlist : str
        File beside the configuration; it is taken as it is, not mapped again.
    macros : list of str
        Memory macros in it. Their drawings, `macros/<name>.gds` and `macros/<name>.lef`, are to be put there.
    period_ns : float

    Returns
    -------
    dict or None
        Keys as in LibreLane's reference; inputs and outputs have a fifth of the cycle each, as in `netlist.sdc`.
    """
    if (process := process_of(library)) is None:
        return None
    config: dict[str, Any] = {
        "meta": {"version": 2, "flow": "Classic"},
        "PDK": process[0],
        "STD_CELL_LIBRARY": process[1],
        "DESIGN_NAME": top,
        "VERILOG_FILES": [f"dir::{netlist}"],
        "SYNTH_ELABORATE_ONLY": True,
        "RUN_LINTER": False,  # there is nothing to style in a netlist
        "CLOCK_PORT": CLOCK,
        "CLOCK_PERIOD": round(period_ns, 4),
        "IO_DELAY_CONSTRAINT": 20,
    }
    if macros:
        config["MACROS"] = {
            name: {kind: [f"dir::macros/{name}.{kind}"] for kind in ("gds", "lef")} for name in sorted(macros)
        }
    return config
