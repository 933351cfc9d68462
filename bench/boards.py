"""Bitstreams of one small core for every board: what they take, how fast they are, and how good the estimate was.

    python bench/boards.py [BOARD ...] [--resume | --check] [--work DIR]

Makes a core of the shipped network `synth-small` (8 bits, one lane, memories chosen for the family of the board),
places and routes it for each board (all by default, minutes each), and writes a row for each into `bench/boards.json`,
whose other rows stay; with --resume only for those that have none. With --check nothing is written: it exits with 1 if
a figure is off its row by more than the tolerance that stands in the same file, or an estimate by more than 20 %.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

from records import Record

import spikewright as sw
from spikewright.build.folder import open_build
from spikewright.predict.resources import estimate
from spikewright_boards.catalog import find, names

RECORD = Path(__file__).with_suffix(".json")
NETWORK, LANES = "synth-small", 1
MEASURED = ("luts", "ffs", "brams", "dsps", "fmax_mhz")
ESTIMATED = ("luts", "ffs", "brams")
ESTIMATE_TOLERANCE = 0.2


def measure(board: str, work: Path) -> dict[str, Any]:
    """The row of a board; its build folder and bitstream are left in `work`."""
    family = find(board).device.family
    build = work / family
    if not build.exists():
        sw.generate(sw.quantize(sw.load_network(NETWORK), weight_bits=8), build, lanes=LANES, target=family)
    report = sw.synth(build, board, out=work / f"synth-{board}")
    expected = estimate(open_build(build)[1], find(board))
    return {
        "board": board,
        "device": find(board).device.name,
        "network": NETWORK,
        "lanes": LANES,
        **{key: report[key] for key in MEASURED},
        "clock_mhz": report["clock_mhz"],
        "estimated": {key: getattr(expected, key) for key in ESTIMATED},
        "tools": report["tools"],
    }


def deviations(found: dict[str, Any], row: dict[str, Any], tolerance: dict[str, float]) -> list[str]:
    """What is off by more than it may be, a line each."""
    lines = [
        f"{row['board']}: {key} {found[key]}, baseline {row[key]} +- {100 * tolerance[key]:g} %"
        for key in MEASURED
        if abs(found[key] - row[key]) > tolerance[key] * row[key]
    ]
    return lines + [
        f"{row['board']}: {key} estimated as {found['estimated'][key]}, not within 20 % of {found[key]}"
        for key in ESTIMATED
        if abs(found["estimated"][key] - found[key]) > ESTIMATE_TOLERANCE * found[key]
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("boards", nargs="*", metavar="BOARD", help="all by default")
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--resume", action="store_true", help="leave out boards that have a row")
    how.add_argument("--check", action="store_true", help="compare with the record instead of writing it")
    parser.add_argument("--work", type=Path, metavar="DIR", help="folder for what is built (default: a temporary one)")
    args = parser.parse_args()
    record = Record(RECORD, ("board",))
    off: list[str] = []
    with tempfile.TemporaryDirectory() as scratch:
        work = args.work or Path(scratch)
        work.mkdir(parents=True, exist_ok=True)
        for board in args.boards or names():
            row = record.find(board)
            if args.resume and row:
                continue
            found = measure(board, work)
            print(f"{board}: {', '.join(f'{key} {found[key]}' for key in MEASURED)}", flush=True)
            if not args.check:
                record.put(found)
            elif row:
                off += deviations(found, row, record.content["tolerance"])
            else:
                off.append(f"{board}: no row to compare with")
    for line in off:
        print(line)
    return 1 if off else 0


if __name__ == "__main__":
    sys.exit(main())
