"""Axonal delays: the spikes of the last steps, and a program that picks those that arrive."""

from __future__ import annotations

from typing import Any, NamedTuple

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikewright.contract.delays import DelayPlan
from spikewright.contract.integers import unsigned_bits

from .arithmetic import following
from .layouts import MARK, assign_fields, delay_entry, delay_program, delayed, event, widened
from .ram import Ram
from .rom import Rom, Setting
from .serializer import BitSerializer, give_spikes


class _Step(NamedTuple):
    """What a cycle of the program does."""

    passes: Signal
    """An entry is done in this cycle."""
    entry: Any
    exists: Signal
    """The step that the entry asks for is one of the sample."""
    end: Any
    """The mark of the step leaves."""


class DelayBuffer(wiring.Component):
    """Delivers a spike of neuron j at step t with the events of step t + 1 + delays[j].

    ::

        m.submodules.delays = delays = DelayBuffer(image.loop, name="layer0", ahead=2)
        m.d.comb += [delays.valid.eq(row_valid), delays.bits.eq(row_bits), delays.complete.eq(row_was_last)]
        m.d.comb += [delays.mark.eq(merge.mark), delays.last.eq(merge.last)]
        wiring.connect(m, delays.events, merge.delayed)

    Rows of spikes are kept as they come, in a ring with a slot for every step that may still be asked for: nothing can
    overflow, nothing is ever cleared. The neurons of a row that have the same delay are an entry of a program, long
    delays first. Every step runs through it, one entry a cycle: the row of as many steps ago is read, and the bits of
    the entry's neurons are sent. An entry whose row is not complete yet waits for it; one that asks for a step before
    the start of the sample finds nothing. The program of a step starts with the mark of the step before, so a layer
    without short delays gets its delayed spikes while it still sweeps.

    The first entry is read two cycles after the mark, its spikes are offered six cycles later (seven in rows of more
    than `BitSerializer.GROUP` bits).

    Parameters
    ----------
    plan : DelayPlan
    name : str
        Prefix of two memory images. `<name>_delays` has a word per entry of `DelayPlan.program`: `offset` in the low
        bits, then `delay`, `row` and `mask`. `<name>_delays_final` is the number of its last entry.
    ahead : int
        Most steps that have been passed and are not complete.

    Members
    -------
    valid, bits : In
        A row of spikes of the current step, or of their numbers in `value_bits` of the plan; all of a step in order,
        also those without spikes.
    complete : In(1)
        All rows of a step were there, the last of them a cycle ago.
    mark, last : In(1)
        All events of a step, delayed ones included, have been taken; `last` ends the sample.
    events : Out(stream.Signature(event(...)))
        The delayed spikes of a step, their numbers as the value, and a mark.
    """

    _FIRST_IS_EMPTY = True
    """The first step of a sample brings nothing, so its mark is sent without a program."""

    def __init__(self, plan: DelayPlan, *, name: str, ahead: int) -> None:
        self._plan = plan
        self._rows = plan.rows
        self._lanes = plan.lanes
        self._slots = plan.slots
        self._ahead = ahead
        self._entries = plan.entries
        self._depth = plan.entries + 1
        self._entry = delay_entry(plan)
        words = delay_program(plan)
        self.rom = Rom(
            name=f"{name}_delays",
            width=self._entry.size,
            words=words,
            capacity=self._entries if plan.loadable else None,
        )
        self.final = Setting(
            name=f"{name}_delays_final",
            width=unsigned_bits(self._entries - 1),
            word=len(words) - 1,
            loadable=plan.loadable,
        )
        super().__init__(self._ports())

    def _ports(self) -> dict[str, Any]:
        return {
            "valid": In(1),
            "bits": In(self._plan.ring_width),
            "complete": In(1),
            "mark": In(1),
            "last": In(1),
            "events": Out(stream.Signature(event(self._plan.neurons, self._plan.value_bits))),
        }

    @property
    def depth(self) -> int:
        """Words of the ring."""
        return self._plan.ring_words

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.rom = self.rom
        m.submodules.ring = ring = Ram(width=self._plan.ring_width, depth=self.depth)
        m.submodules.final = self.final
        m.submodules.serializer = serializer = BitSerializer(
            rows=self._rows, width=self._lanes, depth=self._depth, value_bits=self._plan.value_bits
        )
        m.d.comb += [
            self.events.valid.eq(serializer.o.valid),
            serializer.o.ready.eq(self.events.ready),
            *assign_fields(self.events.payload, serializer.o.payload),
        ]

        # Keep what was fired.
        write = Signal(range(self.depth))
        m.d.comb += [ring.write_en.eq(self.valid), ring.write_addr.eq(write), ring.write_data.eq(self.bits)]
        with m.If(self.valid):
            m.d.sync += write.eq(following(write, self.depth))

        lag = self._count_lag(m)
        # Steps of the sample before the one that is sent.
        age = Signal(range(self._slots + 1))
        # First word of the slot in which the rows of the step that is sent will be kept.
        base = Signal(unsigned_bits(self.depth - self._rows))
        with m.If(self.mark):
            m.d.sync += [
                age.eq(self._next_age(m, Mux(age == self._slots, age, age + 1))),
                base.eq(Mux(base >= self.depth - self._rows, 0, base + self._rows)),
            ]
        self._look_up(m, self._run_program(m, lag, age), base, ring, serializer)
        return m

    def _count_lag(self, m: Module) -> Any:
        """Steps that were passed but are not complete."""
        lag = Signal(range(self._ahead + 2))
        m.d.sync += lag.eq(lag + self.mark - self.complete)
        return lag

    def _next_age(self, m: Module, older: Any) -> Any:
        """With the mark, that of the step that is sent next, which is `older` within a sample."""
        return Mux(self.last, 0, older)

    def _run_program(self, m: Module, lag: Any, age: Signal) -> _Step:
        """Fetch the program, round and round; its first entry waits for the mark."""
        rom, final = self.rom, self.final
        running = Signal()
        passes = Signal()
        advance = Signal()
        filled = Signal(2)
        fetched = Signal.like(final.data)
        entry = Signal(self._entry)
        index = Signal.like(fetched)
        at_end = Signal()
        exists = Signal()
        m.d.comb += [
            exists.eq(entry.delay < age),
            passes.eq(running & ~(exists & (entry.delay < lag))),
            advance.eq(passes | ~filled[1]),
            at_end.eq(index == final.data),
            rom.addr.eq(fetched),
            rom.en.eq(advance),
        ]
        m.d.sync += filled.eq(filled << 1 | 1)
        with m.If(advance):
            m.d.sync += [entry.eq(rom.data), fetched.eq(Mux(fetched == final.data, 0, fetched + 1))]
        with m.If(passes):
            m.d.sync += index.eq(Mux(at_end, 0, index + 1))
            with m.If(at_end):
                m.d.sync += running.eq(0)
        with m.If(self.mark & ~self.last if self._FIRST_IS_EMPTY else self.mark):
            m.d.sync += running.eq(1)
        # The mark follows the last entry through the same stages. No spike is older than a sample.
        end = Signal(4, init=int(self._FIRST_IS_EMPTY))
        ends = end << 1 | (passes & at_end)
        m.d.sync += end.eq(ends | (self.mark & self.last) if self._FIRST_IS_EMPTY else ends)
        self._watch(m, running, end)
        return _Step(passes, entry, exists, end[-1])

    def _watch(self, m: Module, running: Signal, end: Signal) -> None:
        """What the program is at: an entry, or the end on its way."""

    def _look_up(self, m: Module, step: _Step, base: Signal, ring: Ram, serializer: BitSerializer) -> None:
        """Read the row that was fired so long ago, and pick the neurons of the entry."""
        entry = step.entry
        back = Signal(range(-self.depth, self.depth))
        m.d.comb += back.eq(base - entry.offset)
        m.d.sync += ring.read_addr.eq(Mux(back < 0, back + self.depth, back))
        m.d.comb += ring.read_en.eq(1)
        masks = delayed(m, entry.mask & step.exists.replicate(self._lanes), 2, name="mask")
        rows = delayed(m, entry.row, 3, name="row")
        found = delayed(m, step.passes, 3, name="found")[-1]
        bits = Signal(self._plan.ring_width)
        m.d.sync += bits.eq(ring.read_data & widened(masks[-1], self._plan.value_bits))
        m.d.comb += [
            serializer.rows.valid.eq((found & bits.any()) | step.end),
            serializer.rows.payload.index.eq(rows[-1]),
            *give_spikes(serializer.rows.payload, bits, self._plan.value_bits),
            serializer.rows.payload.mark.eq(step.end),
        ]


