"""`spikewright export`."""

from __future__ import annotations

import argparse
from pathlib import Path

from spikewright.cli.base import Outcome, Parser, Subparsers, add_command


def add(subparsers: Subparsers[Parser]) -> None:
    parser = add_command(
        subparsers,
        "export",
        run,
        summary="NIR file of a checkpoint, for other libraries",
        details="Writes a float network as a file of the Neuromorphic Intermediate Representation, which snnTorch,\n"
        "Norse, SpikingJelly and others read. It does not say what a reset is: that has to be set there, as\n"
        "the last line tells. Delays are written, but no library reads them rightly.",
        example="spikewright export model.safetensors -o net.nir",
    )
    parser.add_argument(
        "checkpoint", type=Path, metavar="CHECKPOINT", help="file by `train` or `import`, or a shipped one"
    )
    parser.add_argument("-o", "--out", type=Path, required=True, metavar="NET.nir", help="file to write")
    parser.add_argument(
        "--dialect",
        choices=("spikewright", "norse", "snntorch", "spikingjelly"),
        default="spikewright",
        help="whom the file is for: what the library does not compute alike is refused (default: %(default)s)",
    )


def run(args: argparse.Namespace) -> Outcome:
    from spikewright.learn.checkpoint import load_checkpoint
    from spikewright.nir.export import DT, export_nir
    from spikewright.nir.file import is_foreign, load_foreign

    rows = [("file", str(args.out))]
    if is_foreign(args.checkpoint):
        foreign = load_foreign(args.checkpoint)[0]
        dialect, settings = foreign.dialect.name, export_nir(foreign, args.out)
    else:
        network = load_checkpoint(args.checkpoint)
        dialect, settings = "spikewright", export_nir(network, args.out, args.dialect)
        rows.append(("step", f"{DT:g} s"))
        if args.dialect in ("snntorch", "spikingjelly"):
            rows.append(("read-out", "li, of neurons that never fire"))
        if any(layer.config.recurrent for layer in network.spiking_layers()):
            rows.append(("recurrence", "no library reads it rightly where spikes are delayed"))
    again = ["spikewright import", str(args.out), f"--dialect {dialect}"]
    again += [f"--set {key}={value}" for key, value in settings.items()]
    rows.append(("read back by", " ".join(again)))
    return Outcome({"file": str(args.out), "dialect": dialect, "settings": settings}, rows)
