"""Cycles, utilisation and stored bits of the core for a dense network and for random masks of it.

    python bench/engine.py CHECKPOINT --data DIR [--samples 20] [--lanes 8,16,32] [--densities 1,0.5,0.1] [--json]
    python bench/engine.py --baseline bench/engine.json
    python bench/engine.py --headline --data DIR [--engines slotted] [--folder FOLDER] [--json] [--write]

The integer network of CHECKPOINT (8 bits) runs on test recordings; its spikes are kept for all masks, so that the rows
differ in nothing but their synapses. Masks are random (numpy, seed 0), each keeping a share of every weight matrix.
Cycles are those of the cycle model, which simulations hold to be exact. Lanes are balanced by the rates of the axons
on the first 64 training recordings, as after `spikewright quantize --data DIR`.

With --headline, one SHD inference in the least time, on a core that is placed and routed (see headline.py; most of an
hour); FOLDER keeps what is made, and what is there is used again. With --write, the figures of all --engines go into
`bench/results/latency.json`, of which `bench/results.py` makes a page.

With --baseline, the shipped checkpoint and recordings that the file names are measured instead, and a figure that is
worse than the file says, by more than its tolerance, makes the exit status 1.

- cycles: mean of an inference; of dense: relative to the first density given.
- utilisation: synaptic operations / (lanes x cycles of the layer between its first synapse and its last mark, sweeps
  left out), of the layer with the most operations.
- bits per synapse: row pointers and synapses as `generate` writes them, over the stored synapses; and relative to the
  limit log2(C(N, k)) / k + weight bits.
- padded: the same, each word padded to the width of the block RAMs of ECP5 that it lies in.
- absolute, relative, bitmap: what each encoding of the neurons would take in all layers, relative to the limit.
- chosen: the encoding of each layer.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from spikewright.contract.encoding import encoding_names
from spikewright.contract.network import NetworkSpec
from spikewright.data.shd import load, load_split
from spikewright.integer.operations import count_operations
from spikewright.integer.rates import SAMPLES, measured
from spikewright.integer.reference import IntegerNetwork
from spikewright.integer.rounding import quantize
from spikewright.layout.limit import bits_per_synapse
from spikewright.layout.pack import pack
from spikewright.layout.placement import encodings
from spikewright.layout.price import padded_bits
from spikewright.learn.checkpoint import load_checkpoint
from spikewright.predict.cycles import CycleModel
from spikewright.report.cost import stored_bits
from spikewright.support.shipped import asset

Counts = npt.NDArray[np.integer]


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
    return bits_per_synapse(total, stored, network.layers[0].weight_bits)


def measure(
    network: NetworkSpec, training: Counts, counts: Counts, lane_counts: Sequence[int], densities: Sequence[float]
) -> list[dict[str, Any]]:
    """A row of figures per number of lanes and density.

    Parameters
    ----------
    network : NetworkSpec
    training, counts : (samples, T, inputs) integers
        Recordings by which the lanes are balanced, and those that are measured.
    """
    network = measured(network, training)
    trace = IntegerNetwork(network).run(torch.from_numpy(counts))
    rows = []
    for lanes in lane_counts:
        dense = 0.0
        for density in densities:
            sparse = masked(network, density)
            core = pack(sparse, lanes)
            model = CycleModel(core)
            cycles, done, integrating = [], np.zeros(len(core.layers)), np.zeros(len(core.layers))
            start = 0
            for index, values in enumerate(counts):
                spikes = [layer[index].numpy() for layer in trace.spikes]
                found = model.run(values, spikes, start)
                start = found.done + 10_000
                cycles.append(found.latency)
                of_layers = count_operations(sparse, values[None], [layer[None] for layer in spikes])
                done += [layer.sparse for layer in of_layers]
                integrating += found.integrating
            busiest = int(done.argmax())
            dense = dense or float(np.mean(cycles))
            limit = information_limit(sparse) * sum(layer.synapses for layer in sparse.layers)
            stored = [encodings(image) for image in core.layers]
            rows.append(
                {
                    "lanes": lanes,
                    "density": density,
                    "cycles": float(np.mean(cycles)),
                    "of_dense": float(np.mean(cycles)) / dense,
                    "utilisation": float(done[busiest] / integrating[busiest]),
                    "bits_per_synapse": stored_bits(core) / limit * information_limit(sparse),
                    "of_limit": stored_bits(core) / limit,
                    "padded_of_limit": sum(
                        padded_bits(of_layer[image.encoding], "ecp5")
                        for of_layer, image in zip(stored, core.layers, strict=True)
                    )
                    / limit,
                    **{
                        f"{name}_of_limit": sum(of_layer[name].bits for of_layer in stored) / limit
                        for name in encoding_names()
                    },
                    "encodings": [image.encoding for image in core.layers],
                }
            )
    return rows


def worse(
    rows: Sequence[dict[str, Any]], expected: Sequence[dict[str, Any]], tolerances: dict[str, float]
) -> list[str]:
    """What is worse than expected by more than the tolerance of its figure (a share), in words.

    Of all figures with a tolerance, only the utilisation is the better the larger it is.
    """
    found = []
    if [(row["lanes"], row["density"]) for row in rows] != [(row["lanes"], row["density"]) for row in expected]:
        return ["lanes and densities are others than those of the baseline"]
    for row, before in zip(rows, expected, strict=True):
        for name, tolerance in tolerances.items():
            sign = -1 if name == "utilisation" else 1
            if sign * row[name] > sign * before[name] * (1 + sign * tolerance):
                where = f"{row['lanes']} lanes, density {row['density']}"
                found.append(f"{where}: {name} is {row[name]:.4g}, but was {before[name]:.4g}")
    return found


def of_baseline(baseline: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows of a baseline, measured anew on shipped files: half of the recordings are to balance the lanes."""
    network = quantize(load_checkpoint(asset(baseline["checkpoint"])))
    counts = load(asset(baseline["recordings"]), samples=baseline["samples"]).counts
    half = len(counts) // 2
    lanes = sorted({row["lanes"] for row in baseline["rows"]})
    densities = sorted({row["density"] for row in baseline["rows"]}, reverse=True)
    return measure(network, counts[:half], counts[half:], lanes, densities)


