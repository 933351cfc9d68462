"""Asynchronous serial lines, 8 data bits, no parity, one stop bit."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.wiring import Component, In, Out

SMALLEST_DIVISOR = 8


def baud_divisor(clock_hz: float, baud: int) -> int:
    """Clock cycles per bit.

    Raises
    ------
    ValueError
        If a bit is shorter than 8 cycles, or rounding moves the baud rate by more than 1 %, which would spend the
        tolerance that belongs to the other end of the line.
    """
    divisor = round(clock_hz / baud)
    if divisor < SMALLEST_DIVISOR:
        raise ValueError(f"baud must be at most {int(clock_hz) // SMALLEST_DIVISOR} at {clock_hz:g} Hz, not {baud}")
    error = abs(clock_hz / divisor / baud - 1)
    if error > 0.01:
        raise ValueError(f"baud must divide {clock_hz:g} Hz within 1 %, not {baud} (off by {100 * error:.1f} %)")
    return divisor


def _check_divisor(divisor: int) -> None:
    if not isinstance(divisor, int):
        raise TypeError(f"divisor must be an integer, not {divisor!r}")
    if divisor < SMALLEST_DIVISOR:
        raise ValueError(f"divisor must be at least {SMALLEST_DIVISOR}, not {divisor}")


class UartReceiver(Component):
    """Bytes from a serial line.

    A start bit is confirmed in its middle, and every further bit is sampled `divisor` cycles later. A byte leaves in
    the middle of its stop bit: 9.5 bits and 2 to 3 cycles after the falling edge of `rx`. The next start bit may follow
    at once. The sender's rate may differ by 4 %: the last sample lies 9.5 bits after the edge, and may drift by almost
    half a bit.

    A byte whose stop bit is low is dropped and reported; the receiver then waits until the line is high again. If its
    data was low too, the line is held low: a *break*, which lasts until the line is high.

    Parameters
    ----------
    divisor : int
        Clock cycles per bit, at least 8.

    Members
    -------
    rx : In(1)
        The line, asynchronous to the clock, high when idle.
    o : Out(stream of 8 bits, always ready)
        One byte; valid for one cycle.
    framing_error : Out(1)
        High for one cycle: a byte had no stop bit, and the line is not in a break.
    line_break : Out(1)
        High from the middle of the missing stop bit to the end of the break.

    Raises
    ------
    TypeError, ValueError
        If `divisor` is not an integer of at least 8.
    """

    def __init__(self, divisor: int) -> None:
        _check_divisor(divisor)
        self._divisor = divisor
        super().__init__(
            {
                "rx": In(1, init=1),
                "o": Out(stream.Signature(8, always_ready=True)),
                "framing_error": Out(1),
                "line_break": Out(1),
            }
        )

    @property
    def divisor(self) -> int:
        return self._divisor

    def elaborate(self, platform: object) -> Module:
        m = Module()
        rx = Signal(init=1)
        m.submodules.synchronizer = FFSynchronizer(self.rx, rx, init=1)
        timer = Signal(range(self._divisor))
        left = Signal(range(9))
        bits = Signal(8)
        m.d.comb += self.o.payload.eq(bits)
        m.d.sync += [self.o.valid.eq(0), self.framing_error.eq(0), timer.eq(timer - 1)]
        with m.FSM():
            with m.State("idle"):
                m.d.sync += timer.eq(self._divisor // 2 - 1)
                with m.If(~rx):
                    m.next = "start"
            with m.State("start"), m.If(timer == 0):
                m.d.sync += [timer.eq(self._divisor - 1), left.eq(8)]
                m.next = "data"
                with m.If(rx):
                    m.next = "idle"
            with m.State("data"), m.If(timer == 0):
                m.d.sync += [timer.eq(self._divisor - 1), left.eq(left - 1), bits.eq(Cat(bits[1:], rx))]
                with m.If(left == 1):
                    m.next = "stop"
            with m.State("stop"), m.If(timer == 0):
                m.next = "idle"
                m.d.sync += self.o.valid.eq(rx)
                with m.If(~rx):
                    m.d.sync += [self.framing_error.eq(bits != 0), self.line_break.eq(bits == 0)]
                    m.next = "wait"
            with m.State("wait"), m.If(rx):
                m.d.sync += self.line_break.eq(0)
                m.next = "idle"
        return m


class UartTransmitter(Component):
    """Bytes to a serial line.

    The start bit begins one cycle after a byte is taken. Back to back, a byte is taken every `10 * divisor` cycles.

    Parameters
    ----------
    divisor : int
        Clock cycles per bit, at least 8.

    Members
    -------
    i : In(stream of 8 bits)
        Bytes to send.
    tx : Out(1)
        The line, high when idle.

    Raises
    ------
    TypeError, ValueError
        If `divisor` is not an integer of at least 8.
    """

    def __init__(self, divisor: int) -> None:
        _check_divisor(divisor)
        self._divisor = divisor
        super().__init__({"i": In(stream.Signature(8)), "tx": Out(1, init=1)})

    @property
    def divisor(self) -> int:
        return self._divisor

    def elaborate(self, platform: object) -> Module:
        m = Module()
        timer = Signal(range(self._divisor))
        left = Signal(range(11))
        bits = Signal(9, init=-1)
        m.d.comb += self.i.ready.eq((left == 0) | ((left == 1) & (timer == 0)))
        with m.If(timer != 0):
            m.d.sync += timer.eq(timer - 1)
        with m.Elif(left != 0):
            m.d.sync += [timer.eq(self._divisor - 1), left.eq(left - 1), Cat(self.tx, bits).eq(Cat(bits, 1))]
        with m.If(self.i.valid & self.i.ready):
            m.d.sync += [
                timer.eq(self._divisor - 1),
                left.eq(10),
                self.tx.eq(0),
                bits.eq(Cat(self.i.payload, 1)),
            ]
        return m
