"""Progress on standard error, so that standard output stays free for results."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from spikewright.support.colour import coloured, paint


def say(message: str) -> None:
    """One line on standard error."""
    print(message, file=sys.stderr, flush=True)


def warn(message: str) -> None:
    """One line on standard error about something that is probably not meant."""
    say(f"spikewright: {paint('warning', 'yellow', sys.stderr)}: {message}")


def duration(seconds: float) -> str:
    """A time in words, to the unit that matters: `40 s`, `12 min`, `3 h 20 min`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60:02d} min"


@contextmanager
def step(message: str, *, quiet_for: float = 2.0) -> Iterator[None]:
    """Announce the work of the block, and its time when it is done.

    A step that ends (or fails) within `quiet_for` seconds stays silent; 0 announces every step at once.
    """
    begin = time.monotonic()
    shown = threading.Event()

    def announce() -> None:
        shown.set()
        say(f"{message} ...")

    timer = threading.Timer(quiet_for, announce)
    timer.daemon = True
    if quiet_for > 0:
        timer.start()
    else:
        announce()
    try:
        yield
    finally:
        timer.cancel()
    if shown.is_set():
        say(f"{message}: done in {time.monotonic() - begin:.1f} s")


def bar(*things: Any, show: bool = True, **settings: Any) -> Any:
    """A bar of `tqdm`, in a terminal: a file or a pipe would get a line for every move of it.

    Parameters
    ----------
    things, settings
        Passed on to `tqdm`.
    show : bool
        False for none at all.
    """
    from tqdm import tqdm

    colour = "green" if show and coloured(sys.stderr) else None
    return tqdm(*things, file=sys.stderr, leave=False, disable=None if show else True, colour=colour, **settings)
