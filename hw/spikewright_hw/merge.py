"""One stream of events for a recurrent layer: its own delayed spikes, and those of the layer before."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikewright.contract.layer import LayerSpec

from .layouts import assign_fields, event, offer


class EventMerge(wiring.Component):
    """Passes the events of a step from both sides, delayed spikes first whenever there is one, and then one mark.

    ::

        m.submodules.merge = merge = EventMerge(image.spec)
        wiring.connect(m, wiring.flipped(self.i), merge.feed)
        wiring.connect(m, delays.events, merge.delayed)
        wiring.connect(m, merge.o, fetch.events)

    No latency. The mark of the delayed spikes is taken in the cycle in which it is offered; the feed-forward mark
    passes from the cycle after that on.

    Parameters
    ----------
    spec : LayerSpec
        A recurrent layer.

    Members
    -------
    feed : In(stream.Signature(event(spec.inputs, spec.value_bits)))
    delayed : In(stream.Signature(event(spec.neurons, spec.count_bits)))
        Those of the next step only after the mark of this one has left.
    o : Out(offer(event(spec.axons, spec.event_bits)))
        Axons of the layer: the feed-forward ones, then its own neurons. An event that waits gives way to a delayed one.
    mark : Out(1)
        A feed-forward mark passes; `last` belongs to it.
    """

    def __init__(self, spec: LayerSpec) -> None:
        self._spec = spec
        super().__init__(
            {
                "feed": In(stream.Signature(event(spec.inputs, spec.value_bits))),
                "delayed": In(stream.Signature(event(spec.neurons, spec.count_bits))),
                "o": Out(offer(event(spec.axons, spec.event_bits))),
                "mark": Out(1),
                "last": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        complete = Signal()  # all delayed spikes of the step have passed
        m.d.comb += [
            self.mark.eq(self.feed.valid & self.feed.ready & self.feed.payload.mark),
            self.last.eq(self.feed.payload.last),
        ]
        with m.If(self.delayed.valid & ~self.delayed.payload.mark):
            m.d.comb += [
                self.o.valid.eq(1),
                self.o.payload.axon.eq(self.delayed.payload.axon + self._spec.inputs),
                self.o.payload.value.eq(self.delayed.payload.value if self._spec.count_bits > 1 else 1),
                self.delayed.ready.eq(self.o.ready),
            ]
        with m.Else():
            passes = ~self.feed.payload.mark | complete
            m.d.comb += [
                self.delayed.ready.eq(1),
                self.o.valid.eq(self.feed.valid & passes),
                *assign_fields(self.o.payload, self.feed.payload),
                self.feed.ready.eq(self.o.ready & passes),
            ]
            with m.If(self.delayed.valid):
                m.d.sync += complete.eq(1)
            with m.Elif(self.mark):
                m.d.sync += complete.eq(0)
        return m
