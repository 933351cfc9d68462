"""Serial ports of this machine, by pyserial, and what can be wrong with one in a line."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from spikewright.contract.errors import InputError, ToolTrouble

BREAK_SECONDS = 0.01


class PortGone(ToolTrouble):
    """The line went away while it was used: no verdict on the core."""


class SerialPort:
    """An open serial line, which no other program can have at the same time.

    Parameters
    ----------
    name : str
        Such as /dev/ttyUSB1.
    baud : int

    Raises
    ------
    InputError
        If there is no such line, it is another one's to use, or another program uses it.
    """

    def __init__(self, name: str, baud: int) -> None:
        serial = _pyserial()
        self.name = name
        self.baud = baud
        self._trouble: tuple[type[Exception], ...] = (OSError, serial.SerialException)
        try:
            self._serial = serial.Serial(name, baud, timeout=0, write_timeout=None, exclusive=True)
        except (OSError, ValueError, serial.SerialException) as error:
            raise _refused(name, error) from error

    def write(self, data: bytes) -> None:
        """Send all of it, as fast as the line takes it."""
        with self._used():
            self._serial.write(data)

    def read(self, seconds: float) -> bytes:
        """What has come, or comes first within so many seconds; nothing if nothing does."""
        with self._used():
            self._serial.timeout = seconds
            data: bytes = self._serial.read(1)
            self._serial.timeout = 0
            while data and (more := self._serial.read(4096)):
                data += more
        return data

    def send_break(self) -> None:
        """Hold the line low for longer than a byte takes, which starts bridge and core over; forget what came."""
        with self._used():
            self._serial.send_break(BREAK_SECONDS)
            time.sleep(BREAK_SECONDS)
            self._serial.reset_input_buffer()

    def overdue(self, seconds: float, patience: float) -> bool:
        """Whether an answer that has been waited for so many seconds will not come any more.

        Parameters
        ----------
        seconds : float
            Since the last byte came or was sent.
        patience : float
            How long an answer may take.
        """
        return seconds > patience

    def latency(self, measured: float) -> float:
        """Seconds from the end of the last byte sent to the answer, of which the host measured so many."""
        return measured

    def close(self) -> None:
        self._serial.close()

    @contextmanager
    def _used(self) -> Iterator[None]:
        try:
            yield
        except self._trouble as error:
            raise PortGone(f"the line {self.name} must stay connected, not go away: {error}") from error


def found_ports() -> list[str]:
    """Serial lines of this machine, with what each says it is."""
    _pyserial()
    from serial.tools.list_ports import comports

    return [f"{port.device} ({port.description})" for port in sorted(comports())]


def _pyserial() -> Any:
    try:
        import serial
    except ModuleNotFoundError:
        raise InputError("pyserial must be installed to talk to a board, not missing: pip install pyserial") from None
    return serial


def _refused(name: str, error: Exception) -> InputError:
    number = getattr(error, "errno", None)
    if number in (errno.EACCES, errno.EPERM):
        return InputError(f"port {name} must be yours to use, not refused: {_group(name)}")
    if number in (errno.EBUSY, errno.EWOULDBLOCK) or "exclusively lock" in str(error):
        return InputError(f"port {name} must be free, not in use by another program")
    if number in (errno.ENOENT, errno.ENODEV, errno.ENXIO):
        known = ", ".join(found_ports()) or "none"
        return InputError(f"port must be a serial line of this machine, not {name}; found: {known}")
    return InputError(f"port must be a serial line, not {name}: {error}")


def _group(name: str) -> str:
    try:
        import grp

        group = grp.getgrgid(Path(name).stat().st_gid).gr_name
    except (OSError, KeyError, ImportError):
        return "ask the administrator of this machine for access"
    user = os.environ.get("USER", "$USER")
    return f"it is for the group {group}: sudo usermod -aG {group} {user}, then log in again"
