"""`spikewright boards`."""

from __future__ import annotations

import argparse

from spikewright.cli.base import Outcome, Parser, Subparsers, add_command


def add(subparsers: Subparsers[Parser]) -> None:
    add_command(
        subparsers,
        "boards",
        run,
        summary="list the boards",
        details="Their names are good for `synth`, `program`, `explore` and `run`; `--json` has the command that\n"
        "sends a bitstream to each.",
        example="spikewright boards",
    )


def run(args: argparse.Namespace) -> Outcome:
    from spikewright.api.hardware import boards

    found = boards()
    return Outcome(found.report, found.facts())
