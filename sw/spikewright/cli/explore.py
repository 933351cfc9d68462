"""`spikewright explore`."""

from __future__ import annotations

import argparse
from pathlib import Path

from spikewright.cli.base import (
    Outcome,
    Parser,
    Subparsers,
    add_board,
    add_command,
    add_data,
    add_split,
    integer,
    megahertz,
)
from spikewright.contract.defaults import BOARD, EXPLORED_BITS, EXPLORED_SAMPLES


def _widths(text: str) -> tuple[int, ...]:
    convert = integer(2, 16)
    return tuple(dict.fromkeys(convert(item.strip()) for item in text.split(",")))


def add(subparsers: Subparsers[Parser]) -> None:
    parser = add_command(
        subparsers,
        "explore",
        run,
        summary="latency against resources, over lanes and weight bits",
        details="Predicts the exact cycles of an inference, and estimates block RAMs and LUTs, for every number of\n"
        "lanes, of each layer or shared by all, and, where MODEL is a float checkpoint, for several widths of\n"
        "the weights. Shows the Pareto front of latency, block RAMs, LUTs and accuracy, what fits the board,\n"
        "and recommends one to start from. Simulates and synthesizes nothing.",
        example="spikewright explore runs/first/checkpoint.safetensors --data digits",
    )
    parser.add_argument("model", type=Path, metavar="MODEL", help="file by `train` or `quantize`, or a shipped one")
    add_data(parser)
    add_split(parser)
    parser.add_argument(
        "--samples",
        type=integer(1),
        default=EXPLORED_SAMPLES,
        metavar="N",
        help="run the first so many, all if there are fewer (default: %(default)s)",
    )
    add_board(parser, "target, one of %(choices)s (default: %(default)s)", default=BOARD)
    parser.add_argument(
        "--clock-mhz", type=megahertz, metavar="F", help="for microseconds (default: what the board is meant for)"
    )
    parser.add_argument(
        "--weight-bits",
        type=_widths,
        metavar="A,B,...",
        help="of a float checkpoint, 2 .. 16 each (default: " + ",".join(map(str, EXPLORED_BITS)) + ")",
    )
    parser.add_argument(
        "--out", type=Path, metavar="OUT", help="folder to make, with a page, figure (SVG, PNG), CSV and JSON"
    )


def run(args: argparse.Namespace) -> Outcome:
    from spikewright.api.explore import explore
    from spikewright.contract.errors import InputError
    from spikewright.integer.file import is_model

    if args.weight_bits is not None and is_model(args.model):
        raise InputError("--weight-bits must be left out for an integer network, which has its own")
    names = ("board", "split", "samples", "clock_mhz", "weight_bits", "out")
    found = explore(args.model, args.data, **{name: getattr(args, name) for name in names})
    return Outcome(found.report, found.facts())
