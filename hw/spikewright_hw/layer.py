"""Layers: row fetch, lanes, and what makes one step of their sweeps again."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Signal, signed
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikewright.contract.core import CoreSpec
from spikewright.contract.image import LayerImage

from .delay import DelayBuffer, OnwardBuffer
from .join import StepJoin
from .lane import Lane
from .layouts import assign_fields, event
from .merge import EventMerge
from .readout import ScoreSender, result
from .reset import add_parts
from .rom import LoadTarget
from .rows import RowFetch
from .serializer import BitSerializer, give_spikes


def trace_ports(image: LayerImage, membrane_bits: int) -> wiring.Signature:
    """`row`, `v` (after the reset, lane 0 in the low bits) and, but for a read-out, `spikes` (a bit per lane, or their
    number where neurons send several in a step), while `valid`."""
    ports = {"valid": Out(1), "row": Out(image.row_bits), "v": Out(image.lanes * membrane_bits)}
    return wiring.Signature(
        ports if image.spec.readout else {**ports, "spikes": Out(image.lanes * image.spec.count_bits)}
    )


def store_step(onward: OnwardBuffer, trace: Any, join: Any, *, turn: Any = 1) -> list[Any]:
    """Statements that give the rows of a step to an `OnwardBuffer`: those of `trace`, then what ends them in `join`."""
    return [
        onward.valid.eq(trace.valid),
        onward.bits.eq(trace.spikes),
        onward.mark.eq(join.mark & turn),
        onward.last.eq(join.last),
        onward.error.eq(join.error),
    ]


class ScoreHold(wiring.Component):
    """Lets the lanes keep the scores of a sample until its class is taken.

    Members
    -------
    begin, final : In(1)
        The join begins to read a step (`begin`), which is the last of a sample (`final`).
    taken : In(1)
        The `ScoreSender` has taken the scores.
    room, clear : Out(1)
        For the join and the lanes.
    """

    def __init__(self) -> None:
        super().__init__({"begin": In(1), "final": In(1), "taken": In(1), "room": Out(1), "clear": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        sending = Signal()
        sent = Signal()  # the join still sees that the lanes had started
        m.d.sync += sent.eq(self.taken)
        m.d.comb += [self.room.eq(~sending & ~sent), self.clear.eq((self.begin & ~self.final) | self.taken)]
        with m.If(self.final):
            m.d.sync += sending.eq(1)
        with m.Elif(self.taken):
            m.d.sync += sending.eq(0)
        return m


class SynapsePath(wiring.Component):
    """Row fetch, lanes and join: adds the events of a step to the membranes, and shows what the sweeps gave.

    Parameters
    ----------
    core : CoreSpec
    index : int
        Number of the layer.
    score_bits : int
        Only used by a read-out.

    Members
    -------
    reset : In(1)
        Reaches everything in here one cycle later, as it does in the layers.
    events : In(offer(event(...)))
    room, begin, mark, last, error : In and Out
        See `StepJoin`.
    final : Out(1)
        Begins the last step of a sample.
    clear : In(1)
        The lanes may sweep again.
    trace : Out
        See `trace_ports`: every row of every step.
    score_row, scores : In and Out
        Only of a read-out: a row, and its score in every lane one cycle later. They are valid after the last
        step, until `clear`.
    """

    def __init__(self, core: CoreSpec, index: int, *, score_bits: int = 1) -> None:
        image = core.layers[index]
        membrane_bits = core.membrane_bits(index)
        name = f"layer{index}"
        self._image = image
        self.fetch = RowFetch(image, name=name)
        self.lanes = [
            Lane(
                image,
                lane=lane,
                state_bits=core.state_bits(index),
                membrane_bits=membrane_bits,
                score_bits=score_bits,
                queue_depth=core.queue_depth,
                name=name,
                decision=core.network.decision,
            )
            for lane in range(image.lanes)
        ]
        self.join = StepJoin(rows=image.rows, lanes=image.lanes)
        of_lanes = [target for lane in self.lanes for target in (lane.rom, lane.update.rom)]
        self.targets: list[LoadTarget] = [self.fetch.rom, *of_lanes]
        scores = {"score_row": In(image.row_bits), "scores": Out(signed(score_bits)).array(image.lanes)}
        super().__init__(
            {
                "reset": In(1),
                "events": self.fetch.signature.members["events"],
                "room": In(1),
                "begin": Out(1),
                "final": Out(1),
                "mark": Out(1),
                "last": Out(1),
                "error": Out(1),
                "clear": In(1),
                "trace": Out(trace_ports(image, membrane_bits)),
                **(scores if image.spec.readout else {}),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        fetch, join = self.fetch, self.join
        add_parts(m, self.reset, fetch=fetch, join=join)
        wiring.connect(m, wiring.flipped(self.events), fetch.events)
        for index, lane in enumerate(self.lanes):
            add_parts(m, self.reset, register=f"reset{index}", **{f"lane{index}": lane})
            wiring.connect(m, fetch.runs[index], lane.runs)
            m.d.comb += [
                lane.clear.eq(self.clear),
                lane.row.eq(join.row),
            ]
            if self._image.spec.readout:
                m.d.comb += [lane.score_row.eq(self.score_row), self.scores[index].eq(lane.score)]
        m.d.comb += [
            fetch.room.eq(Cat(lane.room for lane in self.lanes)),
            join.started.eq(Cat(lane.started for lane in self.lanes)),
            join.flags.eq(self.lanes[0].flags),
            join.room.eq(self.room),
            self.final.eq(join.begin & join.flags.last),
            *(getattr(self, name).eq(getattr(join, name)) for name in ("begin", "mark", "last", "error")),
            self.trace.valid.eq(join.valid),
            self.trace.row.eq(join.index),
            self.trace.v.eq(Cat(lane.v for lane in self.lanes)),
        ]
        if not self._image.spec.readout:
            m.d.comb += self.trace.spikes.eq(Cat(lane.spike for lane in self.lanes))
        return m


class SpikingLayer(wiring.Component):
    """A layer of neurons that fire, with its delayed recurrence, and delays on the way onward, if it has any.

    Parameters
    ----------
    core : CoreSpec
    index : int
        Number of the layer.

    Members
    -------
    reset : In(1)
        See `SynapsePath`.
    events : In(stream.Signature(event(...)))
        Feed-forward events of a step, each axon at most once, and its mark.
    spikes : Out(stream.Signature(event(...)))
        `axon` is the hardware position of a neuron that fired.
    trace : Out
        See `SynapsePath`.
    """

    def __init__(self, core: CoreSpec, index: int) -> None:
        image = core.layers[index]
        spec = image.spec
        self._image = image
        self.synapses = SynapsePath(core, index)
        self.serializer: BitSerializer | OnwardBuffer
        self.delay = None
        self.targets = list(self.synapses.targets)
        if image.onward is None:
            depth = 2 * image.rows + 2
            bits = spec.count_bits
            self.serializer = BitSerializer(rows=image.rows, width=image.lanes, depth=depth, value_bits=bits)
        else:
            self.serializer = OnwardBuffer(image.onward, name=f"layer{index}")
            self.targets += [self.serializer.rom, self.serializer.final]
        if image.loop is not None:
            # Marks wait in the queues of the lanes, and a few are on their way there or being swept.
            self.delay = DelayBuffer(image.loop, name=f"layer{index}", ahead=core.queue_depth + RowFetch.LATENCY + 3)
            self.merge = EventMerge(spec)
            self.targets += [self.delay.rom, self.delay.final]
        super().__init__(
            {
                "reset": In(1),
                "events": In(stream.Signature(event(spec.inputs, spec.value_bits))),
                "spikes": Out(stream.Signature(event(spec.neurons, spec.count_bits))),
                "trace": Out(trace_ports(image, core.membrane_bits(index))),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.synapses = synapses = self.synapses
        serializer = self.serializer
        parts: dict[str, Any] = {"serializer": serializer}
        if self.delay is not None:
            parts |= {"delay": self.delay, "merge": self.merge}
        add_parts(m, self.reset, **parts)
        trace = synapses.trace
        wiring.connect(m, trace, wiring.flipped(self.trace))
        m.d.comb += [
            synapses.reset.eq(self.reset),
            # Two steps fit.
            synapses.room.eq(
                serializer.room if isinstance(serializer, OnwardBuffer) else serializer.level <= self._image.rows + 1
            ),
            synapses.clear.eq(synapses.begin),
        ]
        if isinstance(serializer, OnwardBuffer):
            m.d.comb += store_step(serializer, trace, synapses)
            sent = serializer.events
        else:
            m.d.comb += [
                serializer.rows.valid.eq((trace.valid & trace.spikes.any()) | synapses.mark),
                serializer.rows.payload.index.eq(trace.row),
                *give_spikes(serializer.rows.payload, trace.spikes, self._image.spec.count_bits),
                serializer.rows.payload.mark.eq(synapses.mark),
                serializer.rows.payload.last.eq(synapses.last),
                serializer.rows.payload.error.eq(synapses.error),
            ]
            sent = serializer.o
        m.d.comb += [
            self.spikes.valid.eq(sent.valid),
            sent.ready.eq(self.spikes.ready),
            *assign_fields(self.spikes.payload, sent.payload),
        ]
        if self.delay is None:
            wiring.connect(m, wiring.flipped(self.events), synapses.events)
        else:
            delay, merge = self.delay, self.merge
            wiring.connect(m, wiring.flipped(self.events), merge.feed)
            wiring.connect(m, delay.events, merge.delayed)
            wiring.connect(m, merge.o, synapses.events)
            m.d.comb += [
                delay.mark.eq(merge.mark),
                delay.last.eq(merge.last),
                delay.valid.eq(trace.valid),
                delay.bits.eq(trace.spikes),
                delay.complete.eq(synapses.mark),
            ]
        return m


class ReadoutLayer(wiring.Component):
    """The last layer: its synapses, its leaky integrators and the decision.

    Parameters
    ----------
    core : CoreSpec

    Members
    -------
    reset : In(1)
        See `SynapsePath`.
    events : In(stream.Signature(event(...)))
    results : Out(stream.Signature(result(score_bits)))
    trace : Out
        See `SynapsePath`.
    """

    def __init__(self, core: CoreSpec) -> None:
        index = len(core.layers) - 1
        image = core.layers[index]
        score_bits = core.score_bits
        self.synapses = SynapsePath(core, index, score_bits=score_bits)
        self.sender = ScoreSender(image, score_bits=score_bits)
        self.hold = ScoreHold()
        self.targets = self.synapses.targets
        super().__init__(
            {
                "reset": In(1),
                "events": In(stream.Signature(event(image.spec.inputs, image.spec.value_bits))),
                "results": Out(stream.Signature(result(score_bits))),
                "trace": Out(trace_ports(image, core.membrane_bits(index))),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.synapses = synapses = self.synapses
        sender, hold = self.sender, self.hold
        add_parts(m, self.reset, sender=sender, hold=hold)
        wiring.connect(m, wiring.flipped(self.events), synapses.events)
        wiring.connect(m, synapses.trace, wiring.flipped(self.trace))
        wiring.connect(m, sender.results, wiring.flipped(self.results))
        m.d.comb += [
            synapses.reset.eq(self.reset),
            hold.begin.eq(synapses.begin),
            hold.final.eq(synapses.final),
            hold.taken.eq(sender.taken),
            synapses.room.eq(hold.room),
            synapses.clear.eq(hold.clear),
            sender.start.eq(synapses.mark & synapses.last),
            sender.error.eq(synapses.error),
            synapses.score_row.eq(sender.row),
            *(sender.scores[lane].eq(score) for lane, score in enumerate(synapses.scores)),
        ]
        return m
