"""`spikewright synth`."""

from __future__ import annotations

import argparse
from pathlib import Path

from spikewright.cli.base import (
    Outcome,
    Parser,
    Subparsers,
    add_board,
    add_build,
    add_command,
    integer,
    megahertz,
)


def add(subparsers: Subparsers[Parser]) -> None:
    parser = add_command(
        subparsers,
        "synth",
        run,
        summary="bitstream for a board",
        details="Synthesizes a core with its board top (yosys) and places and routes it (nextpnr): bitstream,\n"
        "utilization, maximum clock frequency. Fails if a memory dissolved into flip-flops, or if the\n"
        "clock of the board is missed. Takes minutes.",
        example="spikewright synth build --board ulx3s-85f",
    )
    add_build(parser)
    add_board(parser, "one of %(choices)s")
    parser.add_argument(
        "-o", "--out", type=Path, metavar="DIR", help="folder to make (default: synth-BOARD in BUILD_DIR)"
    )
    parser.add_argument(
        "--clock-mhz", type=megahertz, metavar="F", help="clock of the core (default: what the board is meant for)"
    )
    parser.add_argument(
        "--seed", type=integer(0, 2**31 - 1), default=1, metavar="S", help="of the placement (default: %(default)s)"
    )


def run(args: argparse.Namespace) -> Outcome:
    from spikewright.api.synth import synth

    made = synth(args.build_dir, args.board, out=args.out, clock_mhz=args.clock_mhz, seed=args.seed)
    return Outcome(made.report, made.facts(), made.failed)
