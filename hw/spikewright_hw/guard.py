"""The gate of the core: lets in what the network was sized for, and flags the rest."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from spikewright.contract.network import NetworkSpec

from .layouts import assign_fields, event, pair
from .queue import Queue


class InputGuard(wiring.Component):
    """Drops events that break the rules, and says so with the sample's result.

    Within a step, axons come in strictly rising order (each at most once) and below the number of inputs; a sample
    has at most `timesteps` steps; only a mark ends a sample. All sizes in the core follow from these rules. An event
    that breaks them is dropped and sets `error` of the sample's marks until its end, as a mark beyond the steps does;
    `last` on an event counts as a mark, so that every sample ends. Events of value 0 are dropped silently: they change
    nothing.

    Events leave two cycles after they came; one event a cycle.

    Parameters
    ----------
    network : NetworkSpec

    Members
    -------
    i : In(stream.Signature(event(inputs, value_bits)))
        `error` is ignored.
    o : Out(stream.Signature(event(inputs, value_bits)))
    """

    def __init__(self, network: NetworkSpec) -> None:
        self._inputs = network.inputs
        self._timesteps = network.timesteps
        self._event = self._layout(network.inputs, network.value_bits)
        super().__init__({"i": In(stream.Signature(self._event)), "o": Out(stream.Signature(self._event))})

    def _layout(self, inputs: int, value_bits: int) -> Any:
        return event(inputs, value_bits)

    def _breaks(self, given: Any, next_axon: Any) -> Any:
        """Whether an event is out of order or range."""
        return (given.axon < next_axon) | (given.axon >= self._inputs)

    def _some(self, given: Any) -> Any:
        """Whether there is something to let in."""
        return given.value != 0

    def _axon(self, given: Any) -> Any:
        """The last axon."""
        return given.axon

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        # Registers on both sides of the rules, whatever lies before the core and behind the gate.
        m.submodules.arrived = arrived = Queue(self._event, depth=2)
        m.submodules.queue = queue = Queue(self._event, depth=2)
        wiring.connect(m, wiring.flipped(self.i), arrived.i)
        next_axon = Signal(range(self._inputs + 1))
        step = Signal(range(self._timesteps + 1))
        error = Signal()
        given = arrived.o.payload
        mark = Signal()
        bad = Signal()
        m.d.comb += [
            mark.eq(given.mark | given.last),
            bad.eq((~given.mark & (self._breaks(given, next_axon) | given.last)) | (mark & (step == self._timesteps))),
            *assign_fields(queue.i.payload, given),
            queue.i.payload.mark.eq(mark),
            queue.i.payload.error.eq(error | bad),
            queue.i.valid.eq(arrived.o.valid & (mark | (~bad & self._some(given)))),
            arrived.o.ready.eq(queue.i.ready),
        ]
        wiring.connect(m, queue.o, wiring.flipped(self.o))
        with m.If(arrived.o.valid & arrived.o.ready):
            with m.If(mark):
                m.d.sync += next_axon.eq(0)
                with m.If(step != self._timesteps):
                    m.d.sync += step.eq(step + 1)
                m.d.sync += error.eq(error | bad)
                with m.If(given.last):
                    m.d.sync += [step.eq(0), error.eq(0)]
            with m.Elif(bad):
                m.d.sync += error.eq(1)
            with m.Else():
                m.d.sync += next_axon.eq(self._axon(given) + 1)
        return m


class PairGuard(InputGuard):
    """As `InputGuard`, for beats of two events, of which the second has a higher axon, or the value 0: there is none.

    If one of the two breaks a rule, both are dropped.

    Parameters
    ----------
    network : NetworkSpec

    Members
    -------
    i, o : In, Out(stream.Signature(pair(inputs, value_bits)))
    """

    def _layout(self, inputs: int, value_bits: int) -> Any:
        return pair(inputs, value_bits)

    def _breaks(self, given: Any, next_axon: Any) -> Any:
        second = (given.second_axon <= given.axon) | (given.second_axon >= self._inputs)
        return super()._breaks(given, next_axon) | ((given.second_value != 0) & second)

    def _some(self, given: Any) -> Any:
        return (given.value != 0) | (given.second_value != 0)

    def _axon(self, given: Any) -> Any:
        return Mux(given.second_value != 0, given.second_axon, given.axon)
