"""Frames of the serial line to and from the streams of a core; `protocol` tells what they look like."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import data, stream
from amaranth.lib.wiring import Component, In, Out

from spikewright.contract.stream import StreamFormat

from .protocol import BEAT_COUNT_BITS, FINGERPRINT_BITS, FLAG_BITS, IDENTITY, LOAD_REPLY, LOADED, groups


def axis_beat(width: int) -> data.StructLayout:
    """Payload of an AXI4-Stream: `data` and `last`."""
    return data.StructLayout({"data": width, "last": 1})


class Deframer(Component):
    """Input beats of a core from the bytes of the serial line.

    A beat leaves one cycle after the last byte of its frame. A byte that continues nothing, a frame that is cut short
    by the next one, and a frame with bits that mean nothing are dropped and reported; the next frame is taken as usual.

    Parameters
    ----------
    format : StreamFormat

    Members
    -------
    i : In(stream of 8 bits, always ready)
    o : Out(stream of axis_beat, always ready)
    error : Out(1)
        High for one cycle: something was dropped, or a load image was cut short.
    question : Out(1)
        High for one cycle, one cycle after the last byte of the frame that asks which core this is.
    groups : Out(stream of 7 bits, always ready)
        Only where the core is loaded: of a load image, in the cycle of the byte.
    begin, end : Out(1)
        Likewise: high for one cycle, one cycle after the last byte of a frame. It begins an image, ends the one under
        way, or, if it cuts one short by beginning another, both.
    """

    def __init__(self, format: StreamFormat) -> None:
        self._format = format
        load = {"groups": Out(stream.Signature(7, always_ready=True)), "begin": Out(1), "end": Out(1)}
        super().__init__(
            {
                "i": In(stream.Signature(8, always_ready=True)),
                "o": Out(stream.Signature(axis_beat(8 * format.input_bytes), always_ready=True)),
                "error": Out(1),
                "question": Out(1),
                **(load if format.loadable else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        form = self._format
        count = groups(form.mark_bit + 1)
        body = Signal(7 * count)
        taken = Signal(range(count + 1))
        complete = Signal()
        loading = Signal()  # what continues no frame continues an image
        mark = body[form.mark_bit]
        # What a mark says by its axon and value: the end of a sample or image, and that it is none.
        says = 1 | 1 << form.axon_bits
        silent = Cat(bit for position, bit in enumerate(body[: form.mark_bit]) if not says >> position & 1)
        command = mark & body[form.axon_bits]
        ends = command & body[0]
        begins = command & ~body[0]
        wrong = body[form.mark_bit + 1 :].any() | (mark & silent.any())
        if not form.loadable:
            wrong = wrong | begins
        m.d.comb += [
            self.o.payload.data.eq(Mux(mark, 1 << form.mark_bit, body[: form.mark_bit])),
            self.o.payload.last.eq(mark & body[0]),
            self.o.valid.eq(complete & ~wrong & ~command),
            self.question.eq(complete & ~wrong & ends & ~loading),
        ]
        m.d.sync += [complete.eq(0), self.error.eq(complete & (wrong | (loading & ~ends)))]
        start = self.i.payload[7]
        goes_on = loading
        if form.loadable:
            goes_on = Mux(complete, self.begin, loading)
            m.d.comb += [
                self.begin.eq(complete & ~wrong & begins),
                self.end.eq(complete & loading),
                self.groups.payload.eq(self.i.payload[:7]),
                self.groups.valid.eq(self.i.valid & ~start & (taken == 0) & goes_on),
            ]
            m.d.sync += loading.eq(goes_on)
        with m.If(self.i.valid):
            with m.If(start | (taken != 0)):
                m.d.sync += body.eq((self.i.payload[:7] << (7 * (count - 1))) | (body >> 7))
                position = Mux(start, 1, taken + 1)
                m.d.sync += [complete.eq(position == count), taken.eq(Mux(position == count, 0, position))]
            with m.If(Mux(start, taken != 0, (taken == 0) & ~goes_on)):
                m.d.sync += self.error.eq(1)
        return m


class ResultFramer(Component):
    """Bytes of the serial line from the result beats of a core.

    A packet of n beats becomes one frame of 3 + n * ceil(8 * output_bytes / 7) bytes, one a cycle if `o` is always
    ready. A beat is taken together with its last byte. An answer to a load image or a question goes between two frames,
    one cycle after it was offered there; a question is answered in 1 + FINGERPRINT_BITS / 7 bytes.

    Parameters
    ----------
    format : StreamFormat
    fingerprint : int
        Of the core, FINGERPRINT_BITS bits.

    Members
    -------
    i : In(stream of axis_beat)
        Result packets.
    flags : In(FLAG_BITS)
    beats : In(14)
        Both go into the head of the frame; they must be stable from the first valid beat of a packet.
    asked : In(1)
        A question waits for its answer, until `told`.
    told : Out(1)
        High in the cycle in which the last byte of the answer leaves.
    loads : In(stream of 1 bit)
        Answers to load images; only where the core is loaded.
    loaded : In(1)
        Likewise: the core has a network.
    o : Out(stream of 8 bits)
    """

    def __init__(self, format: StreamFormat, *, fingerprint: int = 0) -> None:
        self._format = format
        self._fingerprint = fingerprint
        self._width = 8 * format.output_bytes
        super().__init__(
            {
                "i": In(stream.Signature(axis_beat(self._width))),
                "flags": In(FLAG_BITS),
                "beats": In(BEAT_COUNT_BITS),
                "asked": In(1),
                "told": Out(1),
                "o": Out(stream.Signature(8)),
                **({"loads": In(stream.Signature(1)), "loaded": In(1)} if format.loadable else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        count = groups(self._width)
        group = Signal(range(count))
        m.d.comb += self.o.valid.eq(self.i.valid)
        sent = self.o.valid & self.o.ready
        with m.FSM():
            with m.State("flags"):
                m.d.comb += self.o.payload.eq(0x80 | self.flags)
                with m.If(sent):
                    m.next = "beats-low"
                with m.If(~self.i.valid & self.asked):
                    m.next = "who"
                if self._format.loadable:
                    with m.If(~self.i.valid & self.loads.valid):
                        m.next = "load"
            with m.State("beats-low"):
                m.d.comb += self.o.payload.eq(self.beats[:7])
                with m.If(sent):
                    m.next = "beats-high"
            with m.State("beats-high"):
                m.d.comb += self.o.payload.eq(self.beats[7:])
                with m.If(sent):
                    m.next = "body"
            with m.State("body"):
                m.d.comb += [
                    self.o.payload.eq(self.i.payload.data.word_select(group, 7)),
                    self.i.ready.eq(self.o.ready & (group == count - 1)),
                ]
                with m.If(sent):
                    m.d.sync += group.eq(Mux(group == count - 1, 0, group + 1))
                    with m.If((group == count - 1) & self.i.payload.last):
                        m.next = "flags"
            with m.State("who"):
                has = Mux(self.loaded, LOADED, 0) if self._format.loadable else LOADED
                m.d.comb += [self.o.valid.eq(1), self.o.payload.eq(0x80 | LOAD_REPLY | IDENTITY | has | self.flags)]
                with m.If(self.o.ready):
                    m.next = "fingerprint"
            with m.State("fingerprint"):
                parts = groups(FINGERPRINT_BITS)
                part = Signal(range(parts))
                m.d.comb += [
                    self.o.valid.eq(1),
                    self.o.payload.eq(Const(self._fingerprint, FINGERPRINT_BITS).word_select(part, 7)),
                    self.told.eq(self.o.ready & (part == parts - 1)),
                ]
                with m.If(self.o.ready):
                    m.d.sync += part.eq(Mux(part == parts - 1, 0, part + 1))
                    with m.If(part == parts - 1):
                        m.next = "flags"
            if self._format.loadable:
                with m.State("load"):
                    m.d.comb += [
                        self.o.valid.eq(1),
                        self.o.payload.eq(0x80 | LOAD_REPLY | Mux(self.loads.payload, LOADED, 0) | self.flags),
                        self.loads.ready.eq(self.o.ready),
                    ]
                    with m.If(self.o.ready):
                        m.next = "flags"
        return m
