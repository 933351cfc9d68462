"""Colour, in a terminal of people who want it: never in a file or a pipe."""

from __future__ import annotations

import os
from typing import TextIO

_CODES = {"bold": 1, "red": 31, "green": 32, "yellow": 33}


def coloured(stream: TextIO) -> bool:
    """Whether a stream is a terminal that shows colours, and the user does not forbid them (https://no-color.org)."""
    return not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb" and stream.isatty()


def paint(text: str, colour: str, stream: TextIO) -> str:
    """Text as it is written to a stream: bold, red, green or yellow where there are colours."""
    return f"\x1b[{_CODES[colour]}m{text}\x1b[0m" if coloured(stream) else text
