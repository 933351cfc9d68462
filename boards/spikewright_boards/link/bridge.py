"""A core on a serial line."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, ResetInserter, ResetSignal, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import Component, In, Out

from spikewright.contract.stream import StreamFormat
from spikewright_hw.queue import Queue
from spikewright_hw.ram import RamQueue

from .framing import Deframer, ResultFramer, axis_beat
from .loading import ImageFeeder
from .protocol import BEAT_COUNT_BITS, FLAG_BITS, LINE_ERROR, OVERFLOW, PROTOCOL_ERROR, UNLOADED
from .uart import UartReceiver, UartTransmitter


class Bridge(Component):
    """Bytes of a serial line to input beats, result beats to bytes.

    Beats wait for the core in a queue. One that comes while the queue is full is dropped, and `OVERFLOW` set: the line
    knows no back-pressure. The first beat of a sample goes to the core only when the result of the sample before has
    left it, so that the head of a result frame speaks of one sample.

    Where the core is loaded at run time, events that come before it is are dropped, and `UNLOADED` set; an image that
    comes before the result of a sample left is dropped, and `OVERFLOW` set.

    Parameters
    ----------
    format : StreamFormat
    depth : int
        Beats that wait.
    fingerprint : int
        What it answers to the question which core this is.

    Members
    -------
    rx : In(stream of 8 bits, always ready)
    line_error : In(1)
        A byte was lost on the line in this cycle.
    events : Out(stream of axis_beat)
    results : In(stream of axis_beat)
    tx : Out(stream of 8 bits)
    flags : Out(FLAG_BITS)
        See `protocol`; they stay set until a reset.
    label : Out(8 * output_bytes - 1)
        Class of the last result.
    out_of_range : Out(1)
        The core's error flag of the last result.
    image : Out(stream of axis_beat(8))
    loaded, load_error : In(1)
        Only where the core is loaded: bytes of load images, and what became of the last.
    """

    def __init__(self, format: StreamFormat, *, depth: int, fingerprint: int = 0) -> None:
        self._format = format
        self._fingerprint = fingerprint
        self._depth = depth
        load = {"image": Out(stream.Signature(axis_beat(8))), "loaded": In(1), "load_error": In(1)}
        super().__init__(
            {
                "rx": In(stream.Signature(8, always_ready=True)),
                "line_error": In(1),
                "events": Out(stream.Signature(axis_beat(8 * format.input_bytes))),
                "results": In(stream.Signature(axis_beat(8 * format.output_bytes))),
                "tx": Out(stream.Signature(8)),
                "flags": Out(FLAG_BITS),
                "label": Out(8 * format.output_bytes - 1),
                "out_of_range": Out(1),
                **(load if format.loadable else {}),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.deframer = deframer = Deframer(self._format)
        m.submodules.queue = queue = RamQueue(deframer.o.payload.shape(), depth=self._depth)
        m.submodules.framer = framer = ResultFramer(self._format, fingerprint=self._fingerprint)
        # Registers on both sides of the core: a block RAM alone takes half of the clock cycle to answer.
        m.submodules.before = before = Queue(deframer.o.payload.shape(), depth=2)
        m.submodules.behind = behind = Queue(self.results.payload.shape(), depth=2)
        m.submodules.sent = sent = Queue(8, depth=2)  # Choosing a byte is a cycle's work.
        begun = Signal()  # A beat of a sample is in the core, and the result is not complete.
        in_core = Signal()  # All of it.
        beats = Signal(BEAT_COUNT_BITS)
        asked = Signal()
        wiring.connect(m, wiring.flipped(self.rx), deframer.i)
        wiring.connect(m, queue.o, before.i)
        wiring.connect(m, wiring.flipped(self.results), behind.i)
        wiring.connect(m, behind.o, framer.i)
        wiring.connect(m, framer.o, sent.i)
        wiring.connect(m, sent.o, wiring.flipped(self.tx))
        arrived = deframer.o.valid & self.loaded if self._format.loadable else deframer.o.valid
        full = queue.level == self._depth
        m.d.comb += [
            queue.i.payload.eq(deframer.o.payload),
            queue.i.valid.eq(arrived & ~full),
            self.events.payload.eq(before.o.payload),
            self.events.valid.eq(before.o.valid & ~in_core),
            before.o.ready.eq(self.events.ready & ~in_core),
            framer.flags.eq(self.flags),
            framer.beats.eq(beats),
            framer.asked.eq(asked),
        ]
        m.d.sync += asked.eq(deframer.question | (asked & ~framer.told))
        lost = arrived & full
        errors = {OVERFLOW: lost, LINE_ERROR: self.line_error, PROTOCOL_ERROR: deframer.error}
        if self._format.loadable:
            m.submodules.feeder = feeder = ImageFeeder()
            wiring.connect(m, deframer.groups, feeder.groups)
            wiring.connect(m, feeder.o, wiring.flipped(self.image))
            wiring.connect(m, feeder.answers, framer.loads)
            m.d.comb += [
                feeder.begin.eq(deframer.begin),
                feeder.end.eq(deframer.end),
                feeder.busy.eq(before.o.valid | begun),
                feeder.loaded.eq(self.loaded),
                feeder.refused.eq(self.load_error),
                framer.loaded.eq(self.loaded),
            ]
            errors |= {OVERFLOW: lost | feeder.dropped, UNLOADED: deframer.o.valid & ~self.loaded}
        for flag, event in errors.items():
            with m.If(event):
                m.d.sync += self.flags[flag.bit_length() - 1].eq(1)
        with m.If(self.events.valid & self.events.ready):
            m.d.sync += [beats.eq(beats + 1), begun.eq(1), in_core.eq(self.events.payload.last)]
        with m.If(framer.i.valid & framer.i.ready & framer.i.payload.last):
            m.d.sync += [
                beats.eq(0),
                begun.eq(0),
                in_core.eq(0),
                self.label.eq(framer.i.payload.data[:-1]),
                self.out_of_range.eq(framer.i.payload.data[-1]),
            ]
        return m


_BEHIND_UART = ("rx", "line_error", "tx")


class UartBridge(Component):
    """`Bridge` with a serial line, which resets it and the core by a break.

    Parameters
    ----------
    format : StreamFormat
    divisor : int
        Clock cycles per bit.
    depth : int
        Beats that wait for the core.
    fingerprint : int
        What it answers to the question which core this is.

    Members
    -------
    rx : In(1)
    tx : Out(1)
    core_reset : Out(1)
        For the core. Four cycles longer than the reset of the clock domain, as the core has no initial values and hands
        its reset on through registers; and during a break.
    events : Out(stream of axis_beat)
    results : In(stream of axis_beat)
    flags, label, out_of_range, image, loaded, load_error
        As of `Bridge`.

    Raises
    ------
    TypeError, ValueError
        If `divisor` is not an integer of at least 8.
    """

    def __init__(self, format: StreamFormat, *, divisor: int, depth: int, fingerprint: int = 0) -> None:
        self._format = format
        self._receiver = UartReceiver(divisor)
        self._transmitter = UartTransmitter(divisor)
        self._bridge = Bridge(format, depth=depth, fingerprint=fingerprint)
        super().__init__(
            {
                "rx": In(1, init=1),
                "tx": Out(1, init=1),
                "core_reset": Out(1, init=1),
                **{name: member for name, member in self._bridge.signature.members.items() if name not in _BEHIND_UART},
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.receiver = receiver = self._receiver
        m.submodules.transmitter = transmitter = self._transmitter
        bridge = self._bridge
        m.submodules.bridge = ResetInserter(self.core_reset)(bridge)
        wiring.connect(m, receiver.o, bridge.rx)
        wiring.connect(m, bridge.tx, transmitter.i)
        wiring.connect(m, bridge.events, wiring.flipped(self.events))
        wiring.connect(m, wiring.flipped(self.results), bridge.results)
        if self._format.loadable:
            wiring.connect(m, bridge.image, wiring.flipped(self.image))
            m.d.comb += [bridge.loaded.eq(self.loaded), bridge.load_error.eq(self.load_error)]
        m.d.comb += [
            receiver.rx.eq(self.rx),
            self.tx.eq(transmitter.tx),
            bridge.line_error.eq(receiver.framing_error),
            self.flags.eq(bridge.flags),
            self.label.eq(bridge.label),
            self.out_of_range.eq(bridge.out_of_range),
        ]
        # Registered, as it fans out to the whole core; `init` covers the time right after configuration.
        held = Signal(3, init=0b111)
        begins = ResetSignal(allow_reset_less=True) | receiver.line_break
        m.d.sync += [held.eq(Mux(begins, 0b111, held >> 1)), self.core_reset.eq(begins | held.any())]
        return m
