"""Accuracy, sparsity and firing rates of float and integer networks."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch

from spikewright.contract.errors import InputError
from spikewright.contract.integers import check_samples
from spikewright.data import arrays
from spikewright.integer.file import is_model, load_model
from spikewright.integer.reference import IntegerNetwork
from spikewright.learn.checkpoint import load_checkpoint
from spikewright.learn.networks import SpikingNetwork

if TYPE_CHECKING:
    from spikewright.data.shd import SpikeData

Spikes = npt.NDArray[np.uint8]


def load_network(path: Path | str) -> SpikingNetwork | IntegerNetwork:
    """The float network of a checkpoint or the integer network of a model file.

    Raises
    ------
    InputError
        If the file is neither.
    """
    path = Path(path)
    return IntegerNetwork(load_model(path)) if is_model(path) else load_checkpoint(path)


@torch.no_grad()
def evaluate(network: SpikingNetwork | IntegerNetwork, data: SpikeData, batch: int = 256) -> dict[str, Any]:
    """Run every sample.

    Parameters
    ----------
    network : SpikingNetwork or IntegerNetwork
        A float network is evaluated with rounded delays and without dropout, whatever mode it is in.
    data : SpikeData
    batch : int
        Samples at a time; changes nothing but the memory it takes.

    Returns
    -------
    dict
        JSON-ready: samples, accuracy (None where classes are not known), sparsity (share of exact zeros over all weight
        matrices) and layers, each with shape [neurons, axons], nnz, sparsity and firing_rate (spikes per neuron and
        step; None for the read-out).

    Raises
    ------
    InputError
        If the data does not fit the network, or there are no samples.
    """
    if not len(data):
        raise InputError("data must hold at least one sample, not 0")
    shape = network.spec if isinstance(network, IntegerNetwork) else network.config
    check_samples("data", data.counts, shape.timesteps, shape.inputs)
    weights = _weights(network)
    mode = network.training
    network.eval()
    fired = [0.0] * (len(weights) - 1)
    correct = 0
    try:
        for first in range(0, len(data), batch):
            trace = network.run(torch.from_numpy(data.counts[first : first + batch]))
            correct += int((trace.classes == torch.from_numpy(data.labels[first : first + batch])).sum())
            fired = [f + float(s.sum(dtype=torch.float64)) for f, s in zip(fired, trace.spikes, strict=True)]
    finally:
        network.train(mode)
    steps = len(data) * data.counts.shape[1]
    rates: list[float | None] = [f / (steps * len(w)) for f, w in zip(fired, weights, strict=False)]
    total = sum(w.numel() for w in weights)
    known = bool((data.labels != arrays.UNKNOWN).all())
    nonzero = [int(torch.count_nonzero(w)) for w in weights]
    return {
        "samples": len(data),
        "accuracy": correct / len(data) if known else None,
        "sparsity": 1.0 - sum(nonzero) / total,
        "layers": [
            {
                "shape": list(w.shape),
                "nnz": nnz,
                "sparsity": 1.0 - nnz / w.numel(),
                "firing_rate": rate,
            }
            for w, nnz, rate in zip(weights, nonzero, [*rates, None], strict=True)
        ],
    }


@torch.no_grad()
def spikes_of(network: SpikingNetwork | IntegerNetwork, data: SpikeData, batch: int = 256) -> dict[str, Spikes]:
    """Spikes of each spiking layer, (T, samples, neurons), by the name of its tensors: `layers.0`, ..."""
    parts: list[list[Spikes]] = []
    for first in range(0, len(data), batch):
        trace = network.eval().run(torch.from_numpy(data.counts[first : first + batch]))
        parts.append([spikes.to(torch.uint8).transpose(0, 1).numpy() for spikes in trace.spikes])
    return {
        f"layers.{index}": np.concatenate(of_layer, axis=1) for index, of_layer in enumerate(zip(*parts, strict=True))
    }


def _weights(network: SpikingNetwork | IntegerNetwork) -> list[torch.Tensor]:
    """Per layer (neurons, axons): feed-forward, then recurrent."""
    if isinstance(network, IntegerNetwork):
        return [torch.tensor(layer.weights) for layer in network.spec.layers]
    layers = [
        torch.cat([layer.weight, layer.recurrent_weight], dim=1) if layer.config.recurrent else layer.weight
        for layer in network.spiking_layers()
    ]
    return [*layers, network.readout.weight]
