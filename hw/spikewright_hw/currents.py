"""Synaptic currents: a second state of neurons, between their synapses and their membranes."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Const, Module, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from spikewright.contract.image import LayerImage
from spikewright.contract.integers import unsigned_bits
from spikewright.contract.layer import LayerSpec

from .constants import CarryingCurrent
from .ram import Ram
from .readout import ReadoutUpdate
from .update import NeuronUpdate


class Membranes(wiring.Component):
    """The membranes of a lane whose synapses add to currents: a sweep adds the currents to them.

    Parameters
    ----------
    depth : int
        Membranes.
    state_bits, membrane_bits : int
        Widths of a current and of a membrane.

    Members
    -------
    addr : In(range(depth))
    current : In(signed(state_bits))
        One cycle after `addr`.
    charged : Out(signed(membrane_bits))
        What the membrane at `addr` carried over, and `current`: in the same cycle as that.
    current_before : Out(signed(state_bits))
        `current`, two cycles later: when the update leaks.
    carried : In(signed(membrane_bits))
        What a membrane carries over, in the same cycle; written one cycle later.
    write, write_addr : In
        In the cycle in which it is written.
    """

    def __init__(self, *, depth: int, state_bits: int, membrane_bits: int) -> None:
        self.ram = Ram(width=membrane_bits, depth=depth)
        addr = unsigned_bits(depth - 1)
        super().__init__(
            {
                "addr": In(addr),
                "current": In(signed(state_bits)),
                "charged": Out(signed(membrane_bits)),
                "current_before": Out(signed(state_bits)),
                "carried": In(signed(membrane_bits)),
                "write": In(1),
                "write_addr": In(addr),
            }
        )

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.submodules.ram = ram = self.ram
        current = Signal.like(self.current)
        written = Signal.like(self.carried)
        m.d.sync += [current.eq(self.current), self.current_before.eq(current), written.eq(self.carried)]
        m.d.comb += [
            ram.read_en.eq(1),
            ram.read_addr.eq(self.addr),
            # As deep as the sum that a synapse makes of the same current.
            self.charged.eq(ram.read_data.as_signed() + self.current),
            ram.write_en.eq(self.write),
            ram.write_addr.eq(self.write_addr),
            ram.write_data.eq(written),
        ]
        return m


class _OfCurrents:
    """An update whose state is a synaptic current: where its membranes come from, and go."""

    _spec: LayerSpec
    membranes: Membranes
    write: Any
    write_row: Any
    row: Any

    def _charged(self, m: Module, state: Any) -> Any:
        m.submodules.membranes = membranes = self.membranes
        m.d.comb += [membranes.addr.eq(self.row), membranes.current.eq(state)]
        return membranes.charged

    def _bias(self, neuron: Any) -> Any:
        return Const(0, signed(1))

    def _late_bias(self, m: Module, bias: Any) -> Any:
        return Const(0, signed(1))

    def _carried(self, m: Module, neuron: data.View[data.StructLayout], carried: Any, last: Signal) -> Any:
        membranes = self.membranes
        bias = Signal(neuron.bias.shape())
        m.d.sync += bias.eq(neuron.bias)
        m.d.comb += [
            membranes.carried.eq(carried),
            membranes.write.eq(self.write),
            membranes.write_addr.eq(self.write_row),
        ]
        carrying = CarryingCurrent(m, neuron)
        return carrying.leaked(self._spec, carrying.begins(last, membranes.current_before), bias)


class CurrentUpdate(_OfCurrents, NeuronUpdate):
    """Updates neurons with a synaptic current: contract and latencies are those of `NeuronUpdate`.

    The state is the current, which synapses add to; `v` is the membrane, which has a memory in here::

        u = membrane + state
        spike = u >= threshold                             # and what is left of it, by the `Neuron` of the layer
        v = after_spike(u) where spike, else at_rest(u)
        membrane = (v * multiplier) >> shift               # less what a spike takes late
        state = ((state * current multiplier) >> current shift) + bias

    After the last step of a sample, with the starts of both, 0 without.

    Parameters
    ----------
    image : LayerImage
    lane, state_bits, name
        See `NeuronUpdate`.
    membrane_bits : int
    """

    def __init__(self, image: LayerImage, *, lane: int, state_bits: int, membrane_bits: int, name: str) -> None:
        super().__init__(image, lane=lane, state_bits=state_bits, name=name, membrane_bits=membrane_bits)
        self.membranes = Membranes(depth=image.rows, state_bits=state_bits, membrane_bits=membrane_bits)


class CurrentReadoutUpdate(_OfCurrents, ReadoutUpdate):
    """Updates classes whose integrators have a synaptic current: of both, contract and latencies are those above.

    Parameters
    ----------
    image : LayerImage
    lane, state_bits, score_bits, name, decision
        See `ReadoutUpdate`.
    membrane_bits : int
    """

    def __init__(self, image: LayerImage, *, state_bits: int, membrane_bits: int, **options: Any) -> None:
        super().__init__(image, state_bits=state_bits, membrane_bits=membrane_bits, **options)
        self.membranes = Membranes(depth=image.rows, state_bits=state_bits, membrane_bits=membrane_bits)
