"""What three cores take of every family of devices: `spikewright synth --family` for each, by yosys alone.

    python bench/families.py [--core CORE ...] [--family FAMILY ...] [--resume] [--work DIR]

The cores are `small` (`synth-small`, one lane), `lanes8` (`synth-small`, 8 lanes) and `lanes16` (`shd-adabreg90`, 16
lanes), with 8 bits and the memories chosen for the family, or, where `generate` has no such target, for ECP5. Writes a
row for each core and family into `bench/families.json`, whose other rows stay; with --resume only those that are
missing. A tool that fails is a row too, with what it said.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from records import Record, Row

import spikewright as sw
from spikewright.api.synth import map_to_family
from spikewright.contract.devices import TARGETS
from spikewright.contract.errors import InputError, ToolTrouble
from spikewright_boards.families import names

RECORD = Path(__file__).with_suffix(".json")
CORES = {"small": ("synth-small", 1), "lanes8": ("synth-small", 8), "lanes16": ("shd-adabreg90", 16)}
KINDS = ("luts", "ffs", "block_rams", "distributed_rams", "dsps")


def measure(core: str, family: str, work: Path) -> Row:
    """The row of a core on a family; its build folder is left in `work`."""
    network, lanes = CORES[core]
    target = family if family in TARGETS else "ecp5"
    build = work / f"{core}-{target}"
    if not build.exists():
        sw.generate(sw.quantize(sw.load_network(network), weight_bits=8), build, lanes=lanes, target=target)
    row: Row = {"lanes": lanes, "family": family, "network": network, "target": target}
    begin = time.monotonic()
    try:
        mapped = map_to_family(build, family)
    except (InputError, ToolTrouble) as error:
        return {**row, **dict.fromkeys(KINDS, ""), "verdict": f"failed: {error}"}
    dissolved = ", ".join(mapped.dissolved)
    return {
        **row,
        **{kind: mapped[kind] for kind in KINDS},
        "verdict": f"dissolved: {dissolved}" if dissolved else "nothing dissolved",
        "seconds": round(time.monotonic() - begin),
        "tools": mapped["tools"],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--core", action="append", choices=tuple(CORES), help="all by default; several are possible")
    parser.add_argument("--family", action="append", choices=names(), help="all by default; several are possible")
    parser.add_argument("--resume", action="store_true", help="leave out what has a row")
    parser.add_argument("--work", type=Path, metavar="DIR", help="folder for what is built (default: a temporary one)")
    args = parser.parse_args()
    record = Record(RECORD, ("lanes", "family"))
    with tempfile.TemporaryDirectory() as scratch:
        work = args.work or Path(scratch)
        work.mkdir(parents=True, exist_ok=True)
        for core in args.core or CORES:
            for family in args.family or names():
                if args.resume and record.find(CORES[core][1], family):
                    continue
                row = measure(core, family, work)
                print(core, family, *(row[kind] for kind in KINDS), row["verdict"], flush=True)
                record.put(row)
    return 0


if __name__ == "__main__":
    sys.exit(main())
