"""Where the events of the slotted engine come from: the input, or rows of spikes."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from spikewright.contract.integers import unsigned_bits
from spikewright.contract.slots import SlotImage

from .layouts import assign_fields, event, pair
from .slot_events import highest_of, lowest_of, slot_events, spike_row


def exceeds(value: Any, number: int) -> Any:
    """Whether a value is greater than a number; no comparison if its width allows none that is."""
    return value > number if number < (1 << len(value)) - 1 else Const(0)


class StepPace(wiring.Component):
    """Keeps the marks of a layer at least `least` cycles apart, less those in which nothing moved.

    Members
    -------
    mark : In(1)
        A mark leaves; only while `ready`.
    moves : In(1)
    ready : Out(1)
    """

    def __init__(self, least: int) -> None:
        self._least = least
        super().__init__({"mark": In(1), "moves": In(1), "ready": Out(1)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        left = Signal(range(self._least))
        m.d.sync += self.ready.eq(((left == 0) | ((left == 1) & self.moves)) & ~self.mark)
        with m.If(self.mark):
            m.d.sync += left.eq(self._least - 1)
        with m.Elif(self.moves & (left != 0)):
            m.d.sync += left.eq(left - 1)
        return m


class RowPort(wiring.Component):
    """Positions of the spikes of a row, one a cycle, the lowest first; the highest too, for a port that has none.

    Parameters
    ----------
    row : data.StructLayout
        A `spike_row`.

    Members
    -------
    moves : In(1)
        What is offered is taken.
    spare : Out(1)
        It has two spikes at least.
    gives : In(1)
        Where it `moves`, the highest is taken too; only while it has one to `spare`.
    wants : Out(1)
        It moves and has nothing to offer in the next cycle, unless it is given a row.
    load : In(1)
        It is; only while it `wants`.
    kept : In(1)
        With `load`, which comes early: whether it has the row from then on, or none.
    given : In(row)
    tag : In(1)
        Kept beside the row.
    valid, lowest, highest : Out
        Each position is the bit, then the row, then the tag.
    """

    def __init__(self, row: data.StructLayout) -> None:
        self._bits = len_of(row, "bits")
        position = (self._bits - 1).bit_length() + len_of(row, "row") + 1
        super().__init__(
            {
                "moves": In(1),
                "spare": Out(1),
                "gives": In(1),
                "wants": Out(1),
                "load": In(1),
                "kept": In(1),
                "given": In(row),
                "tag": In(1),
                "valid": Out(1),
                "lowest": Out(position),
                "highest": Out(position),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        bits = Signal(self._bits)
        row = Signal.like(self.given.row)
        tag = Signal()
        # The count of spikes, and what is to be known of it at once.
        count = Signal.like(self.given.count)
        more = Signal()
        several = Signal()
        backwards = bits[::-1]
        without_highest = (backwards & (backwards - 1))[: self._bits][::-1]
        m.d.comb += [
            self.spare.eq(self.valid & more),
            self.wants.eq(self.moves & ~(self.valid & more & (several | ~self.gives))),
            self.lowest.eq(Cat(lowest_of(bits), row, tag)),
            self.highest.eq(Cat(highest_of(bits), row, tag)),
        ]
        with m.If(self.moves):
            m.d.sync += [
                bits.eq(bits & (bits - 1) & Mux(self.gives, without_highest, ~0)),
                count.eq(count - Mux(self.gives, 2, 1)),
                *(
                    flag.eq(self.valid & Mux(self.gives, exceeds(count, number + 2), exceeds(count, number + 1)))
                    for number, flag in enumerate((self.valid, more, several))
                ),
            ]
        with m.If(self.load):
            m.d.sync += [
                bits.eq(self.given.bits),
                count.eq(self.given.count),
                self.valid.eq(self.given.some & self.kept),
                more.eq(self.given.more),
                several.eq(self.given.several),
                row.eq(self.given.row),
                tag.eq(self.tag),
            ]
        return m


def source_ports(slots: SlotImage, axons: int) -> dict[str, Any]:
    """What the sources of events have in common."""
    image = slots.image
    late = {"late": In(stream.Signature(spike_row(image.rows, image.lanes))), "early": In(1)}
    return {
        **(late if image.spec.recurrent else {}),
        "stall": In(1),
        "room": In(1),
        "ends": Out(1),
        "last": Out(1),
        "o": Out(slot_events(slots, axons)),
    }


class StreamSource(wiring.Component):
    """Events of the input, one or two a cycle, and delayed spikes beside them where the layer is recurrent.

    Where there are words for values up to `SlotImage.values`, a beat with a greater one is sent in several cycles, each
    with as much of it as there are words for.

    Parameters
    ----------
    slots : SlotImage
        Of two reads a cycle where the layer is recurrent, or the input has two events a beat; else of one.
    least : int
        See `StepPace`.

    Members
    -------
    events : In(stream.Signature(event(inputs, value_bits)))
        A `pair` for two reads a cycle, unless the layer is recurrent.
    late : In(stream.Signature(spike_row(...)))
        Delayed spikes, which the second port sends; only of a recurrent layer.
    early : In(1)
        Likewise: the step has none, and `late` is not looked at.
    stall : In(1)
        What is offered in `o` was not taken.
    room : In(1)
        A step may end.
    ends, last : Out(1)
        It does, and the sample with it.
    o : Out(slot_events(slots, axons))
        One cycle after an event was taken; a mark comes in a cycle of its own. Above the axon, which has its number in
        `slots`, is the value, less one, by which its words are looked up. Delayed spikes are numbered by row and bit,
        in the upper half.
    """

    def __init__(self, slots: SlotImage, *, least: int) -> None:
        image = slots.image
        self._slots = slots
        self._least = least
        self._late = image.spec.recurrent
        row = spike_row(image.rows, image.lanes)
        self.place_bits = unsigned_bits(image.spec.inputs - 1)
        if self._late:
            self.place_bits = max(self.place_bits, len_of(row, "row") + (image.lanes - 1).bit_length())
        self.axons = 1 << (self.place_bits + slots.chunk_bits + self._late)
        beat = event if self._late or slots.reads == 1 else pair
        events = In(stream.Signature(beat(image.spec.inputs, image.spec.value_bits)))
        super().__init__({"events": events, **source_ports(slots, self.axons)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.pace = pace = StepPace(self._least)
        given = self.events.payload
        complete = Signal()
        takes = Signal()
        moves = Signal()
        given_events = [(given.axon, given.value)]
        if not self._late and self._slots.reads > 1:
            given_events.append((given.second_axon, given.second_value))
        again = Signal()
        m.d.comb += [
            moves.eq(~self.stall),
            pace.moves.eq(moves),
            pace.mark.eq(self.ends),
            self.events.ready.eq(moves & ~again & (~given.mark | (complete & pace.ready & self.room))),
            takes.eq(self.events.valid & self.events.ready),
            self.ends.eq(takes & given.mark),
            self.last.eq(given.last),
        ]
        with m.If(moves):
            m.d.sync += [self.o.mark.eq(self.ends), self.o.last.eq(given.last), self.o.error.eq(given.error)]
        sends = [
            self._event(m, port, moves, takes & ~given.mark, again, *of_port)
            for port, of_port in enumerate(given_events)
        ]
        if self._slots.chunk_bits:
            m.d.comb += again.eq(Cat(sends).any())
        if self._late:
            self._delayed(m, moves, complete)
        else:
            m.d.comb += complete.eq(1)
        return m

    def _event(self, m: Module, port: int, moves: Any, takes: Any, again: Any, axon: Any, value: Any) -> Any:
        """Send an event, and return whether some of its value is left for the cycles that follow."""
        number, valid = self.o.axons[port], self.o.valid[port]
        if not self._slots.chunk_bits:
            with m.If(moves):
                m.d.sync += [
                    number.eq(axon),
                    self.o["values"][port].eq(value),
                    valid.eq(takes & (value != 0 if port else 1)),
                ]
            return Const(0)
        most = self._slots.values
        left = Signal.like(value, name=f"left{port}")
        more = Signal(name=f"more{port}")
        now = Mux(again, left, Mux(takes, value, 0))
        greater = exceeds(now, most)
        chunk = Mux(greater, most, now)
        kept = Mux(again, number[: self.place_bits], axon)
        with m.If(moves):
            m.d.sync += [
                number.eq(Cat(kept, Const(0, self.place_bits - len(kept)), (chunk - 1)[: self._slots.chunk_bits])),
                valid.eq(now != 0),
                left.eq(now - chunk),
                more.eq(greater),
            ]
        return more

    def _delayed(self, m: Module, moves: Signal, complete: Signal) -> None:
        m.submodules.port = port = RowPort(self.late.payload.shape())
        done = Signal()
        m.d.comb += [
            port.moves.eq(moves),
            port.given.eq(self.late.payload),
            port.load.eq(port.wants & self.late.valid & ~done & ~self.early),
            port.kept.eq(1),
            self.late.ready.eq(port.load),
            complete.eq((done | self.early) & ~port.valid),
        ]
        with m.If(moves):
            m.d.sync += [
                self.o.axons[1].eq(port.lowest[:-1] | self.axons >> 1),
                self.o["values"][1].eq(1),
                self.o.valid[1].eq(port.valid),
            ]
        with m.If(self.ends):
            m.d.sync += done.eq(0)
        with m.Elif(port.load & self.late.payload.end):
            m.d.sync += done.eq(1)


class RowSource(wiring.Component):
    """Positions of the spikes of a step, as many a cycle as words are read, from rows of bits.

    Every port works on a row of its own, and takes the next one that waits as it comes to the last spike; while there
    is none for it, it sends the highest spikes of the other port's row. Where there are rows of delayed spikes too, the
    first port prefers those of the layer before, the second the delayed ones. The mark comes with the last spikes of a
    step, and in that cycle rows of the next one are taken.

    Parameters
    ----------
    slots : SlotImage
    feed : data.StructLayout
        `spike_row` of the layer before.
    least : int
        See `StepPace`.

    Members
    -------
    feed : In(stream.Signature(feed))
    others
        See `StreamSource`. An axon is numbered by bit, row and source, which is 1 for delayed spikes.
    """

    def __init__(self, slots: SlotImage, feed: data.StructLayout, *, least: int) -> None:
        self._slots = slots
        self._least = least
        self._late = slots.image.spec.recurrent
        self.row_bits, self.bit_bits = source_bits(slots, feed)
        self._row = spike_row(1 << self.row_bits, 1 << self.bit_bits)
        self.axons = 1 << (self.row_bits + self.bit_bits + self._late)
        super().__init__({"feed": In(stream.Signature(feed)), **source_ports(slots, self.axons)})

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.pace = pace = StepPace(self._least)
        moves = Signal()
        m.d.comb += [moves.eq(~self.stall), pace.moves.eq(moves), pace.mark.eq(self.ends)]
        done = Signal(1 + self._late)
        offered = Signal(1 + self._late)
        flags = Signal(2)
        complete, kept = Signal(), Signal()
        # Rows of the next step are offered as soon as none of this one is left, and kept in the cycle in which it ends:
        # that comes late.
        m.d.comb += offered[0].eq(self.feed.valid & (~done[0] | complete))
        if self._late:
            # Behind the last step, delayed spikes are of steps that never come.
            m.d.comb += [
                complete.eq(done[0] & (done[1] | self.early)),
                offered[1].eq(self.late.valid & ~self.early & (~done[1] | (complete & ~self.last))),
            ]
        else:
            m.d.comb += complete.eq(done[0])
        wants = self._ports(m, offered, moves, kept)
        m.d.comb += [
            self.ends.eq(complete & wants.all() & pace.ready & self.room),
            self.last.eq(flags[0]),
            kept.eq(~complete | self.ends),
        ]
        with m.If(self.ends):
            m.d.sync += done.eq(0)
        with m.If(self.feed.ready & self.feed.payload.end):
            m.d.sync += [done[0].eq(1), flags.eq(Cat(self.feed.payload.last, self.feed.payload.error))]
        if self._late:
            with m.If(self.late.ready & self.late.payload.end):
                m.d.sync += done[1].eq(1)
        with m.If(moves):
            m.d.sync += [self.o.mark.eq(self.ends), self.o.last.eq(flags[0]), self.o.error.eq(flags[1])]
        return m

    def _ports(self, m: Module, offered: Signal, moves: Signal, kept: Signal) -> Signal:
        """The ports, each with the row that it is to have; which of them want one."""
        ports = [RowPort(self._row) for _ in range(self._slots.reads)]
        wants = Signal(len(ports))
        from_feed, from_late = Signal(len(ports)), Signal(len(ports))
        for number, port in enumerate(ports):
            m.submodules[f"port{number}"] = port
            other_wants = wants[1 - number] if len(ports) > 1 else Const(0)
            second = number == 1
            given = self.feed.payload
            if self._late:
                m.d.comb += [
                    from_feed[number].eq(offered[0] & ~(offered[1] | other_wants if second else 0)),
                    from_late[number].eq(offered[1] & ~(0 if second else offered[0] | other_wants)),
                ]
            else:
                m.d.comb += from_feed[number].eq(offered[0] & ~(other_wants if second else 0))
            m.d.comb += [
                wants[number].eq(port.wants),
                port.moves.eq(moves),
                port.load.eq(port.wants & (from_feed[number] | from_late[number])),
                port.kept.eq(kept),
                *assign_fields(port.given, given),
                self.o["values"][number].eq(1),
            ]
            if self._late:
                m.d.comb += port.tag.eq(from_late[number])
                with m.If(from_late[number]):
                    m.d.comb += list(assign_fields(port.given, self.late.payload))
            position, valid = port.lowest, port.valid
            if len(ports) > 1:
                other = ports[1 - number]
                m.d.comb += port.gives.eq(port.spare & ~other.valid)
                position, valid = Mux(valid, position, other.highest), valid | other.spare
            with m.If(moves):
                m.d.sync += [
                    self.o.axons[number].eq(position[: len(self.o.axons[number])]),
                    self.o.valid[number].eq(valid),
                ]
        m.d.comb += self.feed.ready.eq((wants & from_feed).any() & kept)
        if self._late:
            m.d.comb += self.late.ready.eq((wants & from_late).any() & kept)
        return wants


def source_bits(slots: SlotImage, feed: data.StructLayout) -> tuple[int, int]:
    """Widths of row and bit in the number of an axon of a `RowSource`."""
    image = slots.image
    row, width = len_of(feed, "row"), len_of(feed, "bits")
    if image.spec.recurrent:
        row, width = max(row, image.row_bits), max(width, image.lanes)
    return row, (width - 1).bit_length()


def len_of(layout: data.StructLayout, field: str) -> int:
    """Width of a field."""
    width = layout[field].width
    assert isinstance(width, int)
    return width
