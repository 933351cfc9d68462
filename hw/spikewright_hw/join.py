"""Lanes sweep on their own; here the rows of a step come together again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from spikewright.contract.integers import unsigned_bits

from .layouts import MARK, by_layer, delayed


class StepJoin(wiring.Component):
    """Reads the results of a step from all lanes, a row a cycle, once the last of them has begun its sweep.

    A step begins in the cycle after all lanes had `started`, given that there is `room` and that the step before began
    at least rows + 4 cycles ago. Its first row is read in the cycle after, and is there, `valid`, in the second; the
    `mark` follows the last row.

    Parameters
    ----------
    rows : int or sequence of int
        Several: of the layers that take turns, a step each.
    lanes : int

    Members
    -------
    started : In(lanes)
    flags : In(MARK)
        Flags of the step that the lanes have swept.
    room : In(1)
        The rows of a step and its mark can be taken.
    begin : Out(1)
    row : Out(range(rows))
        Being read.
    valid : Out(1)
        `index` is the row that was read. All rows of a step are valid, those without spikes too.
    mark : Out(1)
        The step is complete; `last` and `error` as in `MARK`.
    layer : Out(range(layers))
        Whose step it is, from `begin` to `mark`; only where several take turns.
    """

    GAP = 4

    def __init__(self, *, rows: int | Sequence[int], lanes: int) -> None:
        self._rows = [rows] if isinstance(rows, int) else list(rows)
        row = unsigned_bits(max(self._rows) - 1)
        layers = len(self._rows)
        super().__init__(
            {
                "started": In(lanes),
                "flags": In(MARK),
                "room": In(1),
                "begin": Out(1),
                "row": Out(row),
                "valid": Out(1),
                "index": Out(row),
                "mark": Out(1),
                "last": Out(1),
                "error": Out(1),
                **({"layer": Out(range(layers))} if layers > 1 else {}),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        complete = Signal()
        reading = Signal()
        at_end = Signal()
        tail = Signal(self.GAP - 1)
        last_row: Any = self._rows[0] - 1
        if len(self._rows) > 1:
            last_row = by_layer(self.layer, [rows - 1 for rows in self._rows])
            with m.If(tail[-1]):
                m.d.sync += self.layer.eq(Mux(self.layer == len(self._rows) - 1, 0, self.layer + 1))
        m.d.comb += [
            self.begin.eq(complete & self.room & ~reading & ~tail.any()),
            at_end.eq(reading & (self.row == last_row)),
        ]
        m.d.sync += [complete.eq(self.started.all()), tail.eq(Cat(at_end, tail))]
        with m.If(self.begin):
            m.d.sync += [reading.eq(1), self.last.eq(self.flags.last), self.error.eq(self.flags.error)]
        with m.Elif(reading):
            m.d.sync += self.row.eq(Mux(at_end, 0, self.row + 1))
            with m.If(at_end):
                m.d.sync += reading.eq(0)
        m.d.comb += [
            self.valid.eq(delayed(m, reading, 1, name="reading")[-1]),
            self.index.eq(delayed(m, self.row, 1, name="row")[-1]),
            self.mark.eq(tail[1]),
        ]
        return m
