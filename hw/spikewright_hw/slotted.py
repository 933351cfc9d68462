"""The slotted engine: every layer a stage of wide memories, whose words all of its neurons read at once."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, ResetInserter, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikewright.contract.cores import SlottedCore
from spikewright.contract.slots import SlotImage

from .layer import trace_ports
from .layouts import delayed
from .ram import RamQueue
from .readout import ScoreSender, result
from .reset import add_parts
from .slot_events import RowMask, SlotRing, WordFetch, present_rows, spike_row
from .slot_lane import SlotDelay, SlotLane, SlotUpdate
from .slot_memory import BROADCAST_LATENCY, broadcast
from .slot_sources import RowSource, StreamSource, source_bits

STEPS = 4
"""Steps whose spikes wait for the next layer, at most."""


class SlotLayer(wiring.Component):
    """A layer: events of its steps in, spikes or scores out.

    Parameters
    ----------
    core : SlottedCore
    index : int
        Number of the layer.

    Members
    -------
    reset : In(1)
        Reaches everything in here one cycle later.
    events : In
        Only of the first layer: see `StreamSource`.
    feed : In(stream.Signature(spike_row(...), always_ready=True))
        Of the others: rows of spikes of the layer before, at most `STEPS` steps that this one has not taken.
    ends : Out(1)
        All events of a step were taken.
    spikes : Out(stream.Signature(spike_row(...), always_ready=True))
        Only of a layer that fires.
    taken : In(1)
        Likewise: the next layer `ends`.
    results : Out(stream.Signature(result(score_bits)))
        Only of a read-out.
    trace : Out
        See `trace_ports`.
    """

    def __init__(self, core: SlottedCore, index: int) -> None:
        self._core = core
        slots: SlotImage = core.slots[index]
        self._slots = slots
        image = slots.image
        name = f"layer{index}"
        state_bits = core.state_bits(index)
        score_bits = core.score_bits if image.spec.readout else 0
        least = max(image.rows, SlotUpdate.LEAST)
        self.queue = None
        self.source: Any
        if index == 0:
            self.source = StreamSource(slots, least=least)
            axons = stream_axons(self.source, slots)
            ports: dict[str, Any] = {"events": self.source.signature.members["events"]}
        else:
            before = core.slots[index - 1].image
            row = spike_row(before.rows, before.lanes)
            self.source = RowSource(slots, row, least=least)
            self.queue = RamQueue(row, depth=STEPS * before.rows)
            axons = axon_numbers(slots, before.rows, before.lanes, row)
            ports = {"feed": In(stream.Signature(row, always_ready=True))}
        self.fetch = WordFetch(slots, axons, name=name)
        self.lanes = [
            SlotLane(
                slots,
                lane=lane,
                state_bits=state_bits,
                score_bits=score_bits,
                name=name,
                decision=core.network.decision,
            )
            for lane in range(image.lanes)
        ]
        self.ring = SlotRing(slots, latency=BROADCAST_LATENCY + SlotDelay.LATENCY) if image.spec.recurrent else None
        if image.spec.readout:
            self.sender = ScoreSender(image, score_bits=score_bits)
            ports["results"] = Out(stream.Signature(result(score_bits)))
        else:
            following = core.slots[index + 1]
            present = present_rows(following.present[: image.spec.neurons], image.rows, image.lanes)
            self.mask = RowMask(rows=image.rows, width=image.lanes, present=present)
            row = spike_row(image.rows, image.lanes)
            ports |= {"spikes": Out(stream.Signature(row, always_ready=True)), "taken": In(1)}
        super().__init__({"reset": In(1), **ports, "ends": Out(1), "trace": Out(trace_ports(image, state_bits))})

    @property
    def targets(self) -> list[Any]:
        return []

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        source, fetch = self.source, self.fetch
        add_parts(m, self.reset, source=source, fetch=fetch)
        reset = m.submodules.reset.o
        if self.queue is None:
            wiring.connect(m, wiring.flipped(self.events), source.events)
        else:
            m.submodules.queue = ResetInserter(reset)(self.queue)
            wiring.connect(m, wiring.flipped(self.feed), self.queue.i)
            wiring.connect(m, self.queue.o, source.feed)
        told = broadcast(m, fetch.o.as_value(), len(self.lanes), name="told")
        for index, lane in enumerate(self.lanes):
            add_parts(m, self.reset, register=f"reset{index}", **{f"lane{index}": lane})
            m.d.comb += lane.read.eq(told[index])
        m.submodules.sweep = sweep = ResetInserter(reset)(_Sweep(self._slots))
        m.d.comb += [
            sweep.mark.eq(fetch.o.mark),
            sweep.mark_last.eq(fetch.o.last),
            sweep.mark_error.eq(fetch.error),
            fetch.events.eq(source.o),
            source.stall.eq(fetch.stall),
            self.ends.eq(source.ends),
            self.trace.valid.eq(sweep.done),
            self.trace.row.eq(sweep.row),
            self.trace.v.eq(Cat(lane.v for lane in self.lanes)),
        ]
        if self._slots.image.spec.readout:
            self._answer(m, reset, sweep)
        else:
            self._send(m, reset, sweep)
        if self.ring is not None:
            self._delay(m, reset, sweep)
        return m

    def _send(self, m: Module, reset: Any, sweep: _Sweep) -> None:
        """Rows of spikes to the next layer, as long as it keeps up."""
        m.submodules.mask = mask = ResetInserter(reset)(self.mask)
        spikes = Cat(lane.spike for lane in self.lanes)
        m.submodules.count = count = ResetInserter(reset)(_Count(STEPS))
        m.d.comb += [
            count.up.eq(self.source.ends),
            count.down.eq(self.taken),
            self.source.room.eq(~count.full),
            self.trace.spikes.eq(spikes),
            mask.valid.eq(self.trace.valid),
            mask.row.eq(self.trace.row),
            mask.bits.eq(spikes),
            mask.last.eq(sweep.last),
            mask.error.eq(sweep.error),
        ]
        wiring.connect(m, mask.o, wiring.flipped(self.spikes))

    def _answer(self, m: Module, reset: Any, sweep: _Sweep) -> None:
        """The scores of a sample; no step of the next one may end before they were taken."""
        m.submodules.sender = sender = ResetInserter(reset)(self.sender)
        m.submodules.count = count = ResetInserter(reset)(_Count(1))
        m.d.comb += [
            count.up.eq(self.source.ends & self.source.last),
            count.down.eq(sender.taken),
            self.source.room.eq(~count.full),
            sender.start.eq(sweep.swept & sweep.swept_last),
            sender.error.eq(sweep.swept_error),
        ]
        for lane, score in zip(self.lanes, sender.scores, strict=True):
            m.d.comb += [lane.score_row.eq(sender.row), score.eq(lane.score)]
        wiring.connect(m, sender.results, wiring.flipped(self.results))

    def _delay(self, m: Module, reset: Any, sweep: _Sweep) -> None:
        """The layer's own spikes, as they arrive."""
        m.submodules.ring = ring = ResetInserter(reset)(self.ring)
        wiring.connect(m, ring.o, self.source.late)
        m.d.comb += [
            ring.ends.eq(self.source.ends),
            ring.last.eq(self.source.last),
            ring.swept.eq(sweep.swept),
            ring.bits.eq(Cat(lane.bit for lane in self.lanes)),
            self.source.early.eq(ring.early),
        ]
        asked = broadcast(m, Cat(ring.row, ring.step, ring.age), len(self.lanes), name="asked")
        for index, lane in enumerate(self.lanes):
            m.d.comb += Cat(lane.ask_row, lane.ask_step, lane.ask_age).eq(asked[index])


