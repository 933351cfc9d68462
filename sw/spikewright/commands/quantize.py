"""`spikewright quantize`."""

from __future__ import annotations

import argparse
from pathlib import Path

from spikewright.commands.base import Outcome, Parser, Subparsers, add_command, add_data, integer


def add(subparsers: Subparsers[Parser]) -> None:
    parser = add_command(
        subparsers,
        "quantize",
        run,
        summary="integer network of a checkpoint",
        details="Turns a float checkpoint into the integer network that the hardware computes, and reports the\n"
        "accuracy before and after, on DIR or else on the small sample that is shipped.",
        example="spikewright quantize runs/first/best.safetensors -o model.safetensors",
    )
    parser.add_argument("checkpoint", type=Path, metavar="CHECKPOINT", help="checkpoint by `spikewright train`")
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="MODEL", help="file to write")
    parser.add_argument(
        "--weight-bits", type=integer(2, 16), default=8, metavar="N", help="2 .. 16 (default: %(default)s)"
    )
    parser.add_argument(
        "--value-bits",
        type=integer(1, 16),
        default=5,
        metavar="N",
        help="width of the counts of input events, 1 .. 16 (default: %(default)s)",
    )
    add_data(parser, required=False)


def run(args: argparse.Namespace) -> Outcome:
    raise NotImplementedError
