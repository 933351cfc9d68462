"""Layers: row fetch, lanes and end-of-step update joined."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikewright.spec import CoreSpec, signed_bits, unsigned_bits

from .delay import DelayBuffer
from .lane import Lane
from .layouts import MARK, assign_fields, event
from .merge import EventMerge
from .readout import ReadoutUpdate, result
from .rows import RowFetch
from .serializer import BitSerializer
from .update import NeuronUpdate


class SynapsePath(wiring.Component):
    """Row fetch and lanes: adds the events of a step to the membranes, then shows its mark.

    Parameters
    ----------
    core : CoreSpec
    index : int
        Of the layer.
    state_bits : int

    Members
    -------
    events : In(stream.Signature(event(...)))
    marks : Out(stream.Signature(MARK))
        Valid once all events of the step have been handed to the lanes.
    states : In(StatePort(...)).array(lanes)
    busy : Out(1)
        A lane is at work.
    """

    def __init__(self, core: CoreSpec, index: int, *, state_bits: int) -> None:
        image = core.layers[index]
        name = f"layer{index}"
        self.fetch = RowFetch(image, name=name)
        self.lanes = [
            Lane(image, lane=lane, state_bits=state_bits, queue_depth=core.queue_depth, name=name)
            for lane in range(core.lanes)
        ]
        super().__init__(
            {
                "events": self.fetch.signature.members["events"],
                "marks": Out(stream.Signature(MARK)),
                "states": self.lanes[0].signature.members["state"].array(core.lanes),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.fetch = fetch = self.fetch
        wiring.connect(m, wiring.flipped(self.events), fetch.events)
        wiring.connect(m, fetch.marks, wiring.flipped(self.marks))
        for index, lane in enumerate(self.lanes):
            m.submodules[f"lane{index}"] = lane
            wiring.connect(m, fetch.rows[index], lane.rows)
            wiring.connect(m, wiring.flipped(self.states[index]), lane.state)
        m.d.comb += self.busy.eq(Cat(lane.busy for lane in self.lanes).any())
        return m


class SpikingLayer(wiring.Component):
    """A layer of neurons that fire, with its delayed recurrence if it has one.

    Parameters
    ----------
    core : CoreSpec
    index : int
        Of the layer.

    Members
    -------
    events : In(stream.Signature(event(...)))
        Feed-forward events of a step, each axon at most once, and its mark.
    spikes : Out(stream.Signature(event(...)))
        `axon` is the hardware position of a neuron that fired.
    trace : Out
        See `NeuronUpdate`.
    """

    def __init__(self, core: CoreSpec, index: int) -> None:
        image = core.layers[index]
        spec = image.spec
        name = f"layer{index}"
        state_bits = spec.bounds(core.network.timesteps).state_bits
        self._spec = spec
        self.synapses = SynapsePath(core, index, state_bits=state_bits)
        self.update = NeuronUpdate(image, state_bits=state_bits, name=name)
        self.serializer = BitSerializer(rows=image.rows, width=core.lanes)
        self.delay = None
        if spec.delays is not None:
            self.delay = DelayBuffer(spec.delays[image.order].tolist(), name=name)
            self.merge = EventMerge(spec)
        super().__init__(
            {
                "events": In(stream.Signature(event(spec.inputs, spec.value_bits))),
                "spikes": Out(stream.Signature(event(spec.neurons))),
                "trace": self.update.signature.members["trace"],
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.synapses = synapses = self.synapses
        m.submodules.update = update = self.update
        m.submodules.serializer = serializer = self.serializer
        wiring.connect(m, synapses.marks, update.marks)
        for index, state in enumerate(update.states):
            wiring.connect(m, state, synapses.states[index])
        wiring.connect(m, update.spikes, serializer.rows)
        wiring.connect(m, update.trace, wiring.flipped(self.trace))
        m.d.comb += update.start.eq(~synapses.busy & serializer.empty)

        events = wiring.flipped(self.events)
        delay_ready: Any = 1
        m.d.comb += assign_fields(self.spikes.payload, serializer.o.payload)
        if self.delay is not None:
            m.submodules.delay = delay = self.delay
            m.submodules.merge = merge = self.merge
            wiring.connect(m, delay.events, merge.delayed)
            wiring.connect(m, events, merge.feed)
            events = merge.o
            # Both the next layer and the delay buffer take a spike in the same cycle.
            delay_ready = delay.spikes.ready
            m.d.comb += [
                delay.spikes.valid.eq(serializer.o.valid & self.spikes.ready),
                *assign_fields(delay.spikes.payload, serializer.o.payload),
            ]
        m.d.comb += [
            self.spikes.valid.eq(serializer.o.valid & delay_ready),
            serializer.o.ready.eq(self.spikes.ready & delay_ready),
            synapses.events.valid.eq(events.valid & ~update.initializing),
            synapses.events.payload.eq(events.payload),
            events.ready.eq(synapses.events.ready & ~update.initializing),
        ]
        return m


class ReadoutLayer(wiring.Component):
    """The last layer: its synapses, its leaky integrators and the decision.

    Parameters
    ----------
    core : CoreSpec

    Members
    -------
    events : In(stream.Signature(event(...)))
    results : Out(stream.Signature(result(...)))
    trace : Out
        See `ReadoutUpdate`.
    """

    def __init__(self, core: CoreSpec) -> None:
        index = len(core.layers) - 1
        image = core.layers[index]
        network = core.network
        state_bits = image.spec.bounds(network.timesteps).state_bits
        # The class travels in the place of a score.
        score_bits = max(signed_bits(*network.score_bounds), unsigned_bits(network.classes - 1) + 1)
        self.synapses = SynapsePath(core, index, state_bits=state_bits)
        self.update = ReadoutUpdate(image, state_bits=state_bits, score_bits=score_bits, name=f"layer{index}")
        super().__init__(
            {
                "events": In(stream.Signature(event(image.spec.inputs, image.spec.value_bits))),
                "results": Out(stream.Signature(result(score_bits))),
                "trace": self.update.signature.members["trace"],
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.synapses = synapses = self.synapses
        m.submodules.update = update = self.update
        wiring.connect(m, synapses.marks, update.marks)
        for index, state in enumerate(update.states):
            wiring.connect(m, state, synapses.states[index])
        wiring.connect(m, update.results, wiring.flipped(self.results))
        wiring.connect(m, update.trace, wiring.flipped(self.trace))
        m.d.comb += [
            update.start.eq(~synapses.busy),
            synapses.events.valid.eq(self.events.valid & ~update.initializing),
            synapses.events.payload.eq(self.events.payload),
            self.events.ready.eq(synapses.events.ready & ~update.initializing),
        ]
        return m