def _headlines(args: argparse.Namespace) -> int:
    from headline import headline, write

    with tempfile.TemporaryDirectory() as temporary:
        found = [headline(args.data, args.folder or Path(temporary), layers) for layers in args.engines]
    if args.write:
        write(found)
    for of_engine in found:
        if args.json:
            print(json.dumps(of_engine))
            continue
        for name, value in of_engine.items():
            print(f"{name:20}  {value:.4g}" if isinstance(value, float) else f"{name:20}  {value}")
    return 1 if any(of_engine["mismatches"] or of_engine["cycle_mismatches"] for of_engine in found) else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", type=Path, nargs="?")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--samples", type=int, default=20)
    parser.add_argument("--lanes", type=lambda text: [int(item) for item in text.split(",")], default=[8, 16, 32])
    parser.add_argument(
        "--densities", type=lambda text: [float(item) for item in text.split(",")], default=[1.0, 0.5, 0.1]
    )
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--baseline", type=Path)
    parser.add_argument("--headline", action="store_true")
    parser.add_argument("--engines", type=lambda text: text.split(","), default=["slotted"])
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    if args.headline:
        if args.data is None:
            parser.error("--data DIR must be given with --headline")
        return _headlines(args)
    problems: list[str] = []
    if args.baseline:
        baseline = json.loads(args.baseline.read_text("utf-8"))
        rows = of_baseline(baseline)
        problems = worse(rows, baseline["rows"], baseline["tolerances"])
    elif args.checkpoint is None or args.data is None:
        parser.error("CHECKPOINT and --data DIR must be given, or --baseline FILE")
    else:
        network = quantize(load_checkpoint(args.checkpoint))
        training = load_split(args.data, "train", samples=SAMPLES).counts
        counts = load_split(args.data, "test", samples=args.samples).counts
        rows = measure(network, training, counts, args.lanes, args.densities)
    if args.json:
        print(json.dumps(rows))
    else:
        print(
            "lanes  density    cycles  of dense  utilisation  bits/synapse  of limit  padded"
            "  absolute  relative  bitmap  chosen",
        )
        for row in rows:
            print(
                f"{row['lanes']:5}  {row['density']:7.2f}  {row['cycles']:8,.0f}  {row['of_dense']:8.3f}"
                f"  {row['utilisation']:11.3f}  {row['bits_per_synapse']:12.2f}  {row['of_limit']:8.3f}"
                f"  {row['padded_of_limit']:6.3f}  {row['absolute_of_limit']:8.3f}  {row['relative_of_limit']:8.3f}"
                f"  {row['bitmap_of_limit']:6.3f}  {', '.join(row['encodings'])}"
            )
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
