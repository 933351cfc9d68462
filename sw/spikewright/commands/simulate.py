"""`spikewright simulate`."""

from __future__ import annotations

import argparse
from pathlib import Path

from spikewright.commands.base import Outcome, Parser, Subparsers, add_command, add_data, integer


def add(subparsers: Subparsers[Parser]) -> None:
    parser = add_command(
        subparsers,
        "simulate",
        run,
        summary="compare the Verilog with the PyTorch model",
        details="Runs samples through the Verilog (cocotb on Verilator) and through the integer network in PyTorch,\n"
        "and compares every spike and membrane of every neuron at every step, the scores, the class and\n"
        "the number of clock cycles. A difference is reported with its layer, step and neuron; exit status 1.",
        example="spikewright simulate build --data digits --samples 20",
    )
    parser.add_argument("build_dir", type=Path, metavar="BUILD_DIR", help="folder by `spikewright generate`")
    add_data(parser)
    parser.add_argument("--samples", type=integer(1), default=20, metavar="N", help="default: %(default)s")


def run(args: argparse.Namespace) -> Outcome:
    raise NotImplementedError