class OnwardBuffer(DelayBuffer):
    """Sends a spike of neuron j at step t to the next layer with the events of step t + delays[j].

    ::

        m.submodules.onward = onward = OnwardBuffer(image.onward, name="layer0")
        m.d.comb += [onward.valid.eq(row_valid), onward.bits.eq(row_bits), begin.eq(may_begin & onward.room)]
        m.d.comb += [onward.mark.eq(row_was_last), onward.last.eq(last), onward.error.eq(error)]
        wiring.connect(m, onward.events, next_layer.events)

    The ring and the program of a `DelayBuffer`, which here runs once a step is complete: what it finds are all events
    of that step, and the mark has its flags. The first entry is read two cycles after the mark; its spikes are
    offered six cycles later (seven in rows of more than `BitSerializer.GROUP` bits).

    Parameters
    ----------
    plan : DelayPlan
    name : str
        As of a `DelayBuffer`, of `<name>_onward_delays` and `<name>_onward_delays_final`.
    steps : int
        1, or 2: a step may come while the one before is still being sent.

    Members
    -------
    valid, bits : In
        A row of spikes, as of a `DelayBuffer`; all of a step in order, also those without spikes.
    mark, last, error : In(1)
        In the cycle after the last row of a step, with its flags; no row comes while there is no `room`.
    events : Out(stream.Signature(event(...)))
    room : Out(1)
        A step may begin, whose first row comes two cycles later or more.
    """

    _FIRST_IS_EMPTY = False

    def __init__(self, plan: DelayPlan, *, name: str, steps: int = 2) -> None:
        super().__init__(plan, name=f"{name}_onward", ahead=0)
        self._depth *= steps

    def _ports(self) -> dict[str, Any]:
        ports = {**super()._ports(), "error": In(1), "room": Out(1)}
        del ports["complete"]
        return ports

    def _count_lag(self, m: Module) -> Any:
        return 0

    def _next_age(self, m: Module, older: Any) -> Any:
        first = Signal(init=1)
        with m.If(self.mark):
            m.d.sync += first.eq(self.last)
        return Mux(first, 1, older)

    def _watch(self, m: Module, running: Signal, end: Signal) -> None:
        m.d.comb += self.room.eq(~running & ~end.any() & (self._level <= self._depth - self._entries - 1))

    def _look_up(self, m: Module, step: _Step, base: Signal, ring: Ram, serializer: BitSerializer) -> None:
        super()._look_up(m, step, base, ring, serializer)
        flags = Signal(MARK)
        with m.If(self.mark):
            m.d.sync += [flags.last.eq(self.last), flags.error.eq(self.error)]
        m.d.comb += [
            self._level.eq(serializer.level),
            serializer.rows.payload.last.eq(flags.last),
            serializer.rows.payload.error.eq(flags.error),
        ]

    def elaborate(self, platform: Any) -> Module:
        self._level = Signal(range(self._depth + 1), name="level")
        return super().elaborate(platform)
