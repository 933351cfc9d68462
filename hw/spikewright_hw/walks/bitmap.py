"""Walk of runs that have a bit for every row."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal

from ..walk import Walk


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
