"""`spikewright doctor`."""

from __future__ import annotations

import argparse
from dataclasses import asdict

from spikewright.cli.base import Outcome, Parser, Subparsers, add_command
from spikewright.support.progress import step


def add(subparsers: Subparsers[Parser]) -> None:
    add_command(
        subparsers,
        "doctor",
        run,
        summary="see what is installed, what is missing, and how to get it",
        details="Looks for Python and its libraries, the compiler and the tools behind `simulate` and `synth`, a GPU,\n"
        "memory, disk space and caches, and tries what can be tried in seconds. `missing` is what commands\n"
        "need, and the exit status is then 2; `absent` is what only some users need; `low` works, but slowly\n"
        "or not for large networks.",
        example="spikewright doctor",
    )


def run(args: argparse.Namespace) -> Outcome:
    from spikewright.cli.diagnosis import diagnose

    with step("Trying libraries and tools"):
        checks = diagnose()
    rows = []
    for check in checks:
        rows.append((check.name, f"{check.state:<8}{check.found}{': ' if check.remedy else ''}{check.remedy}"))
    missing = [check.name for check in checks if check.state == "missing"]
    report = {"ready": not missing, "checks": [asdict(check) for check in checks]}
    marks = {"ok": "green", "low": "yellow", "absent": "yellow", "missing": "red"}
    lacking = f"{', '.join(missing)} must be there and work, not be missing" if missing else None
    return Outcome(report, rows, lacking=lacking, marks=marks)
