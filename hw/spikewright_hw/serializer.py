"""From rows of bits to a stream of positions."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Array, Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikewright.contract.integers import unsigned_bits

from .layouts import bit_row, event, fired, position_bits
from .queue import Queue
from .ram import RamQueue


def lowest(m: Any, bits: Any, *, name: str) -> Any:
    """Position of the lowest set bit."""
    position = Signal(unsigned_bits(len(bits) - 1), name=name)
    for bit in reversed(range(len(bits))):
        with m.If(bits[bit]):
            m.d.comb += position.eq(bit)
    return position


def give_spikes(row: Any, spikes: Any, bits: int) -> list[Any]:
    """Statements that give the row of a `BitSerializer` the numbers of spikes of all lanes, of so many bits each."""
    if bits == 1:
        return [row.bits.eq(spikes)]
    lanes = len(spikes) // bits
    return [row.bits.eq(fired([spikes.word_select(lane, bits) for lane in range(lanes)])), row.values.eq(spikes)]


class BitSerializer(wiring.Component):
    """Sends the positions of the set bits of the rows it was given, lowest first, then the mark.

    ::

        m.submodules.serializer = serializer = BitSerializer(rows=4, width=8, depth=5)
        m.d.comb += [
            serializer.rows.valid.eq(bits.any()),  # row 1 with bits 0b101 gives axons 8 and 10
            serializer.rows.payload.index.eq(row),
            serializer.rows.payload.bits.eq(bits),
        ]
        wiring.connect(m, serializer.o, sink.i)

    One position a cycle, rows without a gap once they are in the queue. A row is offered four cycles after it was
    pushed, five if it has more than `GROUP` bits: these are first cut into groups, the empty ones left out, so that no
    priority encoder is wide.

    Parameters
    ----------
    rows : int
        Rows of the matrix.
    width : int
        Bits of a row, a power of two.
    depth : int
        Rows and marks in its memory at most: whoever sends them sees to that.
    value_bits : int
        Of the value that every bit stands for; without values if 1.

    Members
    -------
    rows : In(stream.Signature(bit_row(rows, width, value_bits), always_ready=True))
        At least one bit set, or a mark.
    o : Out(stream.Signature(event(...)))
        `axon` is row * width + bit.
    level : Out(range(depth + 1))
        Rows and marks in its memory; changes in the cycle after a row was taken.
    """

    GROUP = 8

    def __init__(self, *, rows: int, width: int, depth: int, value_bits: int = 1) -> None:
        self._row = bit_row(rows, width, value_bits)
        self._depth = depth
        self._width = width
        self._value_bits = value_bits
        self._event = event(1 << position_bits(rows, width), value_bits)
        super().__init__(
            {
                "rows": In(stream.Signature(self._row, always_ready=True)),
                "o": Out(stream.Signature(self._event)),
                "level": Out(range(depth + 1)),
            }
        )

    @property
    def _valued(self) -> bool:
        return self._value_bits > 1

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.queue = queue = RamQueue(self._row, depth=self._depth)
        wiring.connect(m, wiring.flipped(self.rows), queue.i)
        m.d.comb += self.level.eq(queue.level)
        width = min(self._width, self.GROUP)
        source = self._groups(m, queue.o) if self._width > width else queue.o

        full = Signal()
        current = Signal(source.payload.shape())
        bits = Signal(width)
        rest = Signal(width)
        m.submodules.out = out = Queue(self._event, depth=2)
        position = lowest(m, bits, name="position")
        m.d.comb += [
            rest.eq(bits & (bits - 1)),
            source.ready.eq(~full | (out.i.ready & (rest == 0))),
            out.i.valid.eq(full),
            out.i.payload.axon.eq(Cat(position[: (width - 1).bit_length()], current.index)),
            out.i.payload.value.eq(current.values.word_select(position, self._value_bits) if self._valued else 1),
            out.i.payload.mark.eq(current.mark),
            out.i.payload.last.eq(current.last),
            out.i.payload.error.eq(current.error),
        ]
        with m.If(source.ready):
            m.d.sync += [
                full.eq(source.valid),
                current.eq(source.payload),
                bits.eq(Mux(source.payload.mark, 0, source.payload.bits)),  # a mark is one beat
            ]
        with m.Elif(out.i.ready):
            m.d.sync += bits.eq(rest)
        wiring.connect(m, out.o, wiring.flipped(self.o))
        return m

    def _groups(self, m: Any, rows: Any) -> Any:
        """The groups of a row that have a bit set, one a cycle; a mark is one group."""
        groups = self._width // self.GROUP
        index_bits = len(rows.payload.index)
        rows_of_groups = 1 << (index_bits + (groups - 1).bit_length())
        o = stream.Signature(bit_row(rows_of_groups, self.GROUP, self._value_bits)).create()
        full = Signal()
        current = Signal(self._row)
        some = Signal(groups)  # groups that are still to come
        rest = Signal(groups)
        group = lowest(m, some, name="group")
        m.d.comb += [
            rest.eq(some & (some - 1)),
            rows.ready.eq(~full | (o.ready & (rest == 0))),
            o.valid.eq(full),
            o.payload.index.eq(Cat(group, current.index)),
            o.payload.bits.eq(Array(current.bits.word_select(k, self.GROUP) for k in range(groups))[group]),
            *([o.payload.values.eq(current.values.word_select(group, len(o.payload.values)))] if self._valued else []),
            o.payload.mark.eq(current.mark),
            o.payload.last.eq(current.last),
            o.payload.error.eq(current.error),
        ]
        with m.If(rows.ready):
            m.d.sync += [
                full.eq(rows.valid),
                current.eq(rows.payload),
                some.eq(
                    Mux(
                        rows.payload.mark,
                        0,
                        Cat(rows.payload.bits.word_select(k, self.GROUP).any() for k in range(groups)),
                    )
                ),
            ]
        with m.Elif(o.ready):
            m.d.sync += some.eq(rest)
        return o
