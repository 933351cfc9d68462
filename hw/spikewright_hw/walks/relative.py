"""Walk of runs whose memory holds the rows that are skipped."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal

from .absolute import AbsoluteWalk


class RelativeWalk(AbsoluteWalk):
    """The memory holds how many rows are skipped since the synapse before, or since the start of the lane."""

    def _find_row(self, m: Module) -> None:
        # `least` of a synapse is the row after that of the one before.
        least = Signal.like(self.row)
        first = Signal(2)
        m.d.sync += [first.eq(Cat(self.load, first)), least.eq(Mux(first[1], 0, self.row + 1))]
        m.d.comb += self.row.eq(least + self.index)
