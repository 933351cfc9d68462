"""`spikewright view`."""

from __future__ import annotations

import argparse
from pathlib import Path

from spikewright.cli.base import Outcome, Parser, Subparsers, add_command, add_data, add_split, integer
from spikewright.contract.defaults import VIEW, VIEWED_SAMPLES
from spikewright.contract.names import LANES


def add(subparsers: Subparsers[Parser]) -> None:
    parser = add_command(
        subparsers,
        "view",
        run,
        summary="a network as a page",
        details="Writes one HTML page, which needs no server, with the layers of a network, patterns and histograms\n"
        "of weights and delays, the memories of its core, and bits per synapse against the limit. With\n"
        "recordings (DIR) it also shows spikes and scores of samples to choose from, and where cycles go.",
        example="spikewright view shd-adabreg90 --data sample -o page.html",
    )
    parser.add_argument(
        "thing",
        type=Path,
        metavar="CHECKPOINT_OR_MODEL_OR_BUILD",
        help="file by `train` or `quantize`, a shipped one, or folder by `generate`",
    )
    add_data(parser, default="no recordings are shown")
    add_split(parser)
    parser.add_argument(
        "--samples",
        type=integer(1, 1000),
        default=VIEWED_SAMPLES,
        metavar="N",
        help="show the first so many, all if there are fewer (default: %(default)s)",
    )
    parser.add_argument(
        "-o", "--out", type=Path, default=Path(VIEW), metavar="OUT", help="file to write (default: %(default)s)"
    )
    parser.add_argument(
        "--lanes", type=int, choices=LANES, help="of the core that is shown of what is no build (default: 8)"
    )
    parser.add_argument(
        "--weight-bits",
        type=integer(2, 16),
        metavar="N",
        help="of the integers that a float checkpoint becomes for that core, 2 .. 16 (default: 8)",
    )


def run(args: argparse.Namespace) -> Outcome:
    from spikewright.api.view import view

    names = ("out", "split", "samples", "lanes", "weight_bits")
    found = view(args.thing, args.data, **{name: getattr(args, name) for name in names})
    return Outcome(found.report, found.facts())
