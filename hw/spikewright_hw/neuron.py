"""Circuits of neurons: what becomes of a membrane at the end of a step."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cache
from typing import Any

from amaranth.hdl import Const

from spikewright.contract import found
from spikewright.contract.neuron import Neuron


class NeuronLogic(ABC):
    """Logic without registers, from signals to values: the updates of all engines are made of it.

    It computes what `spikewright.contract.neuron.Neuron` says, whose methods it has. A subclass is the only one of its
    module in `spikewright_hw.neurons`, and the name of the module is that of the neuron, see `neuron_logic`.

    Parameters
    ----------
    neuron : Neuron
    """

    def __init__(self, neuron: Any) -> None:
        self.neuron = neuron

    def fires(self, u: Any, threshold: Any, before: Any) -> Any:
        """Whether a membrane fires; `before` is the bit that the step before kept."""
        return u >= threshold

    @abstractmethod
    def after_spike(self, u: Any, threshold: Any) -> Any:
        """What is left of a membrane that fired."""

    def at_rest(self, u: Any, threshold: Any, before: Any) -> Any:
        """What is left of a membrane that did not fire; `u` itself where nothing becomes of it."""
        return u

    def spikes(self, u: Any, threshold: Any, fires: Any) -> Any:
        """How many spikes a membrane sends in the step; `fires` itself of neurons that send one at most."""
        return fires

    def remembered(self, u: Any, threshold: Any, before: Any) -> Any:
        """The bit that is kept, from the sum of the step: what is left of it is known too late."""
        return 0

    def added(self, spike: Any, threshold: Any, bias: Any) -> Any:
        """What is added to the leak: `bias`, less what a spike takes away so late; `spike` is 0 as a sample ends."""
        return bias


class _Integrator(NeuronLogic):
    def fires(self, u: Any, threshold: Any, before: Any) -> Any:
        return Const(0)

    def after_spike(self, u: Any, threshold: Any) -> Any:
        return u


INTEGRATOR = _Integrator(None)
"""That of a read-out: it never fires, and nothing becomes of its membranes."""


@cache
def neuron_logic(neuron: Neuron) -> NeuronLogic:
    """The circuit of a neuron; of equal neurons the very same."""
    logic: NeuronLogic = found.class_in("spikewright_hw.neurons", neuron.name, NeuronLogic)(neuron)
    return logic
