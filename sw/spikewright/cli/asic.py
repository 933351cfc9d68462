"""`spikewright asic`."""

from __future__ import annotations

import argparse
from pathlib import Path

from spikewright.cli.base import Outcome, Parser, Subparsers, add_build, add_command, add_split, integer, megahertz
from spikewright.contract.defaults import SIMULATED_SAMPLES


def add(subparsers: Subparsers[Parser]) -> None:
    parser = add_command(
        subparsers,
        "asic",
        run,
        summary="gates of an ASIC, for any library of cells",
        details="Synthesizes a core for standard cells (yosys): netlist, constraints, area by block and by kind, and\n"
        "the memories that want a macro. `simulate --netlist DIR` then compares the gates with the PyTorch model.",
        example="spikewright asic build --liberty cells.lib",
    )
    add_build(parser)
    parser.add_argument(
        "--liberty",
        type=Path,
        action="append",
        required=True,
        metavar="LIB",
        help="library of cells in the liberty format, gzipped or not; may be repeated",
    )
    parser.add_argument(
        "-o", "--out", type=Path, metavar="DIR", help="folder to make (default: asic-LIBRARY in BUILD_DIR)"
    )
    parser.add_argument(
        "--clock-mhz",
        type=megahertz,
        default=100.0,
        metavar="F",
        help="clock that the logic is sized for (default: %(default)g)",
    )
    parser.add_argument(
        "--sram",
        metavar="MAP",
        help="memory macros: a TOML file, or sky130-openram or ihp-sg13g2, which are shipped; or blackbox: each memory "
        "of at least 1,024 bits that is written is a black box of its own (default: all in registers)",
    )
    parser.add_argument(
        "--dont-use",
        action="append",
        default=[],
        metavar="CELLS",
        help="names of cells not to use, with * for anything; may be repeated",
    )
    parser.add_argument(
        "--trace",
        action="store_true",
        help="keep the trace ports, by which `simulate` compares every spike and membrane of the gates",
    )
    parser.add_argument(
        "--prove",
        action="store_true",
        help="prove, block by block, that the gates do what the logic did before clocks were gated and cells chosen",
    )
    parser.add_argument(
        "--gating",
        choices=("none", "enable", "full"),
        default="full",
        help="switch off clocks, where the library has cells for that: of registers with an enable, or of all that "
        "keep their contents, for more area (default: %(default)s)",
    )
    parser.add_argument(
        "--data",
        type=Path,
        metavar="DIR",
        help="measure the energy of inferences of recordings: a folder with the files of the network's data set, or "
        "sample, the few that are shipped",
    )
    add_split(parser)
    parser.add_argument(
        "--samples", type=integer(1), metavar="N", help=f"the first so many (default: {SIMULATED_SAMPLES}, or all)"
    )


def run(args: argparse.Namespace) -> Outcome:
    from spikewright.api.asic import asic

    names = ("clock_mhz", "sram", "gating", "trace", "dont_use", "prove", "data", "split", "samples", "out")
    made = asic(args.build_dir, args.liberty, **{name: getattr(args, name) for name in names})
    return Outcome(made.report, made.facts(), made.failed)
