"""Row fetch: where the synapses of an event lie, for every lane at once."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikewright.contract.image import LayerImage

from .layouts import assign_fields, event, offer, run
from .rom import Rom


def pointers(image: LayerImage) -> data.StructLayout:
    """A word of the row memory: where the runs of an axon lie."""
    pointer = data.StructLayout({"offset": image.offset_bits, "synapses": image.extent_bits})
    return data.StructLayout({"base": image.start_bits, "lanes": data.ArrayLayout(pointer, image.lanes)})


class RowFetch(wiring.Component):
    """Looks up the row of an axon in every lane, and gives the lanes that have synapses there their runs.

    One event a cycle while the lanes have room; its runs leave `LATENCY` cycles after it was taken, whatever happens
    meanwhile. That is why an event is taken only if every lane had room for `MARGIN` runs two cycles before: for it and
    for those that are still under way. A mark goes to all lanes. Both ways between the row memory and the lanes have a
    cycle of their own, as lanes lie all over the device.

    Parameters
    ----------
    image : LayerImage
    name : str
        Prefix of the memory image `<name>_rows`: a word per axon, the `base` of its runs in the low bits; above it,
        for every lane, lane 0 first, an `offset` below the extent of its `synapses`, see `run`. A run starts at
        base + offset.

    Members
    -------
    events : In(offer(event(...)))
    room : In(lanes)
        The queue of a lane has room for `MARGIN` runs.
    runs : Out(stream.Signature(run(...), always_ready=True)).array(lanes)
    """

    LATENCY = 4
    MARGIN = LATENCY + 3

    def __init__(self, image: LayerImage, *, name: str) -> None:
        self._image = image
        spec = image.spec
        self._run = run(image)
        self._pointers = pointers(image)
        self._event = event(spec.axons, spec.event_bits)
        self.rom = Rom(
            name=f"{name}_rows",
            width=self._pointers.size,
            words=self._words(),
            capacity=spec.axons if image.capacity else None,
        )
        super().__init__(
            {
                "events": In(offer(self._event)),
                "room": In(image.lanes),
                "runs": Out(stream.Signature(self._run, always_ready=True)).array(image.lanes),
            }
        )

    def _words(self) -> list[int]:
        image = self._image
        pointer_bits = image.offset_bits + image.extent_bits
        words = []
        for axon, (base, starts) in enumerate(zip(image.bases.tolist(), image.starts.tolist(), strict=True)):
            word = base
            for lane, start in enumerate(starts):
                pointer = start - base | image.extent(axon, lane) << image.offset_bits
                word |= pointer << image.start_bits + lane * pointer_bits
            words.append(word)
        return words

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.rom = rom = self.rom
        go = Signal()
        room = Signal.like(self.room)
        m.d.sync += [room.eq(self.room), go.eq(room.all())]
        m.d.comb += self.events.ready.eq(go)
        # The address reaches many memories at once: it comes straight from registers.
        stages = self.LATENCY - 1
        valid = Signal(stages)
        events = [Signal(self._event, name=f"event{k}") for k in range(stages)]
        m.d.sync += [
            valid.eq(valid << 1 | (self.events.valid & go)),
            events[0].eq(self.events.payload),
            *(events[k].eq(events[k - 1]) for k in range(1, stages)),
        ]
        m.d.comb += [rom.addr.eq(events[0].axon), rom.en.eq(1)]
        pointers = Signal(self._pointers)
        m.d.sync += pointers.eq(rom.data)
        found = events[-1]
        for lane, runs in enumerate(self.runs):
            pointer = pointers.lanes[lane]
            absent = pointer.synapses == 0
            m.d.sync += [
                runs.valid.eq(valid[-1] & (found.mark | ~absent)),
                runs.payload.what.run.start.eq(pointers.base + pointer.offset),
                runs.payload.what.run.synapses.eq(pointer.synapses),
                runs.payload.value.eq(found.value),
                # Without a valid beat nobody reads this field. Setting it where a run is absent gives every lane a
                # register of its own; if it were the mark alone, synthesis would merge them into one for all lanes.
                runs.payload.mark.eq(found.mark | absent),
            ]
            with m.If(found.mark):
                m.d.sync += assign_fields(runs.payload.what.flags, found)
        return m
