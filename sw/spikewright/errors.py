"""Errors whose message is meant for the user of the command line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NoReturn


class InputError(ValueError):
    """Bad input: one line that names the thing, the constraint and the value. The command line exits with 2."""


class CheckFailed(Exception):
    """The command ran, and what it checked does not hold. The command line exits with 1."""


def exit_with(main: Callable[[], int]) -> NoReturn:
    """End the process with the status of a module's `main`; with 2, and one line on standard error, on bad input."""
    from spikewright.streams import prepare

    prepare()
    try:
        sys.exit(main())
    except InputError as error:
        print(f"spikewright: error: {error}", file=sys.stderr)
        sys.exit(2)
