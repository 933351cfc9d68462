"""A neuron that the product lacks, in all its forms: its membrane never falls below some of its thresholds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from amaranth.hdl import Mux
from torch import Tensor

from spikewright.contract.neuron import Neuron, neuron_from
from spikewright.learn.neuron import Neuron as FloatNeuron
from spikewright_hw.neuron import NeuronLogic


@dataclass(frozen=True)
class IntegerClipped(Neuron):
    depth: int = 1

    def __post_init__(self) -> None:
        if type(self.depth) is not int or not 0 <= self.depth <= 4:
            raise ValueError(f"depth must be 0 .. 4 thresholds, not {self.depth!r}")

    def after_spike(self, u: Any, threshold: Any) -> Any:
        return u - threshold

    def at_rest(self, u: Any, threshold: Any, before: Any = 0) -> Any:
        lowest = threshold * -self.depth
        return u + (lowest - u) * (u < lowest)

    @property
    def luts_per_bit(self) -> int:
        return 4


class ClippedLogic(NeuronLogic):
    def after_spike(self, u: Any, threshold: Any) -> Any:
        return u - threshold

    def at_rest(self, u: Any, threshold: Any, before: Any) -> Any:
        lowest = threshold * -self.neuron.depth
        return Mux(u < lowest, lowest, u)


@dataclass(frozen=True)
class Clipped(FloatNeuron):
    depth: int = 1

    def after(self, u: Tensor, s: Tensor, v: Tensor, out: Tensor | None = None) -> Tensor:
        return torch.sub(u, s, alpha=self.threshold, out=out).clamp_(min=-self.depth * self.threshold)

    def kept(self, u: Tensor, s: Tensor) -> Tensor:
        return (u >= -self.depth * self.threshold).to(u.dtype) * self.share

    def in_integers(self) -> Neuron:
        return neuron_from({"neuron": "clipped", "depth": self.depth})
