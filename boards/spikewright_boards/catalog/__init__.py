"""The boards, a module each, whose `BOARD` describes it; every module that lies in this package's path is found.

A board `some-board` is `some_board.py`. Nothing heavy is imported before a board's platform is made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from spikewright.contract import found
from spikewright.contract.devices import Board, Flow

Light = tuple[str, int]
"""Name and number of a resource of the platform."""


@dataclass(frozen=True, kw_only=True)
class Lights:
    """What shows the state of a core.

    Parameters
    ----------
    label : tuple of Light
        Bits of the class of the last sample.
    error : Light, optional
        That something was lost, out of range or refused.
    ready : Light, optional
        That the core is out of reset or, where it is loaded at run time, that it is loaded. One of `label` shows this
        only where the core is loaded at run time, and its bit of the class otherwise.
    """

    label: tuple[Light, ...] = ()
    error: Light | None = None
    ready: Light | None = None


@dataclass(frozen=True, kw_only=True)
class FullBoard(Board):
    """A board with all that synthesis needs.

    Parameters
    ----------
    oscillator_mhz : float
    pll : bool
        The clock of the core is made by a PLL (ECP5), otherwise it is the oscillator's.
    nextpnr_options : tuple of str
        That name the package and the speed grade.
    platform : callable
        Gives a new Amaranth platform, with a resource `uart` and those of the lights; imports what it takes.
    lights : Lights
    program : tuple of str
        Command that sends the file `{bitstream}` to the board, its tool first.
    serial : str
        Where the board's serial line is, in words.
    """

    oscillator_mhz: float
    pll: bool = False
    nextpnr_options: tuple[str, ...]
    platform: Callable[[], Any]
    lights: Lights = Lights()
    program: tuple[str, ...] = ("openFPGALoader", "{bitstream}")
    serial: str = "USB"

    def __post_init__(self) -> None:
        if self.pll and self.device.family != "ecp5":
            raise ValueError(f"pll of {self.name} must be False on {self.device.family}: only that of ECP5 is known")
        if not self.pll and self.clock_mhz != self.oscillator_mhz:
            raise ValueError(
                f"clock_mhz of {self.name} must be its oscillator's {self.oscillator_mhz:g}, not {self.clock_mhz:g}"
            )
        if self.family.flow is None:
            raise ValueError(f"device of {self.name} must be of a family with a flow, not of {self.device.family}")

    @property
    def flow(self) -> Flow:
        """The synthesis flow of the device's family."""
        assert self.family.flow is not None
        return self.family.flow


def names() -> tuple[str, ...]:
    """The names of all boards; none of their modules is imported."""
    return tuple(name.replace("_", "-") for name in found.names(__name__))


def find(name: str) -> FullBoard:
    """The board of a name.

    Raises
    ------
    InputError
        If there is none.
    """
    board: FullBoard = found.find(__name__, "board", name)
    return board
