"""Axonal delays: a ring of bit rows, one slot per future step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikewright.spec import delay_ring, unsigned_bits

from .layouts import assign_fields, event
from .ram import Ram
from .rom import Rom
from .serializer import BitSerializer


class DelayBuffer(wiring.Component):
    """Delivers a spike of neuron j at step t with the events of step t + 1 + delays[j].

    A bit per neuron and slot, and as many slots as the longest delay needs: there is no queue that could overflow.
    Neurons fire at most once a step, and a bit is set at most once before it is read. Steps alternate between reading
    (the slot of the step is sent and cleared, one word a cycle, words without spikes skipped) and writing (a spike is
    taken every cycle). After the last step of a sample, and after reset, every slot is cleared, one word a cycle.

    The first word of a step is read five cycles after the mark of the step before was taken, its spikes are offered
    six cycles later.

    Parameters
    ----------
    delays : sequence of int
        Steps, by position of the neuron; at least 0.
    name : str
        Of the memory image `<name>_delays`: a word per neuron.

    Members
    -------
    spikes : In(stream.Signature(event(...)))
        The spikes of a step and its mark; the mark only after `events` has sent that of the same step.
    events : Out(stream.Signature(event(...)))
        The delayed spikes of a step and a mark.
    """

    def __init__(self, delays: Sequence[int], *, name: str) -> None:
        neurons = len(delays)
        self._slots = int(max(delays)) + 1
        self._words, self._width, self._depth = delay_ring(neurons, self._slots - 1)
        self._event = event(neurons)
        self.rom = Rom(name=f"{name}_delays", width=unsigned_bits(self._slots - 1), words=[int(d) for d in delays])
        super().__init__({"spikes": In(stream.Signature(self._event)), "events": Out(stream.Signature(self._event))})

    @property
    def words(self) -> int:
        """Words of a slot."""
        return self._words

    @property
    def slots(self) -> int:
        return self._slots

    @property
    def depth(self) -> int:
        """Words of the ring."""
        return self._depth

    @property
    def width(self) -> int:
        """Bits of a word."""
        return self._width

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.rom = rom = self.rom
        m.submodules.ring = ring = Ram(width=self._width, depth=self.depth)
        m.submodules.serializer = serializer = BitSerializer(rows=self._words, width=self._width)
        word_bits = (self._words - 1).bit_length()
        bit_bits = (self._width - 1).bit_length()

        m.d.comb += [
            self.events.valid.eq(serializer.o.valid),
            serializer.o.ready.eq(self.events.ready),
            *assign_fields(self.events.payload, serializer.o.payload),
        ]

        slot_bits = unsigned_bits(self._slots - 1)
        slot = Signal(slot_bits)
        next_slot = Signal.like(slot)
        m.d.comb += next_slot.eq(Mux(slot == self._slots - 1, 0, slot + 1))

        # Spikes: look up the delay, find the slot, read the word, set the bit.
        spike = self.spikes.valid & self.spikes.ready & ~self.spikes.payload.mark
        m.d.comb += [rom.addr.eq(self.spikes.payload.axon), rom.en.eq(1)]
        looked_up, arriving, reading, merging, setting = Signal(), Signal(), Signal(), Signal(), Signal()
        axons = [Signal.like(self.spikes.payload.axon, name=f"axon{k}") for k in range(5)]
        delay = Signal(slot_bits)
        arrival = Signal(slot_bits)
        m.d.sync += [
            looked_up.eq(spike),
            arriving.eq(looked_up),
            reading.eq(arriving),
            merging.eq(reading),
            setting.eq(merging),
            axons[0].eq(self.spikes.payload.axon),
            *(axons[k].eq(axons[k - 1]) for k in range(1, 5)),
            delay.eq(rom.data),
        ]
        later = Signal(range(2 * self._slots))
        m.d.comb += later.eq(next_slot + delay)
        m.d.sync += arrival.eq(Mux(later >= self._slots, later - self._slots, later))
        spike_addr = Cat(axons[2][bit_bits:][:word_bits], arrival)
        merge_addr = Signal.like(ring.read_addr)
        set_addr = Signal.like(ring.read_addr)
        same = Signal()
        older = Signal()
        old = Signal(self._width)
        written = Signal(self._width)
        word = Signal(self._width)
        one_hot = Signal(self._width)
        m.d.sync += [
            merge_addr.eq(spike_addr),
            set_addr.eq(merge_addr),
            # Words that the two spikes just ahead write are handed over, as the read misses them.
            older.eq(setting & (set_addr == spike_addr)),
            same.eq(setting & (set_addr == merge_addr)),
            old.eq(Mux(older, written, ring.read_data)),
            written.eq(word),
        ]
        m.d.comb += [
            one_hot.eq(1 << axons[4][:bit_bits]),
            word.eq(Mux(same, written, old) | one_hot),
        ]

        scan = Signal(unsigned_bits(self._words - 1))
        scanned = Signal()
        scanned_index = Signal.like(scan)
        found = Signal()
        kept = Signal()
        kept_index = Signal.like(scan)
        row = Signal(serializer.rows.payload.shape())
        clear_addr = Signal.like(ring.write_addr)
        last = Signal()
        turn = Signal(range(4))
        end_scan = Signal(3)  # the mark follows the last word through the same stages
        m.d.comb += [
            ring.read_en.eq(1),
            ring.read_addr.eq(spike_addr),
            ring.write_en.eq(setting),
            ring.write_addr.eq(set_addr),
            ring.write_data.eq(word),
            serializer.rows.valid.eq(found),
            serializer.rows.payload.eq(row),
        ]
        m.d.sync += [scanned.eq(0), found.eq(0), kept.eq(0), end_scan.eq(end_scan << 1)]
        with m.If(scanned):
            m.d.comb += [
                ring.write_en.eq(1),
                ring.write_addr.eq(Cat(scanned_index[:word_bits], slot)),
                ring.write_data.eq(0),
            ]
            m.d.sync += [kept.eq(1), kept_index.eq(scanned_index)]
        with m.If(kept):
            m.d.sync += [
                found.eq(old != 0),
                row.eq(0),
                row.index.eq(kept_index),
                row.bits.eq(old),
            ]
        with m.If(end_scan[2]):
            m.d.sync += [found.eq(1), row.eq(0), row.mark.eq(1)]

        with m.FSM(init="clear"):
            with m.State("clear"):
                m.d.comb += [ring.write_en.eq(1), ring.write_addr.eq(clear_addr), ring.write_data.eq(0)]
                m.d.sync += clear_addr.eq(clear_addr + 1)
                with m.If(clear_addr == self.depth - 1):
                    m.d.sync += [clear_addr.eq(0), slot.eq(0)]
                    m.next = "read"
            with m.State("read"):
                m.d.comb += ring.read_addr.eq(Cat(scan[:word_bits], slot))
                m.d.sync += [scanned.eq(1), scanned_index.eq(scan), scan.eq(scan + 1)]
                with m.If(scan == self._words - 1):
                    m.d.sync += [scan.eq(0), end_scan.eq(1)]
                    m.next = "write"
            with m.State("write"):
                m.d.comb += self.spikes.ready.eq(1)
                with m.If(self.spikes.valid & self.spikes.payload.mark):
                    m.d.sync += [last.eq(self.spikes.payload.last), turn.eq(0)]
                    m.next = "turn"
            with m.State("turn"):
                # Four cycles, in which the last spikes reach the ring.
                m.d.sync += turn.eq(turn + 1)
                with m.If(turn == 3):
                    m.d.sync += slot.eq(next_slot)
                    with m.If(last):
                        m.next = "clear"
                    with m.Else():
                        m.next = "read"
        return m
