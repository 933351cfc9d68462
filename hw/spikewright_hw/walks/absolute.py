"""Walk of runs whose memory holds the rows."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal

from ..walk import Walk


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
