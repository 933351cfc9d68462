"""Leaky integrate-and-fire."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Mux

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
        return u - threshold if self.neuron.reset in ("soft", "twice") else u

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
