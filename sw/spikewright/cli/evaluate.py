"""`spikewright evaluate`."""

from __future__ import annotations

import argparse
from pathlib import Path

from spikewright.cli.base import Outcome, Parser, Subparsers, add_command, add_data, add_split


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
    parser.add_argument(
        "model", type=Path, metavar="CHECKPOINT_OR_MODEL", help="file by `train` or `quantize`, or a shipped one"
    )
    add_data(parser)
    add_split(parser)
    parser.add_argument(
        "--spikes",
        type=Path,
        metavar="OUT.npz",
        help="write the spikes of each layer, (steps, samples, neurons), under its name",
    )


def run(args: argparse.Namespace) -> Outcome:
    from spikewright.api.evaluate import evaluate

    found = evaluate(args.model, args.data, split=args.split, spikes=args.spikes)
    return Outcome(found.report, found.facts())
