"""`spikewright generate`."""

from __future__ import annotations

import argparse
from pathlib import Path

from spikewright.commands.base import Outcome, Parser, Subparsers, add_command, thousands
from spikewright.progress import step

LANES = (1, 2, 4, 8, 16, 32, 64)  # Those of `spikewright.spec`, which is not imported for `--help` alone.


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
    parser.add_argument(
        "--lanes", type=_lanes, default=8, metavar="N", help="1, 2, 4, ... or 64 (default: %(default)s)"
    )
    parser.add_argument(
        "--layers",
        choices=("parallel", "shared"),
        default="parallel",
        help="parallel: every layer has its lanes, all work at once; shared: they take turns on the same lanes, for "
        "small FPGAs (default: %(default)s)",
    )
    parser.add_argument(
        "--without-idle",
        action="store_true",
        help="leave out neurons without effect on the scores, and those that can never fire, and tell how many",
    )


def _removed(removed: dict[str, list[list[int]]]) -> str:
    counts = {why: sum(map(len, numbers)) for why, numbers in removed.items()}
    return (
        f"{counts['dead']} neurons without effect, {counts['silent']} that cannot fire; "
        f"{counts['inputs']} inputs have no synapses"
    )


def run(args: argparse.Namespace) -> Outcome:
    from spikewright.build import build

    with step("Generating Verilog and memory images"):
        manifest = build(args.model, args.out, args.lanes, layers=args.layers, without_idle=args.without_idle)
    keys = (
        "lanes",
        "layers",
        "network",
        "removed",
        "weights",
        "synapses",
        "memory_bits",
        "state_bits",
        "predicted_cycles",
        "stream",
    )
    report = {"build_dir": str(args.out), **{key: manifest[key] for key in keys}}
    bits = manifest["memory_bits"]
    rows = [
        ("network", "-".join(map(str, manifest["network"]))),
        ("lanes", str(manifest["lanes"]) + (", shared by all layers" if args.layers == "shared" else "")),
        *((("removed", _removed(manifest["removed"])),) if args.without_idle else ()),
        ("synapses stored", f"{thousands(manifest['synapses'])} of {thousands(manifest['weights'])} weights"),
        ("memory", f"{thousands(sum(bits.values()))} bits"),
        *((f"  {name.replace('_', ' ')}", thousands(value)) for name, value in bits.items()),
        ("membranes", ", ".join(f"{bits} bits" for bits in manifest["state_bits"].values())),
        ("cycles, silent sample", thousands(manifest["predicted_cycles"]["silent_sample"])),
        ("Verilog", str(args.out / manifest["verilog"])),
    ]
    return Outcome(report, rows)
