"""Walks: the addresses of a run's synapses, one a cycle, and the rows of their neurons."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spikewright.contract.layout import LayerImage


class Walk(wiring.Component):
    """Gives the address of a synapse a cycle, and two cycles later the row of its neuron.

    The first address of a run is out in the cycle after `load`. Nothing is walked after the load of a mark. How the
    memories tell the rows is the `encoding` of the image; one of the subclasses is for each, see `make_walk`.

    Parameters
    ----------
    image : LayerImage

    Members
    -------
    load : In(1)
        Only in a cycle with `last`.
    mark : In(1)
    start : In(start_bits)
    synapses : In(extent_bits)
        Of a run, see `layouts.run`.
    busy : Out(1)
        `address` is that of a synapse.
    last : Out(1)
        No synapse of this run follows.
    address : Out(start_bits)
    index : In(index_bits)
        What the memory tells of the synapse whose address was out two cycles ago.
    row : Out(row_bits)
        Of that synapse.
    """

    def __init__(self, image: LayerImage) -> None:
        self._image = image
        super().__init__(
            {
                "load": In(1),
                "mark": In(1),
                "start": In(image.start_bits),
                "synapses": In(image.extent_bits),
                "busy": Out(1),
                "last": Out(1),
                "address": Out(image.start_bits),
                "index": In(image.index_bits),
                "row": Out(image.row_bits),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        with m.If(self.load):
            m.d.sync += self.address.eq(self.start)
        with m.Elif(self.busy):
            m.d.sync += self.address.eq(self.address + 1)
        return m


class AbsoluteWalk(Walk):
    """The memory holds the rows; a run has a number of synapses."""

    def elaborate(self, platform: Any) -> Module:
        m = super().elaborate(platform)
        remaining = Signal(self._image.length_bits)
        m.d.comb += [self.busy.eq(remaining != 0), self.last.eq(remaining <= 1)]
        with m.If(self.load):
            m.d.sync += remaining.eq(Mux(self.mark, 0, self.synapses))
        with m.Elif(self.busy):
            m.d.sync += remaining.eq(remaining - 1)
        self._find_row(m)
        return m

    def _find_row(self, m: Module) -> None:
        m.d.comb += self.row.eq(self.index)


class RelativeWalk(AbsoluteWalk):
    """The memory holds how many rows are skipped since the synapse before, or since the start of the lane."""

    def _find_row(self, m: Module) -> None:
        # `least` of a synapse is the row after that of the one before.
        least = Signal.like(self.row)
        first = Signal(2)
        m.d.sync += [first.eq(Cat(self.load, first)), least.eq(Mux(first[1], 0, self.row + 1))]
        m.d.comb += self.row.eq(least + self.index)


class BitmapWalk(Walk):
    """A run has a bit for every row with a synapse; the memory holds no more than weights.

    `rest` has the bits of the synapses that follow the one whose address is out, and `before` those and that one. The
    lowest bit of a number x is cleared by x & (x - 1): with the next run as x while there is no rest, one such circuit
    does, and all that controls it comes from registers.
    """

    def elaborate(self, platform: Any) -> Module:
        m = super().elaborate(platform)
        before = Signal(self._image.rows)
        rest = Signal.like(before)
        follows = Signal()
        bits = Signal.like(before)
        others = Signal.like(before)
        m.d.comb += [
            self.last.eq(~follows),
            bits.eq(Mux(follows, rest, self.synapses)),
            others.eq(bits & (bits - 1)),
        ]
        m.d.sync += self.busy.eq(follows | (self.load & ~self.mark))
        with m.If(follows | self.load):
            m.d.sync += [before.eq(bits), rest.eq(others), follows.eq(others.any())]
        # A bit of the row is set in every second, every second two, ... of the positions.
        lowest = before & ~rest
        found = Signal.like(self.row)
        positions = [
            Cat(lowest[row] for row in range(len(before)) if row >> bit & 1).any() for bit in range(len(found))
        ]
        m.d.sync += [found.eq(Cat(positions)), self.row.eq(found)]
        return m


def make_walk(image: LayerImage) -> Walk:
    """That of the encoding of an image."""
    walks = {"absolute": AbsoluteWalk, "relative": RelativeWalk, "bitmap": BitmapWalk}
    return walks[image.encoding](image)
