"""`spikewright explore`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from spikewright.cli.base import (
    Outcome,
    Parser,
    Subparsers,
    add_board,
    add_command,
    add_data,
    add_split,
    integer,
    megahertz,
    percent,
    thousands,
)
from spikewright.contract.names import unusual
from spikewright.support.progress import step

BOARD = "ulx3s-85f"
WIDTHS = (8, 6, 4)


def _widths(text: str) -> tuple[int, ...]:
    convert = integer(2, 16)
    return tuple(dict.fromkeys(convert(item.strip()) for item in text.split(",")))


def add(subparsers: Subparsers[Parser]) -> None:
    parser = add_command(
        subparsers,
        "explore",
        run,
        summary="latency against resources, over lanes and weight bits",
        details="Predicts the exact cycles of an inference, and estimates block RAMs and LUTs, for every number of\n"
        "lanes, of each layer or shared by all, and, where MODEL is a float checkpoint, for several widths of\n"
        "the weights. Shows the Pareto front of latency, block RAMs, LUTs and accuracy, and what fits the\n"
        "board. Simulates and synthesizes nothing.",
        example="spikewright explore runs/first/checkpoint.safetensors --data digits",
    )
    parser.add_argument("model", type=Path, metavar="MODEL", help="file by `train` or `quantize`, or a shipped one")
    add_data(parser)
    add_split(parser)
    parser.add_argument(
        "--samples",
        type=integer(1),
        default=64,
        metavar="N",
        help="run the first so many, all if there are fewer (default: %(default)s)",
    )
    add_board(parser, "target, one of %(choices)s (default: %(default)s)", default=BOARD)
    parser.add_argument(
        "--clock-mhz", type=megahertz, metavar="F", help="for microseconds (default: what the board is meant for)"
    )
    parser.add_argument(
        "--weight-bits",
        type=_widths,
        metavar="A,B,...",
        help="of a float checkpoint, 2 .. 16 each (default: " + ",".join(map(str, WIDTHS)) + ")",
    )
    parser.add_argument("--out", type=Path, metavar="OUT", help="folder to make, with figure (SVG, PNG), CSV and JSON")


def run(args: argparse.Namespace) -> Outcome:
    from spikewright.contract.errors import InputError
    from spikewright.integer.file import is_model, load_info, load_model
    from spikewright.integer.recordings import binning_of, load, with_rates
    from spikewright.integer.rounding import quantize
    from spikewright.learn.checkpoint import read_checkpoint
    from spikewright.predict.explore import explore, rows
    from spikewright.report.front import write
    from spikewright_boards.catalog import find

    board = find(args.board)
    if is_model(args.model):
        if args.weight_bits is not None:
            raise InputError("--weight-bits must be left out for an integer network, which has its own")
        network = load_model(args.model)
        networks = {max(layer.weight_bits for layer in network.layers): network}
        binning = load_info(args.model)
    else:
        floats, config, _ = read_checkpoint(args.model)
        binning = binning_of(config.network, config.data)
        networks = {
            bits: with_rates(quantize(floats, weight_bits=bits), args.data, binning, args.model)[0]
            for bits in args.weight_bits or WIDTHS
        }
    any_network = next(iter(networks.values()))
    data = load(args.data, args.split, any_network, binning, at_most=args.samples, model=args.model)
    clock = args.clock_mhz or board.clock_mhz
    with step(f"Predicting cores for {len(data)} samples"):
        points = rows(explore(networks, data, board), clock)
    report: dict[str, Any] = {
        "model": str(args.model),
        "data": str(args.data),
        "split": args.split,
        "samples": len(data),
        "board": args.board,
        "available": {name: getattr(board.device, name) for name in ("luts", "ffs", "brams", "dsps")},
        "clock_mhz": clock,
        "points": points,
    }
    if args.out is not None:
        write(args.out, report)
    return Outcome({**report, "out": None if args.out is None else str(args.out)}, _rows(report))


def _rows(report: dict[str, Any]) -> list[tuple[str, str]]:
    unit = f"{report['clock_mhz']:g} MHz"
    head = f"{'accuracy':>9} {'cycles':>9} {'at ' + unit:>12} {'LUTs':>8} {'RAMs':>5}"
    rows = [
        ("samples", f"{report['samples']} ({report['split']})"),
        (
            "board",
            f"{report['board']}: {thousands(report['available']['luts'])} LUTs, "
            f"{report['available']['brams']} block RAMs",
        ),
        ("", head),
    ]
    points = report["points"]
    for point in points:
        if point["encoding"] != "auto" and not point["front"]:
            continue
        unusually = "".join(f" {word}" for word in unusual(point["layers"]))
        label = f"{point['weight_bits']} bits, {point['lanes']:>2} lanes{unusually}"
        if point["encoding"] != "auto":
            label += f", {point['encoding']}"
        text = (
            f"{percent(point['accuracy']):>9} {thousands(point['cycles']['mean']):>9} "
            f"{point['microseconds']:>9.1f} us {thousands(point['luts']):>8} {point['brams']:>5}"
        )
        marks = [name for name, shown in (("front", point["front"]), ("does not fit", not point["fits"])) if shown]
        rows.append((label, f"{text}  {', '.join(marks)}"))
    if hidden := sum(point["encoding"] != "auto" and not point["front"] for point in points):
        rows.append(("", f"{hidden} with other encodings that take more are left out: --json and --out have all"))
    return rows
