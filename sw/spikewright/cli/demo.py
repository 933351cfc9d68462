"""`spikewright demo`."""

from __future__ import annotations

import argparse
from collections import Counter
from pathlib import Path

from spikewright.cli.base import Outcome, Parser, Subparsers, add_command, percent, thousands


def add(subparsers: Subparsers[Parser]) -> None:
    parser = add_command(
        subparsers,
        "demo",
        run,
        summary="the whole way, on what is shipped",
        details="Takes the shipped checkpoint and the shipped sample of synthesized spoken digits all the way:\n"
        "quantize, pack, Verilog, simulation, comparison with the PyTorch model. Takes a few minutes.",
        example="spikewright demo",
    )
    parser.add_argument("--out", type=Path, metavar="DIR", help="folder to keep the files in (default: none is kept)")


def run(args: argparse.Namespace) -> Outcome:
    from spikewright.api.simulate import failure, spread
    from spikewright.cli.demonstration import demo

    report = demo(args.out)
    simulation, accuracy, synapses = report["simulation"], report["accuracy"], report["synapses"]
    # By kind, the memories of all layers together; `--json` has each.
    bits: Counter[str] = Counter()
    for name, value in report["memory_bits"].items():
        bits[name.partition("_")[2]] += value
    rows = [
        ("accuracy, float", f"{percent(accuracy['float'])} ({report['samples']} samples)"),
        ("accuracy, quantized", f"{percent(accuracy['quantized'])} ({report['samples']} samples)"),
        ("accuracy, hardware", f"{percent(accuracy['hardware'])} ({simulation['samples']} of them simulated)"),
        ("mismatches", str(simulation["mismatches"])),
        ("cycle mismatches", str(simulation["cycle_mismatches"])),
        ("cycles per inference", f"{spread(simulation['cycles_per_inference'])} ({report['lanes']} lanes)"),
        ("  predicted", spread(simulation["predicted_cycles_per_inference"])),
        ("synapses stored", thousands(synapses["stored"])),
        ("synapses skipped", f"{thousands(synapses['skipped'])} ({percent(report['sparsity'])})"),
        ("memory", f"{thousands(sum(bits.values()))} bits"),
        *((f"  {name}", thousands(value)) for name, value in bits.items()),
        *(("difference", line) for line in simulation["details"]),
    ]
    return Outcome(report, rows, failure(simulation))
