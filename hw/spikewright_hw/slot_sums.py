"""Sums of the weighted events of a step, from words that are read whole."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from spikewright.contract.integers import signed_bits
from spikewright.contract.slots import SlotImage

from .layouts import delayed
from .slot_memory import SlotRom, registered


def slot_read(slots: SlotImage) -> data.StructLayout:
    """What all lanes are told in a cycle: words to read, each with the value that their weights count, or a mark.

    `values` are left out where none is multiplied by. A `mark` comes with the last words of a step or after them, and
    `last` with it.
    """
    return data.StructLayout(
        {
            "addresses": data.ArrayLayout(slots.address_bits, slots.reads),
            "valid": slots.reads,
            "values": data.ArrayLayout(slots.image.spec.value_bits if slots.multiplies else 0, slots.reads),
            "mark": 1,
            "last": 1,
        }
    )


class SlotSums(wiring.Component):
    """Sums of the weighted events of a step, one for each neuron of a lane, handed over row by row at its end.

    Every neuron has an accumulator. At a mark all of them, with what is added then, go to a second set of registers, of
    which the row that is `sum` leaves every cycle, and are cleared: the next step adds up while the last one is swept.
    A mark comes at the earliest as many cycles after the one before as there are rows.

    A word is added `latency` cycles after it was asked for. `taken` is 1 in that cycle for a mark; the row 0 is in
    `sum` in the cycle after, and so on.

    Parameters
    ----------
    slots : SlotImage
    lane : int
    name : str
        Prefix of the memory image `<name>_slots<lane>`: a word per row of slots, see `SlotImage.lane_words`.

    Members
    -------
    read : In(slot_read(slots))
    taken, last : Out(1)
    sum : Out(signed(sum bits))
    """

    def __init__(self, slots: SlotImage, *, lane: int, name: str) -> None:
        self._slots = slots
        self.rom = SlotRom(
            name=f"{name}_slots{lane}", width=slots.width, words=slots.lane_words(lane), reads=slots.reads
        )
        self._sum = signed(signed_bits(*slots.sum_range))
        super().__init__(
            {"read": In(slot_read(slots)), "taken": Out(1), "last": Out(1), "sum": Out(self._sum)},
        )

    @staticmethod
    def latency(slots: SlotImage) -> int:
        """From the cycle of `read` to the one in which its words are added."""
        return 2 + slots.product_cycles + (slots.reads > 1)

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.rom = rom = self.rom
        slots = self._slots
        flags = [data.View(data.StructLayout({"mark": 1, "last": 1}), stage) for stage in self._flags(m)]
        m.d.comb += [
            rom.en.eq(1),
            *(address.eq(asked) for address, asked in zip(rom.addr, self.read.addresses, strict=True)),
            self.taken.eq(flags[-1].mark),
            self.last.eq(flags[-1].last),
        ]
        words = [self._word(m, port) for port in range(slots.reads)]
        rows = slots.image.rows
        sums = [Signal(self._sum, name=f"sum{row}") for row in range(rows)]
        handed = [Signal(self._sum, name=f"handed{row}") for row in range(rows)]
        m.d.comb += self.sum.eq(handed[0])
        for row, (total, left) in enumerate(zip(sums, handed, strict=True)):
            terms = [self._term(word, row) for word in words]
            if len(terms) > 1:
                terms = [registered(m, terms[0] + terms[1], name=f"both{row}")]
            grown = Signal(self._sum, name=f"grown{row}")
            m.d.comb += grown.eq(total + terms[0])
            with m.If(self.taken):
                m.d.sync += [left.eq(grown), total.eq(0)]
            with m.Else():
                m.d.sync += [left.eq(handed[(row + 1) % rows]), total.eq(grown)]
        return m

    def _flags(self, m: Module) -> list[Any]:
        flags = Signal(2)
        m.d.comb += flags.eq(self.read.mark | self.read.last << 1)
        return delayed(m, flags, self.latency(self._slots), name="flags")

    def _word(self, m: Module, port: int) -> list[tuple[Any, Any]]:
        """Weight, times the value of the event where it has one, and member of every slot; 0 where nothing was read."""
        slots = self._slots
        bits = slots.term_bits
        valid = delayed(m, self.read.valid[port], 1, name=f"valid{port}")[-1]
        word = self.rom.data[port]
        values = None
        if len(value := self.read["values"][port]):
            # It stays without an event: what nobody gave, times a weight of 0, is 0, but not in four states.
            values = Signal.like(value, name=f"values{port}")
            told = registered(m, value, name=f"value{port}")
            with m.If(valid):
                m.d.sync += values.eq(told)
        found = []
        for slot in range(slots.slots):
            low = slot * slots.slot_bits
            weight = Signal(signed(bits), name=f"weight{port}_{slot}")
            with m.If(valid):
                m.d.sync += weight.eq(word[low : low + bits].as_signed())
            with m.Else():
                m.d.sync += weight.eq(0)
            member: Any = registered(m, word[low + bits : low + slots.slot_bits], name=f"member{port}_{slot}")
            product = weight if values is None else _product(m, weight, values, name=f"product{port}_{slot}")
            if len(member):
                member = delayed(m, member, slots.product_cycles, name=f"of{port}_{slot}")[-1]
            found.append((product, member))
        return found

    def _term(self, word: list[tuple[Any, Any]], row: int) -> Any:
        weight, member = word[row // self._slots.group]
        return weight if self._slots.group == 1 else Mux(member == row % self._slots.group, weight, 0)


def _product(m: Module, weight: Any, value: Any, *, name: str) -> Any:
    """`weight` times `value` (unsigned), some cycles later (see `SlotImage.product_cycles`).

    The multipliers of an FPGA lie in a few rows of it: on the way there and back is a register each.
    """
    weight, value = (registered(m, of, name=f"{name}_{kind}") for of, kind in ((weight, "weight"), (value, "value")))
    product = registered(m, Value.cast(weight * value), name=f"{name}_far")
    return registered(m, product, name=name)
