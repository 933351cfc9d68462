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
    add_choice,
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
        "clock of the board is missed. Takes minutes. With --family, yosys alone says what the core takes of a\n"
        "family of devices without a board, and whether all of its memories found RAM.",
        example="spikewright synth build --board ulx3s-85f",
    )
    add_build(parser)
    target = parser.add_mutually_exclusive_group(required=True)
    add_board(target, "one of %(choices)s", required=False)
    add_choice(target, "--family", "spikewright_boards.families", "instead of a board, one of %(choices)s")
    parser.add_argument(
        "-o", "--out", type=Path, metavar="DIR", help="folder to make (default: synth-BOARD in BUILD_DIR)"
    )
    parser.add_argument(
        "--clock-mhz", type=megahertz, metavar="F", help="clock of the core (default: what the board is meant for)"
    )
    parser.add_argument("--seed", type=integer(0, 2**31 - 1), metavar="S", help="of the placement (default: 1)")


def run(args: argparse.Namespace) -> Outcome:
    from spikewright.api.synth import map_to_family, synth
    from spikewright.contract.errors import InputError

    if args.family is not None:
        given = {"--out": args.out, "--clock-mhz": args.clock_mhz, "--seed": args.seed}
        if options := [name for name, value in given.items() if value is not None]:
            raise InputError(f"{options[0]} must be left out with --family: it is for a bitstream")
        mapped = map_to_family(args.build_dir, args.family)
        return Outcome(mapped.report, mapped.facts(), mapped.failed)
    seed = 1 if args.seed is None else args.seed
    made = synth(args.build_dir, args.board, out=args.out, clock_mhz=args.clock_mhz, seed=seed)
    return Outcome(made.report, made.facts(), made.failed)
