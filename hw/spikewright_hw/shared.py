"""The engine of small devices: one set of lanes on which the layers take turns."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikewright.contract.cores import SharedCore

from .delay import DelayBuffer, OnwardBuffer
from .join import StepJoin
from .lane import Lane
from .layer import ScoreHold, store_step, trace_ports
from .layouts import assign_fields, by_layer, event, fired, offer
from .readout import ScoreSender, result
from .reset import add_parts
from .rom import LoadTarget
from .rows import RowFetch
from .serializer import BitSerializer, give_spikes
from .shared_update import SharedUpdate, engine_address


class SharedLane(Lane):
    """A lane for the neurons of all layers: a mark is followed by the sweep of the layer whose turn it is.

    Takes a step of the first layer, one of the second, and so on. Contract and latencies are those of `Lane`; `row` and
    `score_row` count within a layer. After a reset it sweeps all layers.

    Parameters
    ----------
    core : SharedCore
    others
        See `Lane`.
    """

    def __init__(
        self, core: SharedCore, *, lane: int, state_bits: int, membrane_bits: int, score_bits: int, name: str
    ) -> None:
        self._core = core
        # Whose synapses or rows are issued, and up to three cycles later.
        self._stages = [Signal(range(len(core.layers)), name=f"layer{k}") for k in range(4)]
        super().__init__(
            core.engine,
            lane=lane,
            state_bits=state_bits,
            membrane_bits=membrane_bits,
            score_bits=score_bits,
            queue_depth=core.queue_depth,
            name=name,
        )
        self._depth = core.engine_rows

    def _make_update(self, image: Any, **options: Any) -> Any:
        return SharedUpdate(self._core, membrane_bits=self._membrane_bits, **options)

    def _kept_bits(self) -> int:
        return self._core.kept_bits(0)

    def _last_row(self) -> Any:
        return by_layer(self._stages[0], [image.rows - 1 for image in self._core.layers])

    def _end_sweep(self, m: Module, sweeping: Signal, silent: Signal) -> None:
        layer = self._stages[0]
        at_end = layer == len(self._core.layers) - 1
        m.d.sync += [sweeping.eq(silent & ~at_end), layer.eq(Mux(at_end, 0, layer + 1))]

    def _address(self, row: Any) -> Any:
        return engine_address(self._core, self._stages[2], row)

    def _shifted(self, product: Any) -> Any:
        shifts = [image.spec.weight_shift + self._bit for image in self._core.layers]
        shifted = product.shift_left(shifts[0])
        for shift in dict.fromkeys(shifts[1:]):
            theirs = by_layer(self._stages[3], [int(other == shift) for other in shifts])
            shifted = Mux(theirs, product.shift_left(shift), shifted)
        return shifted

    def elaborate(self, platform: Any) -> Module:
        m = super().elaborate(platform)
        m.d.sync += [after.eq(before) for before, after in zip(self._stages[:-1], self._stages[1:], strict=True)]
        m.d.comb += self.update.layer.eq(self._stages[2])
        return m


class TurnMerge(wiring.Component):
    """One stream of events for layers that take turns: a step of each, from its source, numbered as the engine does.

    No latency. Delayed spikes first, as in `EventMerge`: the mark of those is taken in the cycle in which it is offered
    to the layer whose turn it is, and the mark of the step passes from the cycle after that on.

    Parameters
    ----------
    core : SharedCore

    Members
    -------
    i : In(stream.Signature(event(inputs, value_bits)))
        Events of the first layer.
    loop : In(stream.Signature(event(...)))
        Events of the other layers: spikes of the layer before.
    delayed : In(stream.Signature(event(...))).array(layers)
        Used of layers with recurrence.
    onward : In(stream.Signature(event(...))).array(layers)
        Only where a layer delays its spikes on the way to the next: those of such layers, in place of `loop`.
    o : Out(offer(event(axons of all layers, value_bits)))
    mark : Out(1)
        A step of `layer` ends; `last` belongs to it.
    layer : Out(range(layers))
    """

    def __init__(self, core: SharedCore) -> None:
        self._core = core
        network = core.network
        layers = len(core.layers)
        most = max(image.rows * image.lanes for image in core.layers)
        bits = max(image.spec.count_bits for image in core.layers)
        self._several = max((plan.value_bits for image in core.layers for plan in image.plans.values()), default=1)
        self._spikes = event(most, self._several)
        self._feed = event(max(network.inputs, most), max(network.value_bits, bits))
        self._late = [index for index, image in enumerate(core.layers) if image.onward is not None]
        super().__init__(
            {
                "i": In(stream.Signature(event(network.inputs, network.value_bits))),
                "loop": In(stream.Signature(event(most, bits))),
                "delayed": In(stream.Signature(self._spikes)).array(layers),
                **({"onward": In(stream.Signature(self._spikes)).array(layers)} if self._late else {}),
                "o": Out(offer(event(core.engine.spec.axons, core.engine.spec.value_bits))),
                "mark": Out(1),
                "last": Out(1),
                "layer": Out(range(layers)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        specs = [image.spec for image in self._core.layers]
        bases = self._core.axon_bases
        layer = self.layer

        # The sources of the layer whose turn it is.
        feed = stream.Signature(self._feed).create(path=("feed",))
        delayed = stream.Signature(self._spikes).create(path=("delayed",))
        with m.If(layer == 0):
            m.d.comb += [
                feed.valid.eq(self.i.valid),
                *assign_fields(feed.payload, self.i.payload),
                self.i.ready.eq(feed.ready),
            ]
        for index in self._late:
            with m.Elif(layer == index + 1):
                source = self.onward[index]
                m.d.comb += [
                    feed.valid.eq(source.valid),
                    *assign_fields(feed.payload, source.payload),
                    source.ready.eq(feed.ready),
                ]
        with m.Else():
            m.d.comb += [
                feed.valid.eq(self.loop.valid),
                *assign_fields(feed.payload, self.loop.payload),
                self.loop.ready.eq(feed.ready),
            ]
        for index, spec in enumerate(specs):
            if spec.recurrent:
                with m.If(layer == index):
                    m.d.comb += [
                        delayed.valid.eq(self.delayed[index].valid),
                        delayed.payload.eq(self.delayed[index].payload),
                        self.delayed[index].ready.eq(delayed.ready),
                    ]

        complete = Signal()  # all delayed spikes of the step have passed
        spike = Signal()
        axon = Signal.like(feed.payload.axon)
        m.d.comb += [
            spike.eq(delayed.valid & ~delayed.payload.mark),
            axon.eq(Mux(spike, delayed.payload.axon, feed.payload.axon)),
            *assign_fields(self.o.payload, feed.payload),
            self.o.payload.axon.eq(
                axon
                + Mux(
                    spike,
                    by_layer(layer, [base + spec.inputs for base, spec in zip(bases, specs, strict=True)]),
                    by_layer(layer, bases),
                )
            ),
            self.mark.eq(feed.valid & feed.ready & feed.payload.mark),
            self.last.eq(feed.payload.last),
        ]
        with m.If(spike):
            m.d.comb += [
                self.o.valid.eq(1),
                self.o.payload.value.eq(delayed.payload.value if self._several > 1 else 1),
                self.o.payload.mark.eq(0),
                delayed.ready.eq(self.o.ready),
            ]
        with m.Else():
            passes = ~feed.payload.mark | complete | ~by_layer(layer, [int(spec.recurrent) for spec in specs])
            m.d.comb += [
                delayed.ready.eq(1),
                self.o.valid.eq(feed.valid & passes),
                feed.ready.eq(self.o.ready & passes),
            ]
            with m.If(delayed.valid):
                m.d.sync += complete.eq(1)
            with m.Elif(self.mark):
                m.d.sync += complete.eq(0)
        with m.If(self.mark):
            m.d.sync += layer.eq(Mux(layer == len(specs) - 1, 0, layer + 1))
        return m


class SharedEngine(wiring.Component):
    """All layers of a network, one after the other on the same lanes: for every step, a step of each.

    A layer's events reach the queues of the lanes while these still sweep the layer before; nothing else overlaps. The
    spikes of a step go through a serializer to the events of the next layer, or into the ring of delays of their own.

    Parameters
    ----------
    core : SharedCore

    Members
    -------
    reset : In(1)
        Reaches everything in here one cycle later.
    events : In(stream.Signature(event(inputs, value_bits)))
    results : Out(stream.Signature(result(score_bits)))
    trace0, trace1, ... : Out
        See `SynapsePath`, one per layer.
    """

    def __init__(self, core: SharedCore) -> None:
        network = core.network
        self._core = core
        layers = range(len(core.layers))
        self._bits = [core.membrane_bits(index) for index in layers]
        state_bits = max(core.state_bits(index) for index in layers)
        score_bits = core.score_bits
        self.merge = TurnMerge(core)
        self.fetch = RowFetch(core.engine, name="engine")
        self.lanes = [
            SharedLane(
                core,
                lane=lane,
                state_bits=state_bits,
                membrane_bits=max(self._bits),
                score_bits=score_bits,
                name="engine",
            )
            for lane in range(core.engine.lanes)
        ]
        self.join = StepJoin(rows=[image.rows for image in core.layers], lanes=core.engine.lanes)
        # A step is sent before the next one begins.
        rows = max(image.rows for image in core.layers)
        self._counts = [image.spec.count_bits for image in core.layers]
        self.serializer = None
        if core.layers[1:]:
            lanes, bits = core.engine.lanes, max(self._counts)
            self.serializer = BitSerializer(rows=rows, width=lanes, depth=rows + 1, value_bits=bits)
        self.delays = {
            index: DelayBuffer(image.loop, name=f"layer{index}", ahead=1)
            for index, image in enumerate(core.layers)
            if image.loop is not None
        }
        # A step is sent before the next one begins.
        self.onward = {
            index: OnwardBuffer(image.onward, name=f"layer{index}", steps=1)
            for index, image in enumerate(core.layers)
            if image.onward is not None
        }
        of_lanes = [target for lane in self.lanes for target in (lane.rom, lane.update.rom)]
        delays = [*self.delays.values(), *self.onward.values()]
        of_delays = [target for delay in delays for target in (delay.rom, delay.final)]
        self.targets: list[LoadTarget] = [self.fetch.rom, *of_lanes, *of_delays]
        self.sender = ScoreSender(core.layers[-1], score_bits=score_bits)
        self.hold = ScoreHold()
        super().__init__(
            {
                "reset": In(1),
                "events": In(stream.Signature(event(network.inputs, network.value_bits))),
                "results": Out(stream.Signature(result(score_bits))),
                **{
                    f"trace{index}": Out(trace_ports(image, bits))
                    for index, (image, bits) in enumerate(zip(core.layers, self._bits, strict=True))
                },
            }
        )

    def _row_of(self, index: int) -> Any:
        """What the lanes show of a layer, as its ring of delays keeps it."""
        numbers, bits = [lane.spike for lane in self.lanes], self._counts[index]
        return fired(numbers) if bits == 1 else Cat(number[:bits] for number in numbers)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        readout = len(self._core.layers) - 1
        merge, fetch, join, sender, hold = self.merge, self.fetch, self.join, self.sender, self.hold
        parts: dict[str, Any] = {"merge": merge, "fetch": fetch, "join": join, "sender": sender, "hold": hold}
        if self.serializer is not None:
            parts["serializer"] = self.serializer
        parts |= {f"delay{index}": delay for index, delay in self.delays.items()}
        parts |= {f"onward{index}": onward for index, onward in self.onward.items()}
        add_parts(m, self.reset, **parts)
        wiring.connect(m, wiring.flipped(self.events), merge.i)
        wiring.connect(m, merge.o, fetch.events)
        wiring.connect(m, sender.results, wiring.flipped(self.results))
        for index, lane in enumerate(self.lanes):
            add_parts(m, self.reset, register=f"reset{index}", **{f"lane{index}": lane})
            wiring.connect(m, fetch.runs[index], lane.runs)
            m.d.comb += [lane.row.eq(join.row), lane.score_row.eq(sender.row), sender.scores[index].eq(lane.score)]
        layer = join.layer if readout else 0
        spikes = Cat(lane.spike for lane in self.lanes)
        m.d.comb += [
            fetch.room.eq(Cat(lane.room for lane in self.lanes)),
            join.started.eq(Cat(lane.started for lane in self.lanes)),
            join.flags.eq(self.lanes[0].flags),
            sender.error.eq(join.error),
        ]
        m.d.comb += [
            hold.begin.eq(join.begin),
            hold.final.eq(join.begin & join.flags.last & (layer == readout)),
            hold.taken.eq(sender.taken),
            join.room.eq(hold.room),
            sender.start.eq(join.mark & join.last & (layer == readout)),
            *(lane.clear.eq(hold.clear) for lane in self.lanes),
        ]

        if self.serializer is not None:
            serializer = self.serializer
            sends = layer != readout
            for index in self.onward:
                sends = sends & (layer != index)
            wiring.connect(m, serializer.o, merge.loop)
            m.d.comb += [
                serializer.rows.valid.eq(sends & ((join.valid & spikes.any()) | join.mark)),
                serializer.rows.payload.index.eq(join.index),
                *give_spikes(serializer.rows.payload, spikes, max(self._counts)),
                serializer.rows.payload.mark.eq(join.mark),
                serializer.rows.payload.last.eq(join.last),
                serializer.rows.payload.error.eq(join.error),
            ]
        for index, delay in self.delays.items():
            m.d.comb += [
                merge.delayed[index].valid.eq(delay.events.valid),
                *assign_fields(merge.delayed[index].payload, delay.events.payload),
                delay.events.ready.eq(merge.delayed[index].ready),
                delay.mark.eq(merge.mark & (merge.layer == index)),
                delay.last.eq(merge.last),
                delay.valid.eq(join.valid & (layer == index)),
                delay.bits.eq(self._row_of(index)),
                delay.complete.eq(join.mark & (layer == index)),
            ]
        for index, bits in enumerate(self._bits):
            trace = getattr(self, f"trace{index}")
            m.d.comb += [
                trace.valid.eq(join.valid & (layer == index)),
                trace.row.eq(join.index),
                trace.v.eq(Cat(lane.v[:bits] for lane in self.lanes)),
            ]
            if index != readout:
                own = self._counts[index]
                narrow = spikes if own == max(self._counts) else Cat(lane.spike[:own] for lane in self.lanes)
                m.d.comb += trace.spikes.eq(narrow)
            if index in self.onward:
                onward, source = self.onward[index], merge.onward[index]
                m.d.comb += [
                    *store_step(onward, trace, join, turn=layer == index),
                    source.valid.eq(onward.events.valid),
                    *assign_fields(source.payload, onward.events.payload),
                    onward.events.ready.eq(source.ready),
                ]
        return m
