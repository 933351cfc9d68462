"""Leaky integrate-and-fire."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Const, Mux

from spikewright.contract.integers import unsigned_bits

from ..arithmetic import times
from ..neuron import NeuronLogic


class LIFLogic(NeuronLogic):
    """All resets and comparisons, see `spikewright.contract.neurons.lif`."""

    def fires(self, u: Any, threshold: Any, before: Any) -> Any:
        reset = self.neuron.reset
        first = Mux(before, threshold.shift_left(1), threshold) if reset == "twice" else threshold
        fires = u > first if self.neuron.strict else u >= first
        return fires & ~before if reset == "dead" else fires

    def after_spike(self, u: Any, threshold: Any) -> Any:
        if self.neuron.reset in ("hard", "dead"):
            return 0
        if self.neuron.max_spikes > 1:
            return Mux(self._too_many(u, threshold), u - times(threshold, self.neuron.max_spikes), u & (threshold - 1))
        return u - threshold if self.neuron.reset in ("soft", "twice") else u

    def _too_many(self, u: Any, threshold: Any) -> Any:
        return u >= times(threshold, self.neuron.max_spikes + 1)

    def spikes(self, u: Any, threshold: Any, fires: Any) -> Any:
        most = self.neuron.max_spikes
        if most == 1:
            return fires
        # Thresholds are powers of two, of which one bit tells which.
        bits = unsigned_bits(most)
        number: Any = Const(0, bits)
        for exponent in range(len(threshold)):
            number = number | Mux(threshold[exponent], u[exponent : exponent + bits], 0)
        return Mux(fires, Mux(self._too_many(u, threshold), most, number[:bits]), 0)

    def at_rest(self, u: Any, threshold: Any, before: Any) -> Any:
        return Mux(before, 0, u) if self.neuron.reset == "dead" else u

    def remembered(self, u: Any, threshold: Any, before: Any) -> Any:
        if self.neuron.reset == "twice":
            # With the other of the two thresholds: of two thresholds and above, one is left, and of one, if it may not
            # fire again, all is.
            return self.fires(u, threshold, ~before)
        return self.fires(u, threshold, before) if self.neuron.reset == "dead" else 0

    def added(self, spike: Any, threshold: Any, bias: Any) -> Any:
        # Beside the comparison: the sum with the leak has no time for one more term.
        return bias - Mux(spike, threshold, 0) if self.neuron.reset == "late" else bias
