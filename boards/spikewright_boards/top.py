"""Top levels: a core, a serial line and lights on a board."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from amaranth.hdl import Cat, ClockDomain, ClockSignal, Elaboratable, Instance, Module, Signal
from amaranth.lib import io
from amaranth.lib.cdc import ResetSynchronizer
from amaranth_boards.icebreaker import ICEBreakerPlatform
from amaranth_boards.ulx3s import ULX3S_85F_Platform

from .bridge import UartBridge
from .pll import PllSettings, pll_settings
from .protocol import StreamFormat
from .uart import baud_divisor

BAUD = 1_000_000


@dataclass(frozen=True)
class Clock:
    """Clock of a core on a board, see `Board.clock`.

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


@dataclass(frozen=True)
class Board:
    """A supported board.

    Parameters
    ----------
    name : str
        As given on the command line.
    family : "ecp5" or "ice40"
    oscillator_mhz : float
    clock_mhz : float
        Default clock of the core. Without a PLL, the oscillator's.
    pll : bool
    queue_depth : int
        Input beats that wait for the core; they fill one block RAM.
    """

    name: str
    family: str
    oscillator_mhz: float
    clock_mhz: float
    pll: bool
    queue_depth: int

    def platform(self) -> Any:
        """A new Amaranth platform."""
        if self.family == "ecp5":
            return ULX3S_85F_Platform()
        platform = ICEBreakerPlatform()
        platform.add_resources(platform.break_off_pmod)
        return platform

    def clock(self, wanted_mhz: float | None = None) -> Clock:
        """The clock of the core: `clock_mhz`, or another one as close as the board can make it.

        Raises
        ------
        ValueError
            If the board cannot make that clock, or the clock no `BAUD`.
        """
        mhz = self.clock_mhz if wanted_mhz is None else wanted_mhz
        pll = pll_settings(self.oscillator_mhz, mhz) if self.pll else None
        if pll is not None:
            mhz = pll.output_mhz
        elif mhz != self.oscillator_mhz:
            raise ValueError(
                f"the clock of {self.name} must be its oscillator's {self.oscillator_mhz:g} MHz, not {mhz:g} MHz"
            )
        return Clock(mhz=mhz, pll=pll, divisor=baud_divisor(mhz * 1e6, BAUD))


BOARDS = {
    board.name: board
    for board in (
        Board("ulx3s-85f", "ecp5", oscillator_mhz=25, clock_mhz=80, pll=True, queue_depth=1024),
        Board("icebreaker", "ice40", oscillator_mhz=12, clock_mhz=12, pll=False, queue_depth=256),
    )
}


class BoardTop(Elaboratable):
    """`spikewright_core` behind a `UartBridge`, at 1 Mbaud.

    ULX3S: LEDs 0 .. 6 show the class of the last sample, LED 7 that something was lost or out of range. iCEBreaker: the
    five LEDs of the break-off part show the class; on the board, the red LED shows an error, the green one readiness.
    Where the core is loaded at run time, LED 6 or the green one shows that it is, and a refused image is an error.

    Parameters
    ----------
    board : Board
    format : StreamFormat
    clock : Clock
        By `Board.clock`.
    """

    def __init__(self, board: Board, format: StreamFormat, clock: Clock) -> None:
        self._board = board
        self._format = format
        self._clock = clock

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        if self._clock.pll is not None:
            self._clock_from_pll(m, platform, self._clock.pll)
        m.submodules.bridge = bridge = UartBridge(
            self._format, divisor=self._clock.divisor, depth=self._board.queue_depth
        )
        serial = platform.request("uart", 0, dir="-")
        m.submodules.rx = rx = io.Buffer("i", serial.rx)
        m.submodules.tx = tx = io.Buffer("o", serial.tx)
        m.d.comb += [bridge.rx.eq(rx.i), tx.o.eq(bridge.tx)]
        events, results = bridge.events, bridge.results
        error = Signal()
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
            "spikewright_core",
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
        if self._board.family == "ecp5":
            lights = [self._light(m, platform, "led", k) for k in range(8)]
            shown = 6 if load else 7
            m.d.comb += [Cat(lights[:shown]).eq(bridge.label), lights[7].eq(error)]
            if load:
                m.d.comb += lights[6].eq(ready)
        else:
            m.d.comb += [
                Cat(self._light(m, platform, "led", k) for k in range(2, 7)).eq(bridge.label),
                self._light(m, platform, "led_r", 0).eq(error),
                self._light(m, platform, "led_g", 0).eq(ready),
            ]
        return m

    def _light(self, m: Module, platform: Any, name: str, number: int) -> Any:
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
