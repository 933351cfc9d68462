"""`spikewright report`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from spikewright.cli.base import Outcome, Parser, Subparsers, add_command, add_data, integer, percent
from spikewright.contract.names import LANES


def add(subparsers: Subparsers[Parser]) -> None:
    parser = add_command(
        subparsers,
        "report",
        run,
        summary="figures and tables of trainings",
        details="Makes plots (PNG and SVG), their numbers (CSV) and one HTML page from any set of run folders:\n"
        "loss and non-zero weights over the epochs, accuracy against lambda, optimizers compared over\n"
        "seeds, accuracy against sparsity, synaptic operations and stored bits. With the recordings of\n"
        "the runs (DIR), operations are counted instead of estimated.",
        example="spikewright report runs --out report --data digits",
    )
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUNS", help="run folders, or folders that hold them")
    parser.add_argument("--out", type=Path, metavar="OUT", help="folder to make (default: report in the first RUNS)")
    add_data(parser, default="operations are estimated")
    parser.add_argument(
        "--test", action="store_true", help="run the networks that are compared on the test part of DIR too"
    )
    parser.add_argument("--title", default="Sparse spiking networks", metavar="TEXT", help="title of the page")
    parser.add_argument(
        "--weight-bits",
        type=integer(2, 16),
        default=8,
        metavar="N",
        help="weights of the integer networks that are measured, 2 .. 16 (default: %(default)s)",
    )
    parser.add_argument(
        "--lanes", type=int, choices=LANES, default=8, help="for which they are packed (default: %(default)s)"
    )


def run(args: argparse.Namespace) -> Outcome:
    from spikewright.report.compose import report

    result = report(
        args.runs,
        args.out or args.runs[0] / "report",
        args.data,
        test=args.test,
        title=args.title,
        weight_bits=args.weight_bits,
        lanes=args.lanes,
    )
    number = result["runs"]
    rest = "".join(f", {number[name]} {name}" for name in ("diverged", "unfinished") if number[name])
    rows = [("runs", f"{number['finished']} finished{rest}")]
    several = len({row["network"] for row in result["comparison"]}) > 1
    for row in result["comparison"]:
        rows.append((f"{row['network']}, {row['training']}" if several else row["training"], _accuracy(row)))
    rows.append(("page", result["page"]))
    return Outcome(result, rows)


def _accuracy(row: dict[str, Any]) -> str:
    def share(name: str) -> str:
        deviation = row[f"{name}_std"]
        return percent(row[name]) if deviation is None else f"{100 * row[name]:.2f} ± {100 * deviation:.2f} %"

    text = f"{share('accuracy')}, {share('sparsity')} zero"
    text += f", λ = {row['lambda']:g}" if row["lambda"] is not None else ""
    text += f", test {share('test_accuracy')}" if row["test_accuracy"] is not None else ""
    return f"{text} ({row['n']} seed{'s' if row['n'] > 1 else ''})"
