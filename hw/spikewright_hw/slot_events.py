"""Events of the slotted engine: rows of spikes in, one or two words a cycle for all lanes to read out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Array, Cat, Const, Module, Mux, ResetInserter, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikewright.contract.integers import unsigned_bits
from spikewright.contract.slots import SlotImage

from .layouts import delayed
from .ram import RamQueue
from .slot_memory import SlotRom, registered
from .slot_sums import slot_read


def spike_row(rows: int, width: int) -> data.StructLayout:
    """A row of spikes and their `count`: at least one is `some`, two are `more`, three are `several`.

    At the `end` of a step, `last` and `error` belong to it.
    """
    flags = dict.fromkeys(("some", "more", "several", "end", "last", "error"), 1)
    return data.StructLayout({"bits": width, "row": unsigned_bits(rows - 1), "count": width.bit_length(), **flags})


def at_least(bits: Any, number: int) -> Any:
    """Whether at least so many bits, 1 .. 3, are set: a tree, not a sum."""
    groups: list[tuple[Any, Any, Any]] = [(bits[k], Const(0), Const(0)) for k in range(len(bits))]
    while len(groups) > 1:
        joined = [
            (
                a[0] | b[0],
                a[1] | b[1] | (a[0] & b[0]),
                a[2] | b[2] | (a[1] & b[0]) | (a[0] & b[1]),
            )
            for a, b in zip(groups[::2], groups[1::2], strict=False)
        ]
        groups = joined + groups[2 * len(joined) :]
    return groups[0][number - 1]


def count_of(bits: Any) -> Any:
    """How many bits are set."""
    return sum(bits[1:], start=bits[0])


def lowest_of(bits: Any) -> Any:
    """Position of the lowest bit that is set, as many bits as it needs: a tree, as rows are wide."""
    if len(bits) == 1:
        return Const(0, 0)
    half = 1 << (len(bits) - 1).bit_length() - 1
    low, high = lowest_of(bits[:half]), lowest_of(bits[half:])
    none = ~bits[:half].any()
    return Cat(Mux(none, high, low), none)


def highest_of(bits: Any) -> Any:
    """Position of the highest bit that is set, like `lowest_of`."""
    if len(bits) == 1:
        return Const(0, 0)
    half = 1 << (len(bits) - 1).bit_length() - 1
    low, high = highest_of(bits[:half]), highest_of(bits[half:])
    some = bits[half:].any()
    return Cat(Mux(some, Cat(high, Const(0, len(low) - len(high))), low), some)


def slot_events(slots: SlotImage, axons: int) -> data.StructLayout:
    """Events of a cycle, a `value` each where it is to be multiplied by; a mark comes with the last ones, or alone."""
    return data.StructLayout(
        {
            "axons": data.ArrayLayout(unsigned_bits(axons - 1), slots.reads),
            "valid": slots.reads,
            "values": data.ArrayLayout(slots.image.spec.value_bits if slots.multiplies else 0, slots.reads),
            "mark": 1,
            "last": 1,
            "error": 1,
        }
    )


class WordFetch(wiring.Component):
    """Looks up the words of axons, and asks all lanes for them: the ports wait for that with the most words.

    Parameters
    ----------
    slots : SlotImage
    axons : list of (int, int) or None
        For every number that an axon has here, its number in `slots` and the value of its events; or None.
    name : str
        Prefix of the memory image `<name>_axons`: the first word of an axon, then how many follow it (where any axon
        has several), then whether it has any.

    Members
    -------
    events : In(slot_events(slots, len(axons)))
    stall : Out(1)
        Events are not taken.
    o : Out(slot_read(slots))
        Two cycles after the event, if nothing stalls.
    error : Out(1)
        Belongs to the mark.
    """

    LATENCY = 2

    def __init__(self, slots: SlotImage, axons: Sequence[tuple[int, int] | None], *, name: str) -> None:
        self._slots = slots
        self._pointer = data.StructLayout(
            {"start": slots.address_bits, "more": (slots.most - 1).bit_length(), "present": 1}
        )
        words = [
            self._pointer.const(
                {"start": slots.start(*axon), "more": int(slots.counts[axon[0]]) - 1, "present": 1}
            ).as_bits()
            if axon and slots.counts[axon[0]]
            else 0
            for axon in axons
        ]
        self.rom = SlotRom(name=f"{name}_axons", width=self._pointer.size, words=words, reads=slots.reads)
        super().__init__(
            {
                "events": In(slot_events(slots, len(axons))),
                "stall": Out(1),
                "o": Out(slot_read(slots)),
                "error": Out(1),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.rom = rom = self.rom
        events = self.events
        moves = Signal()
        valid = Signal.like(events.valid)
        values = [Signal.like(value, name=f"value{port}") for port, value in enumerate(events["values"])]
        mark, last, error, marks = (Signal(name=name) for name in ("mark", "last", "error", "marks"))
        left = [Signal(self._pointer["more"].width, name=f"left{port}") for port in range(self._slots.reads)]
        m.d.comb += [moves.eq(~self.stall), rom.en.eq(moves), self.stall.eq(Cat(left).any())]
        with m.If(moves):
            m.d.sync += [
                valid.eq(events.valid),
                *(value.eq(given) for value, given in zip(values, events["values"], strict=True)),
                Cat(mark, last, error).eq(Cat(events.mark, events.last, events.error)),
                Cat(marks, self.o.last, self.error).eq(Cat(mark, last, error)),
            ]
        # It comes with the last of the words.
        m.d.comb += self.o.mark.eq(marks & moves)
        for port, address in enumerate(rom.addr):
            m.d.comb += address.eq(events.axons[port])
            pointer = self._pointer(rom.data[port])
            with m.If(moves):
                m.d.sync += [
                    self.o.addresses[port].eq(pointer.start),
                    self.o["values"][port].eq(values[port]),
                    self.o.valid[port].eq(valid[port] & pointer.present),
                    left[port].eq(Mux(valid[port] & pointer.present, pointer.more, 0)),
                ]
            with m.Else():
                m.d.sync += [
                    self.o.addresses[port].eq(self.o.addresses[port] + 1),
                    self.o.valid[port].eq(left[port] != 0),
                ]
                with m.If(left[port] != 0):
                    m.d.sync += left[port].eq(left[port] - 1)
        return m


class RowMask(wiring.Component):
    """Rows of spikes on their way into a queue: those of axons without synapses vanish, and what is left is counted.

    Parameters
    ----------
    rows, width : int
    present : list of int
        By row, a bit for every axon that has a synapse.

    Members
    -------
    valid, row, bits : In
    last, error : In(1)
        Of the step, in its last row.
    o : Out(stream.Signature(spike_row(rows, width), always_ready=True))
        `LATENCY` cycles later: every row with a spike, and the last one of a step.
    """

    LATENCY = 4
    _COUNTED = 8

    def __init__(self, *, rows: int, width: int, present: list[int]) -> None:
        self._rows = rows
        self._present = present
        row = spike_row(rows, width)
        super().__init__(
            {
                "valid": In(1),
                "row": In(unsigned_bits(rows - 1)),
                "bits": In(width),
                "last": In(1),
                "error": In(1),
                "o": Out(stream.Signature(row, always_ready=True)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        width = len(self.bits)
        present = Array(Const(word, width) for word in self._present)
        # Spikes come from all lanes: the first registers are on their way.
        bits = registered(m, self.bits, name="gathered")
        bits = registered(m, bits & present[registered(m, self.row, name="row_of")], name="masked")
        valid, row, last, error = (
            delayed(m, getattr(self, name), 3, name=name)[-1] for name in ("valid", "row", "last", "error")
        )
        # The sum of many bits is slow.
        counts = [
            registered(m, count_of(bits[low : low + self._COUNTED]), name=f"count{low}")
            for low in range(0, width, self._COUNTED)
        ]
        some, more, several = (registered(m, at_least(bits, number), name=f"least{number}") for number in range(1, 4))
        bits = registered(m, bits, name="counted")
        end = Signal()
        m.d.comb += end.eq(row == self._rows - 1)
        o = self.o.payload
        m.d.sync += [
            self.o.valid.eq(valid & (some | end)),
            o.bits.eq(bits),
            o.row.eq(row),
            o.count.eq(sum(counts)),
            o.some.eq(some),
            o.more.eq(more),
            o.several.eq(several),
            o.end.eq(end),
            o.last.eq(last),
            o.error.eq(error),
        ]
        return m


class SlotRing(wiring.Component):
    """Asks the lanes for the spikes that arrive in a step, row by row, ahead of time.

    A spike of neuron j at step t arrives at step t + 1 + delays[j]; so nothing arrives in the first steps of a sample,
    as many as the shortest delay and one more, and what arrives in a step is known as many steps ahead as the
    shortest delay. The rows are read as soon as they are, at most `HELD` steps ahead.

    Parameters
    ----------
    slots : SlotImage
        Of a recurrent layer.
    latency : int
        From the cycle of `row` to the one in which `bits` are there.

    Members
    -------
    ends, last : In(1)
        The layer has taken all events of a step, of a sample.
    swept : In(1)
        All spikes of a step were fired, the last of them a cycle ago.
    row, step, age : Out
        See `SlotDelay`.
    bits : In(lanes)
    early : Out(1)
        Nothing arrives in the step that is taken.
    o : Out(stream.Signature(spike_row(rows, lanes)))
    """

    HELD = 3

    def __init__(self, slots: SlotImage, *, latency: int) -> None:
        image = slots.image
        assert image.spec.delays is not None
        self._slots = slots
        self._latency = latency
        self.shortest = int(image.spec.delays.min())
        self._row = spike_row(image.rows, image.lanes)
        positions = slots.present[image.spec.inputs :]
        self._mask = present_rows(positions, image.rows, image.lanes)
        super().__init__(
            {
                "ends": In(1),
                "last": In(1),
                "swept": In(1),
                "row": Out(image.row_bits),
                "step": Out(slots.kept_bits, init=self.shortest),
                "age": Out(slots.kept_bits + 1, init=min(1 << slots.kept_bits, self.shortest + 1)),
                "bits": In(image.lanes),
                "early": Out(1, init=1),
                "o": Out(stream.Signature(self._row)),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        image = self._slots.image
        last_row = image.rows - 1
        shortest = self.shortest
        oldest = 1 << self._slots.kept_bits
        over = registered(m, self.ends & self.last, name="over")

        # Steps that were taken and not swept; that were asked for and not swept; asked for and not taken.
        unswept = Signal(4)
        lag = Signal(range(shortest + 18), init=shortest + 1)
        held = Signal(range(self.HELD + 1))
        taken = Signal(len(self.step))
        nth = Signal(range(shortest + 2))
        running = Signal()
        starts = Signal()
        m.d.comb += [
            starts.eq(~running & (lag <= shortest) & (held != self.HELD)),
        ]
        m.d.sync += [
            unswept.eq(unswept + self.ends - self.swept),
            held.eq(held + starts - (self.ends & ~self.early)),
            lag.eq(lag + starts - self.swept),
        ]
        with m.If(self.ends):
            m.d.sync += [
                taken.eq(taken + 1),
                nth.eq(Mux(self.last, 0, Mux(self.early, nth + 1, nth))),
                self.early.eq(self.last | (nth < shortest)),
            ]
        with m.If(starts):
            m.d.sync += running.eq(1)
        with m.If(running):
            m.d.sync += self.row.eq(Mux(self.row == last_row, 0, self.row + 1))
            with m.If(self.row == last_row):
                m.d.sync += [running.eq(0), self.step.eq(self.step + 1)]
                m.d.sync += self.age.eq(Mux(self.age == oldest, oldest, self.age + 1))
        with m.If(over):
            m.d.sync += [
                running.eq(0),
                held.eq(0),
                self.row.eq(0),
                lag.eq(unswept + (shortest + 1) - self.swept),
                self.step.eq(taken + shortest),
                self.age.eq(min(oldest, shortest + 1)),
            ]

        m.submodules.mask = mask = ResetInserter(over)(RowMask(rows=image.rows, width=image.lanes, present=self._mask))
        m.submodules.queue = queue = ResetInserter(over)(RamQueue(self._row, depth=self.HELD * image.rows))
        asked = Signal(self._latency)
        rows = delayed(m, self.row, self._latency, name="row")
        m.d.sync += asked.eq(Mux(over, 0, Cat(running, asked)[: self._latency]))
        m.d.comb += [
            mask.valid.eq(asked[-1] & ~over),
            mask.row.eq(rows[-1]),
            mask.bits.eq(self.bits),
        ]
        wiring.connect(m, mask.o, queue.i)
        wiring.connect(m, queue.o, wiring.flipped(self.o))
        return m


def present_rows(present: Any, rows: int, lanes: int) -> list[int]:
    """By row, a bit for every position with an axon that has a synapse."""
    found = [0] * rows
    for position, here in enumerate(present.tolist()):
        found[position // lanes] |= int(here) << position % lanes
    return found
