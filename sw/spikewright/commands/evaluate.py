"""`spikewright evaluate`."""

from __future__ import annotations

import argparse
from pathlib import Path

from spikewright.commands.base import Outcome, Parser, Subparsers, add_command, add_data


def add(subparsers: Subparsers[Parser]) -> None:
    parser = add_command(
        subparsers,
        "evaluate",
        run,
        summary="accuracy and sparsity",
        details="Accuracy of a float checkpoint or of an integer network on a part of the data, and the sparsity\n"
        "of every layer.",
        example="spikewright evaluate model.safetensors --data digits",
    )
    parser.add_argument("model", type=Path, metavar="CHECKPOINT_OR_MODEL", help="file by `train` or `quantize`")
    add_data(parser)
    parser.add_argument("--split", choices=("train", "test"), default="test", help="default: %(default)s")


def run(args: argparse.Namespace) -> Outcome:
    from spikewright.evaluate import evaluate

    report = evaluate(args.model, args.data, args.split)
    return Outcome(report, [])
