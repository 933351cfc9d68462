"""The top level of a board without the board: its pins are ports, and the clock comes ready-made."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from amaranth.hdl import Module
from amaranth.lib import io
from amaranth.lib.wiring import Component, In, Out

from spikewright.contract.stream import StreamFormat
from spikewright_boards.catalog import FullBoard
from spikewright_boards.flow.top import BoardTop, clock_of


class Pins:
    """What `BoardTop` asks of a platform, made of ports that can be simulated."""

    def __init__(self) -> None:
        self.rx = io.SimulationPort("i", 1, name="serial_rx")
        self.tx = io.SimulationPort("o", 1, name="serial_tx")

    def request(self, name: str, number: int, *, dir: str) -> Any:
        if name == "uart":
            return SimpleNamespace(rx=self.rx, tx=self.tx)
        return io.SimulationPort("o", 1, name=f"{name}_{number}")


class EmulatedTop(Component):
    """`BoardTop` of a board, with ports for its serial line; the lights shine on nobody.

    Parameters
    ----------
    board : FullBoard
    format : StreamFormat
    core : str
        Name of the core's module.
    fingerprint : int

    Members
    -------
    rx : In(1)
    tx : Out(1)
    """

    def __init__(self, board: FullBoard, format: StreamFormat, core: str, *, fingerprint: int) -> None:
        self._board = board
        self._format = format
        self._core = core
        self._fingerprint = fingerprint
        super().__init__({"rx": In(1, init=1), "tx": Out(1, init=1)})

    def elaborate(self, platform: Pins) -> Module:
        m = Module()
        # What makes the clock on the board is a primitive; here it is there.
        clock = replace(clock_of(self._board), pll=None)
        m.submodules.board = BoardTop(self._board, self._format, clock, self._core, fingerprint=self._fingerprint)
        m.d.comb += [platform.rx.i.eq(self.rx), self.tx.eq(platform.tx.o)]
        return m
