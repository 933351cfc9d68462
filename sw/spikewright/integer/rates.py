"""How often every axon of a network has an event, so that lanes can be given equally much to do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import torch

from spikewright.contract.integers import IntArray
from spikewright.contract.layer import RATE_UNIT
from spikewright.contract.network import NetworkSpec
from spikewright.integer.reference import IntegerNetwork

SAMPLES = 64
"""Training samples on which `spikewright quantize` counts events."""


@torch.no_grad()
def measured(network: NetworkSpec, counts: npt.NDArray[np.integer]) -> NetworkSpec:
    """The same network with the `rates` of its axons.

    Parameters
    ----------
    network : NetworkSpec
    counts : (samples, T, inputs) integers
        Recordings; of the training part, so that nothing is fitted to what is tested.

    Returns
    -------
    NetworkSpec
        It computes the same; only the lanes of its neurons may become others.
    """
    # A count that does not fit is an error where it is to be classified, not here.
    values = torch.from_numpy(np.minimum(counts, (1 << network.value_bits) - 1))
    spikes = [of_layer.numpy() for of_layer in IntegerNetwork(network).run(values).spikes]
    samples, timesteps = counts.shape[:2]

    def rate(events: IntArray) -> IntArray:
        rates: IntArray = (events * RATE_UNIT + samples * timesteps // 2) // max(1, samples * timesteps)
        return rates

    events = np.count_nonzero(counts, axis=(0, 1))
    layers = []
    for index, layer in enumerate(network.layers):
        rates = rate(events)
        if index < len(spikes):
            events = np.count_nonzero(layer.sent(spikes[index]), axis=(0, 1))
        if layer.delays is not None:
            # What would arrive after the last step never does.
            steps = np.maximum(0, timesteps - 1 - layer.delays).tolist()
            arrived = [np.count_nonzero(spikes[index][:, :last, neuron]) for neuron, last in enumerate(steps)]
            rates = np.concatenate([rates, rate(np.array(arrived))])
        layers.append(replace(layer, rates=rates))
    return replace(network, layers=tuple(layers))
