"""Signals that end a command, as exceptions: so that half-written outputs are removed on the way out."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType, TracebackType

_RETRY_SECONDS = 0.02
_uninterrupted = 0
"""How many blocks are not to be interrupted."""


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Within this block, which must be short, a signal that ends the command waits; for what is whole or not there."""
    global _uninterrupted  # noqa: PLW0603 - signals are of the process
    _uninterrupted += 1
    try:
        yield
    finally:
        _uninterrupted -= 1


class Stopped(SystemExit):
    """The process was told to end (SIGTERM, SIGHUP); its exit status is 128 and the number of the signal."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)


class Interruptible:
    """Within the block, SIGINT raises KeyboardInterrupt and SIGTERM and SIGHUP raise `Stopped`, but never in an import.

    Extension modules that are interrupted while they are set up end in errors of all kinds, or crash. A signal waits
    until no import is going on, and no block that is `uninterrupted`. Signals that the process ignores, or handles in
    a way of its own, are left alone.

    Parameters
    ----------
    base : frame
        Frame of the function that does the work: imports that led there do not count.
    """

    def __init__(self, base: FrameType) -> None:
        self._base = base
        self._waiting = 0
        self._previous: dict[int, object] = {}

    def __enter__(self) -> Interruptible:
        for number, usual in (
            (signal.SIGINT, signal.default_int_handler),
            (signal.SIGTERM, signal.SIG_DFL),
            (signal.SIGHUP, signal.SIG_DFL),
            (signal.SIGALRM, signal.SIG_DFL),
        ):
            if signal.getsignal(number) == usual:
                self._previous[number] = usual
                signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._waiting:
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def _handle(self, number: int, frame: FrameType | None) -> None:
        number = self._waiting if number == signal.SIGALRM else number
        if signal.SIGALRM in self._previous and (_uninterrupted or self._importing(frame)):
            self._waiting = number
            signal.setitimer(signal.ITIMER_REAL, _RETRY_SECONDS)
            return
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        if number:
            raise Stopped(number)

    def _importing(self, frame: FrameType | None) -> bool:
        while frame is not None and frame is not self._base:
            if frame.f_code.co_filename.startswith("<frozen importlib"):
                return True
            frame = frame.f_back
        return False
