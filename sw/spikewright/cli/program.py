"""`spikewright program`."""

from __future__ import annotations

import argparse
from pathlib import Path

from spikewright.cli.base import Outcome, Parser, Subparsers, add_board, add_command


def add(subparsers: Subparsers[Parser]) -> None:
    parser = add_command(
        subparsers,
        "program",
        run,
        summary="send a bitstream to a board",
        details="Runs openFPGALoader, or the board's own tool, on the bitstream that `spikewright synth` made. Where\n"
        "that is not installed, the command to run is printed.",
        example="spikewright program build --board ulx3s-85f",
    )
    parser.add_argument(
        "folder", type=Path, metavar="DIR", help="build folder with a bitstream, or the folder that `synth` made"
    )
    add_board(parser, "one of %(choices)s")
    parser.add_argument("--dry-run", action="store_true", help="print the command and run nothing")


def run(args: argparse.Namespace) -> Outcome:
    from spikewright.api.hardware import program

    done = program(args.folder, args.board, dry_run=args.dry_run)
    return Outcome(done.report, done.facts())
