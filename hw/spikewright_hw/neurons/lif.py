"""Leaky integrate-and-fire."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Mux

from ..neuron import NeuronLogic


class LIFLogic(NeuronLogic):
    """All resets and comparisons, see `spikewright.contract.neurons.lif`."""

    def fires(self, u: Any, threshold: Any) -> Any:
        return u > threshold if self.neuron.strict else u >= threshold

    def after_spike(self, u: Any, threshold: Any) -> Any:
        if self.neuron.reset == "hard":
            return 0
        return u - threshold if self.neuron.reset == "soft" else u

    def added(self, spike: Any, threshold: Any, bias: Any) -> Any:
        # Beside the comparison: the sum with the leak has no time for one more term.
        return bias - Mux(spike, threshold, 0) if self.neuron.reset == "late" else bias