class _Sweep(wiring.Component):
    """Which row of a layer is done. The lanes count the rows too, but each for itself, and far away.

    Members
    -------
    mark, mark_last, mark_error : In(1)
        The lanes are told of the end of a step, and whether it ends the sample.
    done, row : Out
        A row of neurons has been updated, in all lanes.
    last, error : Out(1)
        Of its step.
    swept, swept_last, swept_error : Out(1)
        All rows of a step have, a cycle ago.
    """

    def __init__(self, slots: SlotImage) -> None:
        self._slots = slots
        marks = dict.fromkeys(("mark", "mark_last", "mark_error"), In(1))
        flags = dict.fromkeys(("done", "last", "error", "swept", "swept_last", "swept_error"), Out(1))
        super().__init__({**marks, **flags, "row": Out(slots.image.row_bits)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        told = Cat(self.mark, self.mark_last, self.mark_error)
        mark, last, error = delayed(m, told, SlotLane.latency(self._slots) - 1, name="told")[-1]
        at_end = self.row == self._slots.image.rows - 1
        with m.If(mark):
            m.d.sync += [self.done.eq(1), self.row.eq(0), self.last.eq(last), self.error.eq(error)]
        with m.Elif(at_end):
            m.d.sync += self.done.eq(0)
        with m.Else():
            m.d.sync += self.row.eq(self.row + 1)
        m.d.sync += [self.swept.eq(self.done & at_end), self.swept_last.eq(self.last), self.swept_error.eq(self.error)]
        return m


class _Count(wiring.Component):
    """Counts up and down, 0 .. most; whether that is reached comes from a register."""

    def __init__(self, most: int) -> None:
        self._most = most
        super().__init__({"up": In(1), "down": In(1), "full": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        number = Signal(range(self._most + 1))
        following = Signal.like(number)
        m.d.comb += following.eq(number + self.up - self.down)
        m.d.sync += [number.eq(following), self.full.eq(following == self._most)]
        return m


Axons = list[tuple[int, int] | None]


def stream_axons(source: StreamSource, slots: SlotImage) -> Axons:
    """By the number that a `StreamSource` gives an axon, its number in `slots` and the value of its events, or None."""
    spec = slots.image.spec
    numbers: Axons = [None] * source.axons
    for value in range(slots.values):
        first = value << source.place_bits
        numbers[first : first + spec.inputs] = [(axon, value + 1) for axon in range(spec.inputs)]
    # Lanes are a power of two: row and bit are the position.
    for position in range(spec.neurons if spec.recurrent else 0):
        numbers[source.axons // 2 + position] = spec.inputs + position, 1
    return numbers


def axon_numbers(slots: SlotImage, rows: int, lanes: int, feed: data.StructLayout) -> Axons:
    """By the number that a `RowSource` gives an axon, its number in `slots` and a value of 1, or None."""
    image = slots.image
    spec = image.spec
    row_bits, bit_bits = source_bits(slots, feed)
    of_source = 1 << (row_bits + bit_bits)
    numbers: Axons = [None] * (of_source << spec.recurrent)
    for position in range(spec.inputs):
        numbers[(position // lanes << bit_bits) + position % lanes] = position, 1
    for position in range(spec.neurons if spec.recurrent else 0):
        place = of_source + (position // image.lanes << bit_bits) + position % image.lanes
        numbers[place] = spec.inputs + position, 1
    return numbers


class SlotChain:
    """Layers that read the words of an axon for all of their neurons at once, all at work on successive steps.

    A word has the synapses of an axon for every group of neurons that share a slot, see `SlotImage`; two are read in a
    cycle, and only their addresses go from the source of the events to the lanes. Where every neuron has a slot of its
    own, a zero weight is stored and added like others; where several share one, it takes no memory. An axon without any
    synapse takes neither a word nor a cycle. See `Engine`.
    """

    def __init__(self, core: SlottedCore) -> None:
        self._layers = [SlotLayer(core, index) for index in range(len(core.layers))]
        self.parts: dict[str, Any] = {f"layer{index}": layer for index, layer in enumerate(self._layers)}
        self.events = self._layers[0].events
        self.results = self._layers[-1].results
        self.traces = [layer.trace for layer in self._layers]
        self.targets: list[Any] = []

    def connect(self, m: Module) -> None:
        for layer, following in zip(self._layers, self._layers[1:], strict=False):
            wiring.connect(m, layer.spikes, following.feed)
            m.d.comb += layer.taken.eq(following.ends)
