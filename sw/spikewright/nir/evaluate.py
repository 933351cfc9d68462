"""Accuracy, sparsity and firing rates of foreign networks on anybody's samples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch

from spikewright.contract.errors import InputError
from spikewright.data import arrays
from spikewright.data.shd import SpikeData
from spikewright.nir.network import ForeignNetwork

Spikes = dict[str, "np.ndarray[Any, np.dtype[np.uint8]]"]

_MOST = 255


def evaluate_foreign(
    network: ForeignNetwork, data: SpikeData | Path | str, batch: int = 64
) -> tuple[dict[str, Any], Spikes]:
    """Run every sample of a file.

    Parameters
    ----------
    network : ForeignNetwork
    data : SpikeData, or path of a NumPy file
        See `spikewright.data.arrays.load`.
    batch : int
        Samples at a time; changes nothing but the memory it takes.

    Returns
    -------
    report : dict
        JSON-ready: samples, accuracy (None without labels), sparsity (share of exact zeros over all weights, those of
        convolutions counted once) and layers, each with name, neurons and firing_rate (None where it never fires).
    spikes : by layer that fires, (T, B, N)

    Raises
    ------
    InputError
        If the file is damaged or does not fit the network.
    """
    where = "data" if isinstance(data, SpikeData) else str(data)
    if isinstance(data, SpikeData):
        samples = data
    elif arrays.is_array_file(data):
        samples = arrays.load(data, timesteps=network.timesteps)
    else:
        raise InputError(f"data must be a file *.npz for a network of another library, not {data}")
    if not len(samples):
        raise InputError("data must hold at least one sample, not 0")
    if (highest := int(samples.labels.max())) >= network.classes:
        raise InputError(f"{where}: labels must be below {network.classes}, the classes of the network, not {highest}")
    found: dict[str, list[np.ndarray[Any, Any]]] = {layer.name: [] for layer in network.layers if layer.fires}
    correct = 0
    for first in range(0, len(samples), batch):
        trace = network.run(torch.from_numpy(samples.counts[first : first + batch]))
        correct += int((trace.classes.numpy() == samples.labels[first : first + batch]).sum())
        for name, spikes in trace.spikes.items():
            steps_first = spikes.flatten(2).transpose(0, 1).numpy()
            if steps_first.max(initial=0) > _MOST:
                raise InputError(f"spikes of a step must be at most {_MOST}, not {steps_first.max():g} ({name!r:.80})")
            found[name].append(steps_first.astype(np.uint8))
    joined = {name: np.concatenate(parts, axis=1) for name, parts in found.items()}
    weights = network.weights().values()
    total = sum(weight.numel() for weight in weights)
    zeros = sum(weight.numel() - int(torch.count_nonzero(weight)) for weight in weights)
    known = bool((samples.labels != arrays.UNKNOWN).all())
    report = {
        "samples": len(samples),
        "accuracy": correct / len(samples) if known else None,
        "sparsity": zeros / total if total else 0.0,
        "layers": [
            {
                "name": layer.name,
                "neurons": int(np.prod(layer.layer.shape)),
                "firing_rate": float(joined[layer.name].mean()) if layer.fires else None,
            }
            for layer in network.layers
        ],
    }
    return report, joined
