"""Cycles, utilisation and stored bits of the core for a dense network and for random masks of it.

    python bench/engine.py CHECKPOINT --data DIR [--samples 20] [--lanes 8,16,32] [--densities 1,0.5,0.1] [--json]

The integer network of CHECKPOINT (8 bits) runs on test recordings; its spikes are kept for all masks, so that the rows
differ in nothing but their synapses. Masks are random (numpy, seed 0), each keeping a share of every weight matrix.
Cycles are those of the cycle model, which simulations hold to be exact.

- cycles: mean of an inference; of dense: relative to the first density given.
- utilisation: synaptic operations / (lanes x cycles of the layer between its first synapse and its last mark, sweeps
  left out), of the layer with the most operations.
- bits per synapse: row pointers and synapses as `generate` writes them, over the stored synapses; and relative to the
  limit log2(C(N, k)) / k + weight bits.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spikewright.checkpoint import load_checkpoint
from spikewright.cycles import CycleModel
from spikewright.data.shd import load_split
from spikewright.integer import IntegerNetwork
from spikewright.pack import pack
from spikewright.quantize import quantize
from spikewright.reports.cost import stored_bits
from spikewright.spec import NetworkSpec


def masked(network: NetworkSpec, density: float) -> NetworkSpec:
    """A share `density` of the weights of every layer, at random."""
    generator = np.random.default_rng(0)
    return replace(
        network,
        layers=tuple(
            replace(layer, weights=layer.weights * (generator.random(layer.weights.shape) < density))
            for layer in network.layers
        ),
    )


def information_limit(network: NetworkSpec) -> float:
    """Bits per stored synapse that no encoding of the positions can go below: log2(C(N, k)) / k + weight bits."""
    total = sum(layer.weights.size for layer in network.layers)
    stored = sum(layer.synapses for layer in network.layers)
    choices = (math.lgamma(total + 1) - math.lgamma(stored + 1) - math.lgamma(total - stored + 1)) / math.log(2)
    return choices / stored + network.layers[0].weight_bits


def operations(network: NetworkSpec, values: np.ndarray[Any, Any], spikes: list[np.ndarray[Any, Any]]) -> list[int]:
    """Synaptic operations of one sample, per layer."""
    counts = []
    feed = values != 0  # (T, axons)
    for index, layer in enumerate(network.layers):
        synapses = np.count_nonzero(layer.weights, axis=0)
        total = int((feed.sum(axis=0) * synapses[: layer.inputs]).sum())
        if layer.delays is not None:
            steps = len(values)
            for neuron, delay in enumerate(layer.delays.tolist()):
                arriving = int(spikes[index][: max(0, steps - 1 - delay), neuron].sum())
                total += arriving * int(synapses[layer.inputs + neuron])
        counts.append(total)
        feed = spikes[index] if index < len(spikes) else feed
    return counts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--samples", type=int, default=20)
    parser.add_argument("--lanes", type=lambda text: [int(item) for item in text.split(",")], default=[8, 16, 32])
    parser.add_argument(
        "--densities", type=lambda text: [float(item) for item in text.split(",")], default=[1.0, 0.5, 0.1]
    )
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    network = quantize(load_checkpoint(args.checkpoint))
    counts = load_split(args.data, "test").counts[: args.samples]
    trace = IntegerNetwork(network).run(torch.from_numpy(counts).permute(1, 0, 2))
    rows = []
    for lanes in args.lanes:
        dense = 0.0
        for density in args.densities:
            sparse = masked(network, density)
            core = pack(sparse, lanes)
            model = CycleModel(core)
            cycles, done, integrating = [], np.zeros(len(core.layers)), np.zeros(len(core.layers))
            start = 0
            for index, values in enumerate(counts):
                spikes = [layer[:, index].numpy() for layer in trace.spikes]
                found = model.run(values, spikes, start)
                start = found.done + 10_000
                cycles.append(found.latency)
                done += operations(sparse, values, spikes)
                integrating += found.integrating
            busiest = int(done.argmax())
            dense = dense or float(np.mean(cycles))
            stored = sum(layer.synapses for layer in sparse.layers)
            bits = stored_bits(core) / stored
            rows.append(
                {
                    "lanes": lanes,
                    "density": density,
                    "cycles": float(np.mean(cycles)),
                    "of_dense": float(np.mean(cycles)) / dense,
                    "utilisation": float(done[busiest] / integrating[busiest]),
                    "bits_per_synapse": bits,
                    "of_limit": bits / information_limit(sparse),
                }
            )
    if args.json:
        print(json.dumps(rows))
        return
    print("lanes  density    cycles  of dense  utilisation  bits/synapse  of limit")
    for row in rows:
        print(
            f"{row['lanes']:5}  {row['density']:7.2f}  {row['cycles']:8,.0f}  {row['of_dense']:8.3f}"
            f"  {row['utilisation']:11.3f}  {row['bits_per_synapse']:12.2f}  {row['of_limit']:8.2f}"
        )


if __name__ == "__main__":
    main()
