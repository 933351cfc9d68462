"""`spikewright sweep`."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

from spikewright.cli.base import (
    Outcome,
    Parser,
    Subparsers,
    add_command,
    add_settings,
    add_training,
    assignment,
    integer,
    percent,
)


def add(subparsers: Subparsers[Parser]) -> None:
    parser = add_command(
        subparsers,
        "sweep",
        run,
        summary="train a grid of networks",
        details="Trains CONFIG for every combination of the given lambdas or sparsities, seeds, optimizers and\n"
        "schedules, each in a folder of RUNS that is named after it, several at a time. The same command\n"
        "continues a sweep that was interrupted, and trains only what is missing. `spikewright report`\n"
        "makes figures and tables of the result.",
        example="spikewright sweep shd --data digits --out runs --lambdas 0.01,0.1,1 --seeds 0,1,2",
        resumable=True,
    )
    add_training(parser, "RUNS", help="folder of all trainings")
    lists: tuple[tuple[str, Callable[[str], Any], str], ...] = (
        ("lambdas", _number, "fixed lambdas (no target sparsity)"),
        ("sparsities", _number, "shares of zero weights that lambda is steered to"),
        ("seeds", integer(0), "seeds (default: that of CONFIG)"),
        ("optimizers", str, "adabreg, linbreg, adam (default: that of CONFIG)"),
        ("schedules", str, "of the learning rate: onecycle, cosine, none (default: that of CONFIG)"),
    )
    for name, kind, text in lists:
        parser.add_argument(f"--{name}", type=_list_of(kind), default=[], metavar="A,B,...", help=text)
    parser.add_argument(
        "--vary",
        type=_values,
        action="append",
        default=[],
        metavar="key=a,b,...",
        help="another setting of the grid, such as rate_penalty=0,1; may be repeated",
    )
    add_settings(parser, help="change a setting of CONFIG for all; may be repeated")
    parser.add_argument("--jobs", type=integer(1), metavar="N", help="trainings at a time (default: one per core)")
    parser.add_argument("--scheduler", metavar="ADDRESS", help="train on the Dask cluster of this scheduler")
    parser.add_argument(
        "--device", choices=("cpu", "cuda", "auto"), default="cpu", help="of every training (default: %(default)s)"
    )
    parser.add_argument("--retry", action="store_true", help="train again what diverged")


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be numbers, not {text!r}") from None


def _split(text: str) -> list[str]:
    """At the commas that are in no brackets."""
    parts, depth = [""], 0
    for character in text:
        depth += (character == "[") - (character == "]")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


def _list_of(kind: Callable[[str], Any]) -> Callable[[str], list[Any]]:
    def convert(text: str) -> list[Any]:
        return [kind(part) for part in _split(text)]

    return convert


def _values(text: str) -> tuple[str, list[str]]:
    key, values = assignment(text)
    return key, _split(values)


def run(args: argparse.Namespace) -> Outcome:
    from spikewright.sweep.run import Grid, sweep

    grid = Grid(
        lambdas=args.lambdas,
        sparsities=args.sparsities,
        seeds=args.seeds,
        optimizers=args.optimizers,
        schedules=args.schedules,
        vary=dict(args.vary),
    )
    report = sweep(
        args.config,
        args.data,
        args.out,
        grid,
        settings=dict(args.settings),
        jobs=args.jobs,
        scheduler=args.scheduler,
        retry=args.retry,
        device=args.device,
    )
    rows = [(point["name"], _result(point)) for point in report["points"]]
    failed = [point for point in report["points"] if point["status"] != "finished"]
    if not failed:
        return Outcome(report, rows)
    message = f"{len(failed)} of {len(rows)} trainings: {failed[0]['name']} {failed[0]['status']}"
    return Outcome(report, rows, f"{message}{', and others' if len(failed) > 1 else ''}")


def _result(point: dict[str, Any]) -> str:
    if point["status"] != "finished":
        return f"{point['status']}: {point['message']}"
    return f"{percent(point['accuracy'])}, {percent(point['sparsity'])} zero, {point['seconds']:.0f} s"
