"""Row fetch: where the synapses of an event lie, for every lane at once."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikewright.spec import LayerImage

from .layouts import MARK, event, row
from .queue import Queue
from .rom import Rom


class RowFetch(wiring.Component):
    """Looks up the row of an axon in every lane and hands it to the lanes that have synapses there.

    An event is offered to the lanes three cycles after it was taken; one event a cycle while the lanes keep up. Each
    lane takes its row when it can, and the next event follows when all have. A mark waits in the same place until
    `marks` takes it, so that nothing of the next step gets ahead of it.

    Parameters
    ----------
    image : LayerImage
    name : str
        Prefix of the memory image `<name>_rows`: a word per axon, lane 0 in the low bits, `start` below `length` below
        `some`, which saves a comparison right behind the memory.

    Members
    -------
    events : In(stream.Signature(event(...)))
    rows : Out(stream.Signature(row(...))).array(lanes)
    marks : Out(stream.Signature(MARK))
    """

    def __init__(self, image: LayerImage, *, name: str) -> None:
        self._image = image
        spec = image.spec
        self._row = row(image.start_bits, image.length_bits, spec.value_bits)
        self._pointer = data.StructLayout({"start": image.start_bits, "length": image.length_bits, "some": 1})
        self._event = event(spec.axons, spec.value_bits)
        self.rom = Rom(name=f"{name}_rows", width=self._pointer.size * image.lanes, words=self._words())
        super().__init__(
            {
                "events": In(stream.Signature(self._event)),
                "rows": Out(stream.Signature(self._row)).array(image.lanes),
                "marks": Out(stream.Signature(MARK)),
            }
        )

    def _words(self) -> list[int]:
        image = self._image
        words = []
        for starts, lengths in zip(image.indptr[:-1].tolist(), image.lengths.tolist(), strict=True):
            word = 0
            for lane, (start, length) in enumerate(zip(starts, lengths, strict=True)):
                # An empty row is never walked; zero keeps the start of one at the end of the memory in range.
                pointer = (start if length else 0) | length << image.start_bits
                pointer |= (length != 0) << (image.start_bits + image.length_bits)
                word |= pointer << lane * self._pointer.size
            words.append(word)
        return words

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.rom = rom = self.rom
        # The address reaches many memories at once: it comes straight from registers.
        m.submodules.queue = queue = Queue(self._event, depth=2)
        wiring.connect(m, wiring.flipped(self.events), queue.i)
        arrived = queue.o
        lanes = len(self.rows)
        looked_up = Signal()
        looked_up_event = Signal(self._event)
        held = Signal()
        held_event = Signal(self._event)
        pointers = Signal(data.ArrayLayout(self._pointer, lanes))
        pending = Signal(lanes)  # lanes that have not taken their row of the held event
        taken = Signal(lanes)
        advance = Signal()
        m.d.comb += [
            advance.eq(~held | Mux(held_event.mark, self.marks.ready, ~(pending & ~taken).any())),
            arrived.ready.eq(~looked_up | advance),
            rom.addr.eq(arrived.payload.axon),
            rom.en.eq(arrived.ready),
            self.marks.valid.eq(held & held_event.mark),
            self.marks.payload.last.eq(held_event.last),
            self.marks.payload.error.eq(held_event.error),
        ]
        found = data.View(data.ArrayLayout(self._pointer, lanes), rom.data)
        with m.If(arrived.ready):
            m.d.sync += [looked_up.eq(arrived.valid), looked_up_event.eq(arrived.payload)]
        m.d.sync += pending.eq(pending & ~taken)
        with m.If(advance):
            m.d.sync += [
                held.eq(looked_up),
                held_event.eq(looked_up_event),
                pointers.eq(found),
                pending.eq(
                    Cat(found[lane].some for lane in range(lanes))
                    & (looked_up & ~looked_up_event.mark).replicate(lanes)
                ),
            ]
        for lane, rows in enumerate(self.rows):
            m.d.comb += [
                taken[lane].eq(rows.valid & rows.ready),
                rows.valid.eq(pending[lane]),
                rows.payload.start.eq(pointers[lane].start),
                rows.payload.length.eq(pointers[lane].length),
                rows.payload.value.eq(held_event.value),
            ]
        return m
