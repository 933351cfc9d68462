"""Errors whose message is meant for the user of the command line."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

_LONGEST_NAME = 60
_NEAR = 0.7


class InputError(ValueError):
    """Bad input: one line that names the thing, the constraint and the value. The command line exits with 2."""


class ToolTrouble(InputError):
    """A tool that was started did not do its work, for no fault of what it was given: no verdict on anything."""


class CheckFailed(Exception):
    """The command ran, and what it checked does not hold. The command line exits with 1."""


@contextmanager
def errors_in(place: object) -> Iterator[None]:
    """Where an `InputError` is raised within, name the place in front of its message: a file, or a part of one."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{place}: {error}") from None


def suggestion(given: object, known: Iterable[str]) -> str:
    """`; did you mean NAME?`, to end a message with: the known name that is nearest to a given one, empty if none is.

    Case and leading dashes do not count; a number is near to nothing, and neither is what is no text or a long one.
    """
    if not isinstance(given, str) or given.isdecimal() or len(given) > _LONGEST_NAME:
        return ""
    from difflib import get_close_matches  # takes its time, and is for errors only

    names = {name.lower().lstrip("-"): name for name in known}
    near = get_close_matches(given.lower().lstrip("-"), names, n=1, cutoff=_NEAR)
    return f"; did you mean {names[near[0]]}?" if near else ""
