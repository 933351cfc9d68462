"""Standard streams that may be closed, full, or of an encoding that lacks characters: the work goes on all the same."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from spikewright.contract.errors import InputError
from spikewright.support.colour import paint


class _Forgiving(io.TextIOWrapper):
    """A text stream whose lost output nobody minds."""

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError:
            return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            super().flush()


def prepare() -> None:
    """Make the standard streams of the process fit for use; those that somebody has replaced are left alone.

    A closed stream becomes the null device, so that no file that is opened later gets its number. Characters that a
    stream's encoding lacks are written as escapes. What standard error does not take is lost; what standard output
    does not take is an error, as it is the result.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # gets the lowest number, this one
    if sys.stdin is None:
        sys.stdin = open(0, closefd=False)  # noqa: SIM115 - for as long as the process lives
    if sys.stdout is None:
        sys.stdout = open(1, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    if sys.stdout is sys.__stdout__ and isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    elif sys.stderr is sys.__stderr__ and isinstance(sys.stderr, io.TextIOWrapper):
        buffer, encoding = sys.stderr.buffer, sys.stderr.encoding
        sys.stderr = _Forgiving(buffer, encoding, "backslashreplace", line_buffering=True)


def abandon_stdout() -> None:
    """Lose what standard output has not taken; else Python would try once more, and complain, when it ends."""
    with suppress(OSError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.close(null)


def exit_with(main: Callable[[], int]) -> NoReturn:
    """End the process with the status of a module's `main`; with 2, and one line on standard error, on bad input."""
    prepare()
    try:
        sys.exit(main())
    except InputError as error:
        print(f"spikewright: {paint('error', 'red', sys.stderr)}: {error}", file=sys.stderr)
        sys.exit(2)
