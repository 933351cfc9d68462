"""`spikewright import`."""

from __future__ import annotations

import argparse
from pathlib import Path

from spikewright.cli.base import Outcome, Parser, Subparsers, add_command, assignment, integer


def add(subparsers: Subparsers[Parser]) -> None:
    parser = add_command(
        subparsers,
        "import",
        run,
        summary="checkpoint of a network of another library, from its NIR file",
        details="Reads a NIR file by snnTorch, Norse, SpikingJelly, sinabs, Rockpool or Spyx, in the dialect of that\n"
        "library, which says what the file leaves out: how long a step is, what a reset does, and when.\n"
        "Prints what it understood, node by node, and refuses what it could not do exactly. Without -o\n"
        "that is all.",
        example="spikewright import net.nir -o net.safetensors --dialect snntorch --set reset=sub_delayed",
    )
    parser.add_argument("file", type=Path, metavar="NET.nir", help="file by the exporter of a library")
    parser.add_argument("-o", "--out", type=Path, metavar="CHECKPOINT", help="file to write")
    parser.add_argument(
        "--dialect",
        metavar="NAME_OR_JSON",
        help="library that wrote the file: snntorch, norse, spikingjelly, sinabs, rockpool or spyx; or a JSON file\n"
        "of rules",
    )
    parser.add_argument(
        "--set",
        type=assignment,
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="what the dialect leaves open, such as reset=zero, or NODE.reset=none for one node (repeatable)",
    )
    parser.add_argument(
        "--timesteps", type=integer(1, 65535), metavar="T", help="steps of a sample, which hardware needs to know"
    )
    parser.add_argument(
        "--decision",
        choices=("sum", "count", "max", "last"),
        help="of the class: the highest sum of membranes, most spikes, the highest membrane of any step or of the\n"
        "last one (default: count where the last layer fires, else sum)",
    )


def run(args: argparse.Namespace) -> Outcome:
    from spikewright.nir.describe import describe, rows
    from spikewright.nir.file import save_foreign
    from spikewright.nir.load import import_nir
    from spikewright.support.files import sha256

    network = import_nir(args.file, args.dialect, dict(args.set), timesteps=args.timesteps, decision=args.decision)
    refused = None
    if args.out is not None:
        refused = save_foreign(args.out, network, {"nir_sha256": sha256(args.file)})
    report = {
        "checkpoint": None if args.out is None else str(args.out),
        "dialect": network.dialect.name,
        "input": list(network.input_shape),
        "classes": network.classes,
        "timesteps": network.timesteps,
        "decision": network.decision,
        "nodes": describe(network),
        "assumed": network.assumed,
        "refused": refused,
    }
    written = [("checkpoint", str(args.out))] if args.out is not None else []
    written += [("for evaluate alone", refused)] if refused else []
    return Outcome(report, [*rows(network), *written])
