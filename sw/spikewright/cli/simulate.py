"""`spikewright simulate`."""

from __future__ import annotations

import argparse
from pathlib import Path

from spikewright.cli.base import (
    Outcome,
    Parser,
    Subparsers,
    add_build,
    add_command,
    add_data,
    add_split,
    integer,
)
from spikewright.contract.defaults import SIMULATED_SAMPLES
from spikewright.contract.devices import FAMILIES
from spikewright.contract.errors import InputError


def add(subparsers: Subparsers[Parser]) -> None:
    parser = add_command(
        subparsers,
        "simulate",
        run,
        summary="compare the Verilog with the PyTorch model",
        details="Runs samples through the Verilog (cocotb on Verilator) and through the integer network in PyTorch,\n"
        "and compares every spike and membrane of every neuron at every step, the scores, the class and\n"
        "the number of clock cycles. A difference is reported with its layer, step and neuron; exit status 1.",
        example="spikewright simulate build --data digits --samples 20",
    )
    add_build(parser)
    add_data(parser)
    add_split(parser)
    parser.add_argument(
        "--samples", type=integer(1), metavar="N", help=f"the first so many (default: {SIMULATED_SAMPLES}, or all)"
    )
    parser.add_argument(
        "--engine",
        choices=("cocotb", "native", "icarus"),
        default="cocotb",
        help="native is a C++ loop for whole test sets; icarus (Icarus Verilog) is slow and knows four states: nothing "
        "is known of a register before it is written; all run some samples back to back and with pauses "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--repeat",
        type=integer(1),
        default=1,
        metavar="N",
        help="native: run all samples back to back N times, without a reset (default: only a few, once)",
    )
    parser.add_argument("--scheduler", metavar="ADDRESS", help="native: simulate on the Dask cluster of this scheduler")
    parser.add_argument(
        "--netlist",
        metavar="NETLIST",
        help="simulate what yosys makes of the core, instead of the core: for a family of FPGAs "
        f"({', '.join(FAMILIES)}), or in a folder by `spikewright asic`",
    )
    parser.add_argument(
        "--model",
        type=Path,
        metavar="MODEL",
        help="of a core by `generate --weights loadable`: load this network (default: the one in BUILD_DIR)",
    )
    parser.add_argument(
        "--image",
        type=Path,
        metavar="IMAGE",
        help="load this image by `generate --image-for`, which must be of MODEL (default: made of MODEL)",
    )
    parser.add_argument(
        "--waves",
        type=Path,
        metavar="FILE",
        help="write all signals of some samples to a file *.vcd, and a view for GTKWave beside it",
    )
    parser.add_argument(
        "--wave-samples",
        type=integer(0),
        nargs="+",
        metavar="N",
        help="numbers of these samples (default: 0)",
    )
    parser.add_argument(
        "--seed",
        type=integer(0, 2**31 - 1),
        default=0,
        metavar="S",
        help="of the pauses at input and output (default: %(default)s)",
    )


def run(args: argparse.Namespace) -> Outcome:
    from spikewright.api.simulate import simulate

    if args.wave_samples is not None and args.waves is None:
        raise InputError("--wave-samples must be left out without --waves")
    plain = ("split", "samples", "engine", "netlist", "model", "image", "repeat", "scheduler", "seed")
    options = {name: getattr(args, name) for name in (*plain, "waves")}
    found = simulate(args.build_dir, args.data, **options, wave_samples=args.wave_samples or [0])
    return Outcome(found.report, found.facts(), found.failed)
