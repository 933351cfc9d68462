"""A network's forward and backward pass as CUDA graphs: all of its kernels are launched at once.

On a GPU, launching the kernels of hundreds of steps one by one takes longer than they run. A graph replays them, if
shapes, addresses and what is launched depend on no value. So the drawing of dropout stays outside, as do optimizer and
augmentation; delays are given all the lags that they may grow to; and a batch of another size takes the ordinary way.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from spikewright.contract.errors import InputError
from spikewright.learn.networks import Drawn, SpikingNetwork
from spikewright.support.parallel import GRAPHS, Processes


class FixedPasses(nn.Module):
    """What a network computes, `fixed` as its layers call it: the same within rounding, on any device.

    Takes (T, inputs, B) and the factors of dropout of which `drawn` has any, in its order; gives the scores
    (B, classes) and the spikes of each layer (T, N, B).
    """

    def __init__(self, network: SpikingNetwork, drawn: list[Drawn]) -> None:
        super().__init__()
        self.network = network
        self.present = [[factors is not None for factors in of_layer] for of_layer in drawn]

    def forward(self, x: Tensor, *factors: Tensor) -> tuple[Tensor, ...]:
        left = iter(factors)
        drawn: list[Drawn] = [
            (next(left) if drop else None, next(left) if mask else None) for drop, mask in self.present
        ]
        layers = list(self.network.spiking_layers())
        for layer in layers:
            layer.fixed = True
        try:
            spikes, scores = self.network._run_transposed(x, drawn)
        finally:
            for layer in layers:
                layer.fixed = False
        return scores, *spikes


class Captured:
    """`SpikingNetwork._run_transposed` for training on a GPU, by graphs of batches of the first size that comes.

    They are captured anew when a sigma has changed, which stands in them as a constant.
    """

    def __init__(self, network: SpikingNetwork) -> None:
        self.network = network
        self.size: torch.Size | None = None
        self.sigmas: list[float] = []
        self.graphs: Any = None

    def __call__(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        drawn = self.network.draw(x)
        if self.size is None:
            self.size = x.shape
        if x.shape != self.size:
            return self.network._run_transposed(x, drawn)
        factors = [of_layer for both in drawn for of_layer in both if of_layer is not None]
        sigmas = [layer.sigma for layer in self.network.spiking_layers()]
        if self.graphs is None or sigmas != self.sigmas:
            self.graphs, self.sigmas = self._capture(x, drawn, factors), sigmas
        scores, *spikes = self.graphs(x, *factors)
        return spikes, scores

    def _capture(self, x: Tensor, drawn: list[Drawn], factors: list[Tensor]) -> Any:
        # Capturing runs the network a few times, which must not count for the statistics of batch norms.
        before = [(buffer, buffer.clone()) for buffer in self.network.buffers()]
        samples = tuple(tensor.detach().clone() for tensor in (x, *factors))
        passes = FixedPasses(self.network, drawn)
        graphs = torch.cuda.make_graphed_callables(passes, samples, allow_unused_input=True)
        for buffer, value in before:
            buffer.copy_(value)
        return graphs


def captured(network: nn.Module, group: Processes) -> Captured:
    """The passes of a network as graphs.

    Raises
    ------
    InputError
        If what it needs is no part of a graph.
    """
    if group.world > 1:
        raise InputError(f"device must be cuda for {group.world} processes, not {GRAPHS}")
    if not isinstance(network, SpikingNetwork):
        raise InputError(f"device must be cuda for a convolutional network, not {GRAPHS}")
    if any(layer.config.onward for layer in network.spiking_layers()):
        raise InputError(f"device must be cuda for spikes that take steps to the next layer, not {GRAPHS}")
    return Captured(network)
