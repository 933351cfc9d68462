"""The command line: parsing, exit status, and what goes to which stream.

Results go to standard output: a table, or with `--json` exactly one JSON object. All else goes to standard error. Exit
status: 0 done, 1 the check failed, 2 bad input (one line says what), 130 interrupted.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import TextIO

from spikewright import __version__
from spikewright.commands import COMMANDS
from spikewright.commands.base import Outcome, Parser
from spikewright.errors import CheckFailed, InputError

DESCRIPTION = """\
Sparse spiking neural networks, from PyTorch to verified hardware.

A checkpoint becomes an integer network, the integer network Verilog, and the
Verilog a bitstream. Each step leaves files and can be run alone."""

EPILOG = """\
exit status: 0 done, 1 the check failed, 2 bad input.
Start with `spikewright demo`; `spikewright COMMAND --help` tells more."""


def build_parser() -> Parser:
    """Parser of all commands. Imports nothing heavy."""
    parser = Parser(
        prog="spikewright",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"spikewright {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command", required=True)
    for command in COMMANDS:
        command.add(subparsers)
    return parser


@contextlib.contextmanager
def _stdout_to_stderr() -> Iterator[TextIO]:
    """Standard output for the result alone: what libraries and child processes print there goes to standard error."""
    sys.stdout.flush()
    try:
        saved = os.dup(1)
        os.dup2(2, 1)
    except OSError:  # A stream is closed: then there is nothing to keep apart.
        yield sys.stdout
        return
    result = sys.stdout
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield result
    finally:
        os.dup2(saved, 1)
        os.close(saved)


def _print(outcome: Outcome, as_json: bool) -> None:
    if outcome.silent:
        return
    text = json.dumps(outcome.report, allow_nan=False) if as_json else outcome.table()
    if text:
        print(text, flush=True)


def _complain(kind: str, message: object) -> None:
    print(f"spikewright: {kind}: {' '.join(str(message).split())}", file=sys.stderr, flush=True)


def _terminate(number: int, frame: FrameType | None) -> None:
    # An exception, so that half-written outputs are removed on the way out.
    raise SystemExit(128 + number)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; those of the process by default.

    Returns
    -------
    int
        Exit status. A bug is not caught: it leaves as the exception it is.
    """
    try:
        args = build_parser().parse_args(argv)
    except SystemExit as leave:  # After --help, --version or an error that is already printed.
        return int(leave.code or 0)
    previous = signal.signal(signal.SIGTERM, _terminate)
    try:
        with _stdout_to_stderr():
            outcome: Outcome = args.run(args)
        _print(outcome, args.json)
        if outcome.failed is not None:
            raise CheckFailed(outcome.failed)
    except InputError as error:
        _complain("error", error)
        return 2
    except CheckFailed as error:
        _complain("failed", error)
        return 1
    except BrokenPipeError:
        # The reader is gone. Point stdout elsewhere, or Python complains once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 128 + signal.SIGPIPE
    except OSError as error:
        if error.errno is None:
            raise
        _complain("error", f"{error.filename}: {error.strerror}" if error.filename else error.strerror)
        return 2
    except KeyboardInterrupt:
        _complain("interrupted", args.command)
        return 128 + signal.SIGINT
    finally:
        signal.signal(signal.SIGTERM, previous)
    return 0
