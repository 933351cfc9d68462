"""`spikewright data`: fetch, make and inspect data sets."""

from __future__ import annotations

import argparse
from pathlib import Path

from spikewright.cli.base import Outcome, Parser, Subparsers, add_command, integer, thousands
from spikewright.support.progress import say, step


def add(subparsers: Subparsers[Parser]) -> None:
    parser = subparsers.add_parser(
        "data",
        help="fetch, make and inspect data sets",
        description="Fetch published data sets; make and inspect spike recordings in the file format of SHD.",
        allow_abbrev=False,
    )
    actions = parser.add_subparsers(title="commands", metavar="ACTION", dest="action", required=True)
    synth = add_command(
        actions,
        "synth",
        run_synth,
        summary="spoken digits as spikes, synthesized",
        details="Speaks the twenty words of SHD (zero to nine in English and German) in many voices, passes\n"
        "them through a model of the inner ear, and writes OUT_DIR/shd_train.h5 and OUT_DIR/shd_test.h5.\n"
        "No voice is in both. The same seed gives the same files.",
        example="spikewright data synth digits --samples-per-class 100",
    )
    synth.add_argument("out_dir", type=Path, metavar="OUT_DIR", help="folder to make")
    synth.add_argument(
        "--samples-per-class",
        type=integer(2, 10_000),
        default=100,
        metavar="N",
        help="recordings of each word, train and test together (default: %(default)s)",
    )
    synth.add_argument("--seed", type=integer(0, 2**32 - 1), default=0, metavar="S", help="default: %(default)s")
    fetch = add_command(
        actions,
        "fetch",
        run_fetch,
        summary="download a published data set",
        details="Downloads the files of SHD, SSC or MNIST from their official addresses into DIR, verifies their\n"
        "checksums and unpacks them. The same command continues a download that was cut off, and leaves\n"
        "files alone that are there already.",
        example="spikewright data fetch shd --out shd",
        resumable=True,
    )
    fetch.add_argument("name", choices=("shd", "ssc", "mnist"), metavar="NAME", help="shd, ssc or mnist")
    fetch.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the files")
    fetch.add_argument("--url", metavar="URL", help="another address of a folder with the same files, such as a mirror")
    info = add_command(
        actions,
        "info",
        run_info,
        summary="shapes, classes and rates of a file",
        details="Checks every sample of an SHD-format HDF5 file and says what is in it.",
        example="spikewright data info digits/shd_test.h5",
    )
    info.add_argument("file", type=Path, metavar="FILE", help="SHD-format HDF5 file")


def run_synth(args: argparse.Namespace) -> Outcome:
    from spikewright.data.synth import synth

    report = synth(args.out_dir, samples_per_class=args.samples_per_class, seed=args.seed)
    rows = [
        (
            str(args.out_dir / f"shd_{split}.h5"),
            f"{report[split]['samples']} samples of {report[split]['voices']} voices, "
            f"{thousands(report[split]['spikes_per_sample'])} spikes each on average",
        )
        for split in ("train", "test")
    ]
    return Outcome(report, rows)


def run_fetch(args: argparse.Namespace) -> Outcome:
    from spikewright.data.fetch import fetch

    report = fetch(args.name, args.out, args.url, progress=say)
    rows = [
        (str(args.out / name), f"{file['status']}, {thousands(file['bytes'])} bytes")
        for name, file in report["files"].items()
    ]
    return Outcome(report, rows)


def run_info(args: argparse.Namespace) -> Outcome:
    from spikewright.data.info import info

    with step(f"Reading {args.file}"):
        report = info(args.file)
    binning = report["binning"]
    rows = [
        ("samples", thousands(report["samples"])),
        ("classes", f"{report['classes']}: {', '.join(report['keys'])}"),
        ("samples per class", _range(report["samples_per_class"])),
        ("speakers", str(len(report["speakers"])) if report["speakers"] else "not named"),
        ("channels", f"{report['channels']}, {report['channels_used']} of them in use"),
    ]
    if report["samples"]:
        bins = (
            f"{binning['timesteps']} steps of {1000 * binning['timestep']:g} ms, {binning['bin_width']} channels a bin"
        )
        rows += [
            ("duration", "{min:.2f} - {max:.2f} s, mean {mean:.2f} s".format(**report["duration_s"])),
            ("spikes per sample", "{min:,} - {max:,}, mean {mean:,.0f}".format(**report["spikes"])),
            ("events per sample", "{min:,} - {max:,}, mean {mean:,.0f}".format(**report["events"]) + f" ({bins})"),
            ("largest count", str(report["largest_count"])),
            ("spikes after the last step", thousands(report["dropped_spikes"])),
        ]
    return Outcome(report, rows)


def _range(numbers: list[int]) -> str:
    low, high = min(numbers, default=0), max(numbers, default=0)
    return str(low) if low == high else f"{low} - {high}"
