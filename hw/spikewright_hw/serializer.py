"""From rows of bits to a stream of positions."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikewright.spec import unsigned_bits

from .layouts import bit_row, event, position_bits
from .ram import RamQueue


class BitSerializer(wiring.Component):
    """Sends the positions of the set bits of the rows it was given, lowest first, then the mark.

    Holds all rows of a step, so that whoever finds the `empty` serializer may push a step without waiting: `rows` is
    always ready then. A row is offered three cycles after it was pushed; one position a cycle, rows without a gap
    once they are in the queue.

    Parameters
    ----------
    rows : int
        Rows of the matrix.
    width : int
        Bits of a row, a power of two.

    Members
    -------
    rows : In(stream.Signature(bit_row(rows, width)))
        At least one bit set, or a mark.
    o : Out(stream.Signature(event(...)))
        `axon` is row * width + bit.
    empty : Out(1)
        No row waits behind the one that is being sent.
    """

    def __init__(self, *, rows: int, width: int) -> None:
        self._row = bit_row(rows, width)
        self._depth = rows + 1
        self._width = width
        super().__init__(
            {
                "rows": In(stream.Signature(self._row)),
                "o": Out(stream.Signature(event(1 << position_bits(rows, width)))),
                "empty": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.queue = queue = RamQueue(self._row, depth=self._depth)
        wiring.connect(m, wiring.flipped(self.rows), queue.i)
        m.d.comb += self.empty.eq(queue.empty)
        full = Signal()
        current = Signal(self._row)
        bits = Signal(self._width)
        rest = Signal(self._width)
        position = Signal(unsigned_bits(self._width - 1))
        last_beat = Signal()
        m.d.comb += [rest.eq(bits & (bits - 1)), last_beat.eq(rest == 0)]
        for bit in reversed(range(self._width)):
            with m.If(bits[bit]):
                m.d.comb += position.eq(bit)
        m.d.comb += [
            queue.o.ready.eq(~full | (self.o.ready & last_beat)),
            self.o.valid.eq(full),
            self.o.payload.axon.eq(Cat(position[: (self._width - 1).bit_length()], current.index)),
            self.o.payload.value.eq(1),
            self.o.payload.mark.eq(current.mark),
            self.o.payload.last.eq(current.last),
            self.o.payload.error.eq(current.error),
        ]
        with m.If(queue.o.ready):
            m.d.sync += [
                full.eq(queue.o.valid),
                current.eq(queue.o.payload),
                bits.eq(Mux(queue.o.payload.mark, 0, queue.o.payload.bits)),  # a mark is one beat
            ]
        with m.Elif(self.o.ready):
            m.d.sync += bits.eq(rest)
        return m
