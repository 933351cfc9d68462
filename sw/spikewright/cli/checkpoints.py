"""`spikewright checkpoints`."""

from __future__ import annotations

import argparse

from spikewright.cli.base import Outcome, Parser, Subparsers, add_command


def add(subparsers: Subparsers[Parser]) -> None:
    add_command(
        subparsers,
        "checkpoints",
        run,
        summary="list the trained networks that are shipped",
        details="The names are good wherever a checkpoint is asked for, as by `quantize`, `evaluate` and `explore`.\n"
        "What is known of a network is in the file NAME.md beside it; `--json` says where.",
        example="spikewright checkpoints",
    )


def run(args: argparse.Namespace) -> Outcome:
    from spikewright.support.shipped import about_checkpoint, asset, checkpoints

    known = [
        {
            "name": name,
            "about": about_checkpoint(name),
            "file": str(checkpoint := asset(f"{name}.safetensors")),
            "card": str(asset(f"{name}.md")),
            "bytes": checkpoint.stat().st_size,
        }
        for name in checkpoints()
    ]
    return Outcome({"checkpoints": known}, [(str(item["name"]), str(item["about"])) for item in known])
