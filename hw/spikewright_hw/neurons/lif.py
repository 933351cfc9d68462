"""Leaky integrate-and-fire."""

from __future__ import annotations

from typing import Any

from ..neuron import NeuronLogic


class LIFLogic(NeuronLogic):
    """A spike leaves nothing, or what was above the threshold, see `spikewright.contract.neurons.lif`."""

    def after_spike(self, u: Any, threshold: Any) -> Any:
        return 0 if self.neuron.reset == "hard" else u - threshold
