"""Load images on their way from the serial line into a core, and what became of them."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import stream
from amaranth.lib.wiring import Component, In, Out

from .framing import axis_beat


class ImageFeeder(Component):
    """Bytes of a load image for a core, and an answer per image for the host.

    A byte leaves when the one behind it, or the end of the image, is known, one cycle after the group or `end` that
    told. The answer follows the core's, or the end of an image that was dropped, by one cycle.

    An image that begins while the core is `busy` is dropped, and the core keeps its network. So is an end that no
    beginning precedes. An image without bytes becomes one byte that no image begins with, which the core refuses.

    Members
    -------
    groups : In(stream of 7 bits, always ready)
        Bits of the image, at least 8 cycles apart, so that the core never has to catch up.
    begin, end : In(1)
        See `Deframer`.
    busy : In(1)
        A sample is under way.
    o : Out(stream of axis_beat(8))
    loaded, refused : In(1)
        By the core: what became of the last image; neither while it takes one.
    answers : Out(stream of 1 bit)
        An image ended: whether it was loaded. One that the next answer overtakes is lost.
    dropped : Out(1)
        High for one cycle: an image began while `busy`.
    """

    def __init__(self) -> None:
        super().__init__(
            {
                "groups": In(stream.Signature(7, always_ready=True)),
                "begin": In(1),
                "end": In(1),
                "busy": In(1),
                "o": Out(stream.Signature(axis_beat(8))),
                "loaded": In(1),
                "refused": In(1),
                "answers": Out(stream.Signature(1)),
                "dropped": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        active = Signal()
        before = Signal(7)  # the group before
        used = Signal(range(8), init=7)  # of its bits, those in bytes already
        held = Signal(8)
        holds = Signal()
        judged = Signal()  # the core has the whole image
        bits = Cat(before, self.groups.payload)
        with m.If(self.o.ready):
            m.d.sync += self.o.valid.eq(0)
        with m.If(self.answers.ready):
            m.d.sync += self.answers.valid.eq(0)
        with m.If(judged & (self.loaded | self.refused)):
            m.d.sync += [judged.eq(0), self.answers.valid.eq(1), self.answers.payload.eq(self.loaded)]
        with m.If(self.o.valid & self.o.ready & self.o.payload.last):
            m.d.sync += judged.eq(1)
        with m.If(self.groups.valid & active):
            m.d.sync += before.eq(self.groups.payload)
            with m.If(used == 7):
                m.d.sync += used.eq(0)
            with m.Else():
                m.d.sync += [
                    used.eq(used + 1),
                    held.eq(bits.bit_select(used, 8)),
                    holds.eq(1),
                    self.o.valid.eq(holds),
                    self.o.payload.data.eq(held),
                    self.o.payload.last.eq(0),
                ]
        with m.If(self.end):
            m.d.sync += active.eq(0)
            with m.If(active):
                m.d.sync += [
                    self.o.valid.eq(1),
                    self.o.payload.data.eq(held),
                    self.o.payload.last.eq(1),
                ]
            with m.Else():
                m.d.sync += [self.answers.valid.eq(1), self.answers.payload.eq(0)]
        m.d.comb += self.dropped.eq(self.begin & self.busy)
        with m.If(self.begin):
            m.d.sync += [active.eq(~self.busy), used.eq(7), holds.eq(0), held.eq(0)]
        return m
