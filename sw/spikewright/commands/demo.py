"""`spikewright demo`."""

from __future__ import annotations

import argparse
from pathlib import Path

from spikewright.commands.base import Outcome, Parser, Subparsers, add_command


def add(subparsers: Subparsers[Parser]) -> None:
    parser = add_command(
        subparsers,
        "demo",
        run,
        summary="the whole way, on what is shipped",
        details="Takes the shipped checkpoint and the shipped sample of synthesized spoken digits all the way:\n"
        "quantize, pack, Verilog, simulation, comparison with the PyTorch model. Takes a few minutes.",
        example="spikewright demo",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder to keep the files in (default: none is kept)")


def run(args: argparse.Namespace) -> Outcome:
    raise NotImplementedError
