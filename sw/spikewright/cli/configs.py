"""`spikewright configs`."""

from __future__ import annotations

import argparse

from spikewright.cli.base import Outcome, Parser, Subparsers, add_command


def add(subparsers: Subparsers[Parser]) -> None:
    parser = add_command(
        subparsers,
        "configs",
        run,
        summary="list the configurations that are shipped, or print one",
        details="The names are good for CONFIG of `train` and `sweep`; `--set key=value` changes their settings. A\n"
        "configuration of your own is a TOML file of the same form: begin with one that is shipped.",
        example="spikewright configs shd-small",
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="print this one, as a TOML file")


def run(args: argparse.Namespace) -> Outcome:
    from spikewright.contract.errors import InputError, suggestion
    from spikewright.support.shipped import config_text, configs

    known = configs()
    if args.name is not None:
        if args.name not in known:
            near = suggestion(args.name, known)
            raise InputError(f"configuration must be one of {', '.join(known)}, not {args.name!r:.60}{near}")
        text = config_text(args.name)
        return Outcome({"name": args.name, "about": known[args.name], "toml": text}, text=text.rstrip())
    return Outcome({"configs": [{"name": name, "about": about} for name, about in known.items()]}, list(known.items()))
