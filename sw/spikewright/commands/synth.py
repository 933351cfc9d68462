"""`spikewright synth`."""

from __future__ import annotations

import argparse
from pathlib import Path

from spikewright.commands.base import Outcome, Parser, Subparsers, add_command, thousands


def add(subparsers: Subparsers[Parser]) -> None:
    parser = add_command(
        subparsers,
        "synth",
        run,
        summary="bitstream for a board",
        details="Synthesizes a core with its board top (yosys) and places and routes it (nextpnr): bitstream,\n"
        "utilization, maximum clock frequency. Fails if a memory dissolved into flip-flops or the clock\n"
        "of the board is missed.",
        example="spikewright synth build --board ulx3s-85f",
    )
    parser.add_argument("build_dir", type=Path, metavar="BUILD_DIR", help="folder by `spikewright generate`")
    parser.add_argument("--board", required=True, metavar="BOARD", help="ulx3s-85f or icebreaker")


def run(args: argparse.Namespace) -> Outcome:
    from spikewright_boards.flow import synthesize

    report = synthesize(args.build_dir, args.board)
    rows = [
        ("board", report["board"]),
        ("logic cells (LUTs)", thousands(report["luts"])),
        ("flip-flops", thousands(report["ffs"])),
        ("block RAMs", thousands(report["brams"])),
        ("multipliers", thousands(report["dsps"])),
        ("maximum clock", f"{report['fmax_mhz']:.1f} MHz"),
        ("bitstream", str(report["bitstream"])),
    ]
    return Outcome(report, rows)
