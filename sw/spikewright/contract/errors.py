"""Errors whose message is meant for the user of the command line."""

from __future__ import annotations


class InputError(ValueError):
    """Bad input: one line that names the thing, the constraint and the value. The command line exits with 2."""


class ToolTrouble(InputError):
    """A tool that was started did not do its work, for no fault of what it was given: no verdict on anything."""


class CheckFailed(Exception):
    """The command ran, and what it checked does not hold. The command line exits with 1."""
