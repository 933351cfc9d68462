"""`spikewright evaluate`."""

from __future__ import annotations

import argparse
from pathlib import Path

from spikewright.cli.base import Outcome, Parser, Subparsers, add_command, add_data, add_split, percent
from spikewright.support.progress import step


def add(subparsers: Subparsers[Parser]) -> None:
    parser = add_command(
        subparsers,
        "evaluate",
        run,
        summary="accuracy and sparsity",
        details="Accuracy of a float checkpoint or of an integer network on a part of the data, and the sparsity\n"
        "of every layer.",
        example="spikewright evaluate model.safetensors --data digits",
    )
    parser.add_argument(
        "model", type=Path, metavar="CHECKPOINT_OR_MODEL", help="file by `train` or `quantize`, or a shipped one"
    )
    add_data(parser)
    add_split(parser)


def run(args: argparse.Namespace) -> Outcome:
    from spikewright.integer.evaluate import evaluate
    from spikewright.integer.file import is_model, load_info, load_model
    from spikewright.integer.recordings import binning_of, load
    from spikewright.integer.reference import IntegerNetwork
    from spikewright.learn.checkpoint import read_checkpoint
    from spikewright.learn.networks import SpikingNetwork

    network: SpikingNetwork | IntegerNetwork
    if is_model(args.model):
        network = IntegerNetwork(load_model(args.model))
        data = load(args.data, args.split, network.spec, load_info(args.model), model=args.model)
    else:
        network, config, _ = read_checkpoint(args.model)
        data = load(args.data, args.split, config.network, binning_of(config.network, config.data), model=args.model)
    with step(f"Running {len(data)} samples"):
        report = evaluate(network, data)
    rows = [
        ("accuracy", percent(report["accuracy"])),
        ("samples", f"{report['samples']} ({args.split})"),
        ("zero weights", percent(report["sparsity"])),
    ]
    for index, layer in enumerate(report["layers"]):
        rate = layer["firing_rate"]
        neurons, axons = layer["shape"]
        rows.append(
            (
                f"layer {index}",
                f"{neurons} neurons, {axons} axons, {percent(layer['sparsity'])} zero, "
                + ("read-out" if rate is None else f"{rate:.4f} spikes per neuron and step"),
            )
        )
    return Outcome(report, rows)
