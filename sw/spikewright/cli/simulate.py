"""`spikewright simulate`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from spikewright.cli.base import (
    Outcome,
    Parser,
    Subparsers,
    add_command,
    add_data,
    add_split,
    integer,
    percent,
    thousands,
)
from spikewright.contract.devices import FAMILIES
from spikewright.support.progress import say

SAMPLES = 20


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
    parser.add_argument("build_dir", type=Path, metavar="BUILD_DIR", help="folder by `spikewright generate`")
    add_data(parser)
    add_split(parser)
    parser.add_argument(
        "--samples", type=integer(1), metavar="N", help=f"the first so many (default: {SAMPLES}, or all)"
    )
    parser.add_argument(
        "--engine",
        choices=("cocotb", "native"),
        default="cocotb",
        help="native is a C++ loop for whole test sets; both run some samples back to back and with pauses "
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
        choices=tuple(FAMILIES),
        help="simulate what yosys makes of the core for this family, instead of the core",
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
        "--seed",
        type=integer(0, 2**31 - 1),
        default=0,
        metavar="S",
        help="of the pauses at input and output (default: %(default)s)",
    )


def run(args: argparse.Namespace) -> Outcome:
    from spikewright.build.generate import MODEL, open_build
    from spikewright.integer.file import load_info
    from spikewright.integer.recordings import load
    from spikewright_sim.core.toolchain import check_tools
    from spikewright_sim.netlist import make_netlist, netlist_report
    from spikewright_sim.runner import simulate

    check_tools()  # A missing tool is better told before the work than after.
    _, core = open_build(args.build_dir, args.model)
    model = args.model or args.build_dir / MODEL
    at_most = SAMPLES if args.samples is None else None
    data = load(args.data, args.split, core.network, load_info(model), args.samples, at_most, model=model)
    options = {
        **{"seed": args.seed, "repeat": args.repeat, "model": args.model, "image": args.image},
        **{"scheduler": args.scheduler, "bar": True, "progress": say},
    }
    target = make_netlist(args.build_dir, args.netlist, say) if args.netlist else args.build_dir
    report = simulate(target, data.counts, data.labels, engine=args.engine, **options)
    if args.netlist:
        report["netlist"] = netlist_report(target)
    return Outcome(report, rows(report), failure(report))


def rows(report: dict[str, Any]) -> list[tuple[str, str]]:
    """The table of a simulation, its differences included."""
    return [
        ("accuracy, hardware", f"{percent(report['accuracy'])} ({report['samples']} samples)"),
        ("mismatches", str(report["mismatches"])),
        ("cycle mismatches", str(report["cycle_mismatches"])),
        ("cycles per inference", spread(report["cycles_per_inference"])),
        ("  predicted", spread(report["predicted_cycles_per_inference"])),
        (
            "synaptic operations",
            f"{thousands(report['synaptic_ops'])} ({thousands(report['dense_synaptic_ops'])} if no weight were zero)",
        ),
        *netlist_rows(report.get("netlist")),
        *(("difference", line) for line in report["details"]),
        *([("waveform", report["waveform"])] if report.get("waveform") else []),
    ]


def netlist_rows(netlist: dict[str, Any] | None) -> list[tuple[str, str]]:
    """The family, where its memories are, and its cells, the most frequent ones first."""
    if netlist is None:
        return []
    cells = ", ".join(f"{count} {name}" for name, count in sorted(netlist["cells"].items(), key=lambda item: -item[1]))
    return [(f"netlist, {netlist['family']}", f"memories in {netlist['memories']}; {cells}")]


def failure(report: dict[str, Any]) -> str | None:
    """Why a simulation failed, None if all was equal."""
    if not report["mismatches"] and not report["cycle_mismatches"]:
        return None
    first = f"; {report['details'][0]}" if report["details"] else ""
    return f"{report['mismatches']} mismatches, {report['cycle_mismatches']} cycle mismatches{first}"


def spread(cycles: dict[str, Any]) -> str:
    if cycles["mean"] is None:
        return "none"
    return f"{thousands(cycles['min'])} - {thousands(cycles['max'])}, mean {thousands(cycles['mean'])}"
