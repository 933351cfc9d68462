"""Top levels: a core, a serial line and lights on a board."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Cat, ClockDomain, ClockSignal, Elaboratable, Instance, Module, Signal
from amaranth.lib import io
from amaranth.lib.cdc import ResetSynchronizer

from spikewright.contract.names import CORE_NAME
from spikewright.contract.stream import StreamFormat
from spikewright_boards.catalog import FullBoard, Light
from spikewright_boards.link.bridge import UartBridge
from spikewright_boards.link.uart import baud_divisor

from .pll import PllSettings, pll_settings

TOP = "top"
"""Name of the top level's module, and of the files that are made of it."""
BAUD = 1_000_000


@dataclass(frozen=True)
class Clock:
    """Clock of a core on a board, see `clock_of`.

    Parameters
    ----------
    mhz : float
    pll : PllSettings, optional
        What makes it, if not the oscillator does.
    divisor : int
        Cycles per bit of the serial line.
    """

    mhz: float
    pll: PllSettings | None
    divisor: int


def clock_of(board: FullBoard, wanted_mhz: float | None = None) -> Clock:
    """The clock of a core on a board: `clock_mhz`, or another one as close as the board can make it.

    Raises
    ------
    ValueError
        If the board cannot make that clock, or the clock no `BAUD`.
    """
    mhz = board.clock_mhz if wanted_mhz is None else wanted_mhz
    pll = pll_settings(board.oscillator_mhz, mhz) if board.pll else None
    if pll is not None:
        mhz = pll.output_mhz
    elif mhz != board.oscillator_mhz:
        raise ValueError(
            f"the clock of {board.name} must be its oscillator's {board.oscillator_mhz:g} MHz, not {mhz:g} MHz"
        )
    return Clock(mhz=mhz, pll=pll, divisor=baud_divisor(mhz * 1e6, BAUD))


class BoardTop(Elaboratable):
    """A core behind a `UartBridge`, at 1 Mbaud.

    The lights of the board show the class of the last sample, that something was lost or out of range, and readiness.
    Where the core is loaded at run time, readiness is that it is loaded, and a refused image is an error.

    Parameters
    ----------
    board : FullBoard
    format : StreamFormat
    clock : Clock
        By `clock_of`.
    core : str
        Name of the core's module.
    fingerprint : int
        What the board answers to the question which core it has, see `link.protocol`.
    """

    def __init__(
        self, board: FullBoard, format: StreamFormat, clock: Clock, core: str = CORE_NAME, *, fingerprint: int = 0
    ) -> None:
        self._core = core
        self._fingerprint = fingerprint
        self._board = board
        self._format = format
        self._clock = clock

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if self._clock.pll is not None:
            self._clock_from_pll(m, platform, self._clock.pll)
        m.submodules.bridge = bridge = UartBridge(
            self._format,
            divisor=self._clock.divisor,
            depth=self._board.queue_depth,
            fingerprint=self._fingerprint,
        )
        serial = platform.request("uart", 0, dir="-")
        m.submodules.rx = rx = io.Buffer("i", serial.rx)
        m.submodules.tx = tx = io.Buffer("o", serial.tx)
        m.d.comb += [bridge.rx.eq(rx.i), tx.o.eq(bridge.tx)]
        events, results = bridge.events, bridge.results
        # The light is far away from all that is reset.
        error = Signal(reset_less=True)
        ready = ~bridge.core_reset
        failed = bridge.flags.any() | bridge.out_of_range
        load: dict[str, Any] = {}
        if self._format.loadable:
            image = bridge.image
            load = {
                "i_s_load_tdata": image.payload.data,
                "i_s_load_tlast": image.payload.last,
                "i_s_load_tvalid": image.valid,
                "o_s_load_tready": image.ready,
                "o_loaded": bridge.loaded,
                "o_load_error": bridge.load_error,
            }
            ready = bridge.loaded
            failed = failed | bridge.load_error
        m.submodules.core = Instance(
            self._core,
            i_clk=ClockSignal(),
            i_rst=bridge.core_reset,
            i_s_axis_tdata=events.payload.data,
            i_s_axis_tlast=events.payload.last,
            i_s_axis_tvalid=events.valid,
            o_s_axis_tready=events.ready,
            o_m_axis_tdata=results.payload.data,
            o_m_axis_tlast=results.payload.last,
            o_m_axis_tvalid=results.valid,
            i_m_axis_tready=results.ready,
            **load,
        )
        m.d.sync += error.eq(failed)
        shown = self._board.lights
        # A light that is one of the class as well tells of a loaded core alone.
        ready_light = shown.ready if load or shown.ready not in shown.label else None
        named = dict.fromkeys((*shown.label, *filter(None, (shown.error, ready_light))))
        lights = {light: self._light(m, platform, light) for light in named}
        if label := [lights[light] for light in shown.label if light != ready_light]:
            m.d.comb += Cat(label).eq(bridge.label)
        if shown.error is not None:
            m.d.comb += lights[shown.error].eq(error)
        if ready_light is not None:
            m.d.comb += lights[ready_light].eq(ready)
        return m

    def _light(self, m: Module, platform: Any, light: Light) -> Any:
        name, number = light
        m.submodules[f"{name}{number}"] = pin = io.Buffer("o", platform.request(name, number, dir="-"))
        return pin.o

    def _clock_from_pll(self, m: Module, platform: Any, pll: PllSettings) -> None:
        clock = Signal()  # Assigned one by one: the constraint below names the signal.
        locked = Signal()
        m.domains.sync = ClockDomain()
        m.submodules.oscillator = oscillator = io.Buffer("i", platform.request(platform.default_clk, dir="-"))
        m.submodules.pll = pll.instance(oscillator.i, clock, locked)
        m.submodules.reset = ResetSynchronizer(~locked, domain="sync")
        m.d.comb += ClockSignal().eq(clock)
        platform.add_clock_constraint(clock, pll.output_mhz * 1e6)
