"""`spikewright listen`."""

from __future__ import annotations

import argparse
from pathlib import Path

from spikewright.cli.base import Outcome, Parser, Subparsers, add_build, add_command, add_line, integer


def add(subparsers: Subparsers[Parser]) -> None:
    parser = add_command(
        subparsers,
        "listen",
        run,
        summary="speak to a board",
        details="Words from a file or a microphone go through the model of the inner ear to a board that has the core\n"
        "of a network for spoken digits; what it understood is shown with its best scores.",
        example="spikewright listen build --port emulate --wav words.wav",
    )
    add_build(parser)
    add_line(parser)
    sound = parser.add_mutually_exclusive_group(required=True)
    sound.add_argument(
        "--wav", type=Path, metavar="FILE", help="WAV file with words, a quarter of a second of quiet between them"
    )
    sound.add_argument("--microphone", action="store_true", help="listen, live (needs the package sounddevice)")
    parser.add_argument(
        "--seconds", type=integer(1), metavar="S", help="how long to listen to the microphone (default: until Ctrl-C)"
    )


def run(args: argparse.Namespace) -> Outcome:
    from spikewright.api.listen import listen

    names = ("port", "wav", "microphone", "seconds", "board", "baud")
    heard = listen(args.build_dir, **{name: getattr(args, name) for name in names})
    return Outcome(heard.report, heard.facts())
