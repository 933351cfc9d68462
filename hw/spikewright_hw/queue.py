"""A queue of registers for a few entries."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Array, Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out


class Queue(wiring.Component):
    """First in, first out, in registers: an entry is offered one cycle after it was taken.

    ::

        m.submodules.queue = queue = Queue(unsigned(8), depth=2)
        wiring.connect(m, source.o, queue.i)
        wiring.connect(m, queue.o, sink.i)

    One entry a cycle at both ends. `i.ready` depends on the registers alone, so a full queue takes nothing in the
    cycle in which it gives: entry k is taken no earlier than one cycle after entry k - depth was given.

    Parameters
    ----------
    shape : ShapeLike
        Payload.
    depth : int
        At least 2; entries it holds.

    Members
    -------
    i : In(stream.Signature(shape))
    o : Out(stream.Signature(shape))

    Raises
    ------
    ValueError
        If `depth` is too small.
    """

    def __init__(self, shape: Any, *, depth: int) -> None:
        if depth < 2:
            raise ValueError(f"depth must be at least 2, not {depth}")
        self._shape = shape
        self._depth = depth
        super().__init__({"i": In(stream.Signature(shape)), "o": Out(stream.Signature(shape))})

    @property
    def depth(self) -> int:
        return self._depth

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        entries = Array(Signal(self._shape, name=f"entry{k}") for k in range(self._depth))
        level = Signal(range(self._depth + 1))
        take = self.i.valid & self.i.ready
        give = self.o.valid & self.o.ready
        m.d.comb += [
            self.i.ready.eq(level != self._depth),
            self.o.valid.eq(level != 0),
            self.o.payload.eq(entries[0]),
        ]
        m.d.sync += level.eq(level + take - give)
        # Entries move towards the output, so that reading needs no multiplexer. One behind the others may have what is
        # further ahead, or was not offered, as `i.valid` may come late: it counts only where the level says so.
        for k in range(self._depth - 1):
            with m.If(give):
                m.d.sync += entries[k].eq(entries[k + 1])
            with m.If(self.i.ready & (level == k + give)):
                m.d.sync += entries[k].eq(self.i.payload)
        with m.If(self.i.ready):
            m.d.sync += entries[-1].eq(self.i.payload)
        return m
