"""`spikewright asic`."""

from __future__ import annotations

import argparse
from pathlib import Path

from spikewright.cli.base import Outcome, Parser, Subparsers, add_build, add_command, megahertz


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
        help="TOML file of memory macros; or blackbox: each memory of at least 1,024 bits that is written is a black "
        "box of its own (default: all in registers)",
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
        "--no-gating",
        action="store_false",
        dest="gating",
        help="let all clocks run (default: those of registers that keep their contents are switched off)",
    )


def run(args: argparse.Namespace) -> Outcome:
    from spikewright.api.asic import asic

    names = ("clock_mhz", "sram", "gating", "trace", "dont_use", "out")
    made = asic(args.build_dir, args.liberty, **{name: getattr(args, name) for name in names})
    return Outcome(made.report, made.facts(), made.failed)
