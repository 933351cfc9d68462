"""`spikewright generate`."""

from __future__ import annotations

import argparse
from pathlib import Path

from spikewright.commands.base import Outcome, Parser, Subparsers, add_command

LANES = (1, 2, 4, 8, 16)  # Those of `spikewright.spec`, which is not imported for `--help` alone.


def _lanes(text: str) -> int:
    if text not in map(str, LANES):
        raise argparse.ArgumentTypeError(f"must be one of {', '.join(map(str, LANES))}, not {text}")
    return int(text)


def add(subparsers: Subparsers[Parser]) -> None:
    parser = add_command(
        subparsers,
        "generate",
        run,
        summary="Verilog of an integer network",
        details="Writes a folder with the core in plain Verilog, its memory images and a manifest. Zero weights\n"
        "are not stored. More lanes do more synapses at once.",
        example="spikewright generate model.safetensors -o build --lanes 8",
    )
    parser.add_argument("model", type=Path, metavar="MODEL", help="integer network by `spikewright quantize`")
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="BUILD_DIR", help="folder to make")
    parser.add_argument("--lanes", type=_lanes, default=8, metavar="N", help="1, 2, 4, 8 or 16 (default: %(default)s)")


def run(args: argparse.Namespace) -> Outcome:
    raise NotImplementedError
