"""The command line: parsing, exit status, and what goes to which stream.

Results go to standard output: a table, or with `--json` exactly one JSON object, which tells its kind (`schema`) and
the `version` of the package. All else goes to standard error. Exit status: 0 done, 1 the check failed, 2 bad input (one
line says what), 130 interrupted.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Iterator, Sequence

from spikewright import __version__
from spikewright.support.interrupts import Interruptible, Stopped

# All else is imported where an interrupt is one line, not a traceback.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import Namespace
    from typing import TextIO

    from spikewright.cli.base import Outcome, Parser

DESCRIPTION = """\
Sparse spiking neural networks, from PyTorch to verified hardware.

A checkpoint becomes an integer network, the integer network Verilog, and the
Verilog a bitstream. Each step leaves files and can be run alone."""

EPILOG = """\
exit status: 0 done, 1 the check failed, 2 bad input.
Start with `spikewright demo`; `spikewright COMMAND --help` tells more."""


def build_parser() -> Parser:
    """Parser of all commands. Imports nothing heavy."""
    import argparse

    from spikewright.cli.base import Parser
    from spikewright.cli.commands import COMMANDS

    parser = Parser(
        prog="spikewright",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("-V", "--version", action="version", version=f"spikewright {__version__}")
    subparsers = parser.add_subparsers(title="commands", metavar="COMMAND", dest="command", required=True)
    parser.set_defaults(all_commands=parser)
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


def _print(text: str) -> int:
    """Print a result; the exit status if standard output does not take it."""
    try:
        print(text, end="\n" if text else "", flush=True)
    except OSError as error:
        return _lost(error)
    return 0


def _lost(error: OSError) -> int:
    """Give up standard output, which did not take something; the exit status."""
    from spikewright.support.streams import abandon_stdout

    abandon_stdout()
    if isinstance(error, BrokenPipeError):  # The reader is gone, and knows it.
        return 128 + signal.SIGPIPE
    _complain("error", f"standard output: {error.strerror}")
    return 2


def _complain(kind: str, *messages: object) -> None:
    from spikewright.support.colour import paint

    shown = paint(kind, "red" if kind in ("error", "failed") else "yellow", sys.stderr)
    print(": ".join(["spikewright", shown, *(" ".join(str(m).split()) for m in messages)]), file=sys.stderr, flush=True)


def _text(outcome: Outcome, args: Namespace) -> str:
    import json

    if outcome.silent:
        return ""
    return json.dumps(outcome.document(args.schema), allow_nan=False) if args.json else outcome.table(sys.stdout)


def _run(argv: Sequence[str] | None, running: list[Namespace]) -> int:
    from spikewright.contract.errors import CheckFailed, InputError
    from spikewright.support.streams import prepare

    prepare()
    argv = sys.argv[1:] if argv is None else argv
    try:
        args = build_parser().parse_args(argv or ["--help"])
    except Stopped:
        raise
    except OSError as error:  # Of standard output: some versions of Python let it pass where they print help.
        return _lost(error)
    except SystemExit as leave:  # After --help, --version or an error that is already printed.
        return _print("") or int(leave.code or 0)
    running.append(args)
    try:
        with _stdout_to_stderr():
            outcome: Outcome = args.run(args)
        status = _print(_text(outcome, args))
        if outcome.lacking is not None:
            raise InputError(outcome.lacking)
        if outcome.failed is not None:
            raise CheckFailed(outcome.failed)
    except InputError as error:
        _complain("error", error)
        return 2
    except CheckFailed as error:
        _complain("failed", error)
        return 1
    except OSError as error:
        if error.errno is None:
            raise
        _complain("error", f"{error.filename}: {error.strerror}" if error.filename else error.strerror)
        return 2
    return status


def _stopped(kind: str, running: list[Namespace]) -> None:
    """Say what was stopped and, where it is so, that nothing is lost."""
    names = [args.command for args in running]
    _complain(kind, *names, *(args.continues for args in running if args.continues))


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
    running: list[Namespace] = []
    try:
        with Interruptible(sys._getframe()):  # noqa: SLF001 - Python's only way to its frames
            try:
                return _run(argv, running)
            except KeyboardInterrupt:
                _stopped("interrupted", running)
                return 128 + signal.SIGINT
            except Stopped as stopped:
                _stopped("terminated", running)
                return int(stopped.code or 0)
    finally:
        if argv is None and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # what is left is the end of the process: no traceback of that
