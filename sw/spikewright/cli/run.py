"""`spikewright run`."""

from __future__ import annotations

import argparse
from pathlib import Path

from spikewright.cli.base import (
    Outcome,
    Parser,
    Subparsers,
    add_build,
    add_command,
    add_data,
    add_line,
    add_split,
    integer,
)


def add(subparsers: Subparsers[Parser]) -> None:
    parser = add_command(
        subparsers,
        "run",
        run,
        summary="send samples to a board, compare its answers",
        details="Sends samples over the serial line to a board that has the core, and compares class and scores with\n"
        "the integer network in PyTorch. A core with loadable weights is loaded first. A sample of which bytes\n"
        "were lost is sent again. A difference is reported with its sample and class; exit status 1.",
        example="spikewright run build --port emulate --data sample --samples 3",
    )
    add_build(parser)
    add_line(parser)
    add_data(parser)
    add_split(parser)
    parser.add_argument("--samples", type=integer(1), metavar="N", help="the first so many (default: all)")
    parser.add_argument(
        "--model",
        type=Path,
        metavar="MODEL",
        help="of a core by `generate --weights loadable`: load this network (default: the one in BUILD_DIR)",
    )
    parser.add_argument(
        "--image",
        type=Path,
        metavar="IMAGE",
        help="load this image by `generate --image-for`, which must be of MODEL (default: made of MODEL)",
    )


def run(args: argparse.Namespace) -> Outcome:
    from spikewright.api.hardware import run

    names = ("port", "split", "samples", "board", "baud", "model", "image")
    found = run(args.build_dir, args.data, **{name: getattr(args, name) for name in names})
    return Outcome(found.report, found.facts(), found.failed)
