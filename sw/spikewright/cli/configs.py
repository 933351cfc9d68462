"""`spikewright configs`."""

from __future__ import annotations

import argparse

from spikewright.cli.base import Outcome, Parser, Subparsers, add_command


def add(subparsers: Subparsers[Parser]) -> None:
    add_command(
        subparsers,
        "configs",
        run,
        summary="list the configurations that are shipped",
        details="The names are good for CONFIG of `train` and `sweep`; `--set key=value` changes their settings. A\n"
        "configuration of your own is a TOML file of the same form.",
        example="spikewright configs",
    )


def run(args: argparse.Namespace) -> Outcome:
    from spikewright.support.shipped import configs

    known = configs()
    return Outcome({"configs": [{"name": name, "about": about} for name, about in known.items()]}, list(known.items()))
