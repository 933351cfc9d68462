"""A recurrent layer in Verilator against the integer layer, samples back to back."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from random_components import SEEDS, drawn, redrawn, stall_of
from random_networks import HARD, SOFT, TAU_1_05, TAU_2, random_network
from spikewright.contract.bounds import layer_bounds
from spikewright.contract.core import CoreSpec
from spikewright.contract.image import LayerImage
from spikewright.contract.integers import IntArray, signed_bits, unsigned_bits
from spikewright.contract.network import NetworkSpec
from spikewright.integer.reference import IntegerLayer
from spikewright.layout.pack import pack
from spikewright_hw.layer import SpikingLayer
from spikewright_hw.layouts import event
from spikewright_sim.bench.components import Compiled, compile_components, run_components
from spikewright_sim.core.scoreboard import unpack_signed

LAYERS: dict[str, dict[str, Any]] = {
    "first": {
        "index": 0,
        "words": 100,
        "sizes": (12, 18, 3),
        "lanes": 4,
        "value_bits": 3,
        "decay": TAU_1_05,
        "neuron": HARD,
    },
    "second": {
        "index": 1,
        "words": 60,
        "sizes": (3, 10, 7, 3),
        "lanes": 2,
        "value_bits": 1,
        "decay": TAU_2,
        "neuron": SOFT,
    },
}
"""The layer `index` of a network whose layers are all recurrent."""


def of_size(image: LayerImage, words: int) -> LayerImage:
    """The same with `words` words in every synapse memory; those at the end are never read."""

    def padded(values: IntArray) -> IntArray:
        return np.pad(values, (0, words - len(values)))

    return replace(image, indices=tuple(map(padded, image.indices)), data=tuple(map(padded, image.data)))


def layer_core(seed: int, name: str) -> CoreSpec:
    layer = LAYERS[name]
    index = layer["index"]

    def make(seed: int) -> CoreSpec:
        fixed, other = (
            random_network(
                number,
                layer["sizes"],
                recurrent=(True,),
                max_delay=9,
                decay=layer["decay"],
                neuron=layer["neuron"],
                value_bits=layer["value_bits"],
            )
            for number in (0, seed)
        )
        layers = list(fixed.layers)
        weights = redrawn(layers[index].weights, np.random.default_rng(seed), 127)
        # Delays decide about the program of delays.
        layers[index] = replace(other.layers[index], weights=weights, delays=layers[index].delays)
        network = NetworkSpec(layers=tuple(layers), timesteps=fixed.timesteps)
        core = pack(network, layer["lanes"], encoding="absolute")
        images = list(core.layers)
        images[index] = of_size(images[index], layer["words"])
        return replace(core, layers=tuple(images))

    def widths(core: CoreSpec) -> Any:
        image = core.layers[index]
        spec = image.spec
        assert spec.threshold is not None
        assert spec.delays is not None
        return (
            image.start_bits,
            image.offset_bits,
            image.length_bits,
            layer_bounds(spec, core.network.timesteps).state_bits,
            unsigned_bits(int(spec.threshold.max())),
            signed_bits(int(spec.bias.min()), int(spec.bias.max())),
            int(spec.delays.max()),
        )

    return drawn(seed, make, widths)


def layers(seed: int) -> tuple[dict[str, SpikingLayer], dict[str, CoreSpec]]:
    cores = {name: layer_core(seed, name) for name in LAYERS}
    return {name: SpikingLayer(core, LAYERS[name]["index"]) for name, core in cores.items()}, cores


def test_layer(tmp_path: Path) -> None:
    compiled = compile_components(layers(0)[0], tmp_path)
    for seed in SEEDS:
        folder = tmp_path / f"seed{seed}"
        folder.mkdir()
        check(compiled, folder, seed)


def check(compiled: Compiled, folder: Path, seed: int) -> None:
    """Samples back to back; the reference runs each alone."""
    rng = np.random.default_rng(seed)
    components, cores = layers(seed)
    job, lengths, values = {}, {}, {}
    for name, core in cores.items():
        index = LAYERS[name]["index"]
        spec = core.layers[index].spec
        lengths[name] = rng.integers(1, core.network.timesteps + 1, 6).tolist()
        values[name] = random_values(rng, lengths[name], spec.inputs, spec.value_bits)
        # Axons are numbered by the hardware positions of the layer before.
        order = core.layers[index - 1].order if index else np.arange(spec.inputs)
        beat = event(spec.inputs, spec.value_bits).const
        beats = []
        for sample in values[name]:
            for t, step in enumerate(sample[:, order]):
                beats += [beat({"axon": int(axon), "value": int(step[axon])}) for axon in np.flatnonzero(step)]
                beats.append(beat({"mark": 1, "last": t == len(sample) - 1}))
        job[name] = {
            "stall": stall_of(seed),
            "mark_bit": event(spec.neurons).const({"mark": 1}).as_bits().bit_length() - 1,
            "steps": sum(lengths[name]),
            "beats": [item.as_bits() for item in beats],
        }
    recording = run_components(compiled, components, "spikewright_sim.bench.layer", job, folder, seed=seed)
    for name, core in cores.items():
        check_layer(core, LAYERS[name]["index"], values[name], recording[name], f"{name}, seed {seed}")


def random_values(rng: np.random.Generator, lengths: list[int], inputs: int, value_bits: int) -> list[IntArray]:
    """By sample (T, inputs)."""
    samples = []
    for length in lengths:
        counts = rng.integers(1, 1 << value_bits, (length, inputs))
        counts[rng.random(counts.shape) >= rng.choice([0.1, 0.5, 1.0])] = 0
        samples.append(counts)
    return samples


def check_layer(core: CoreSpec, index: int, values: list[IntArray], seen: dict[str, Any], where: str) -> None:
    image = core.layers[index]
    spec = image.spec
    rows = image.rows
    bits = layer_bounds(spec, core.network.timesteps).state_bits
    reference = IntegerLayer(spec)
    layout = event(spec.neurons)
    packets: list[list[int]] = [[]]
    flags = []
    for _, word in seen["spikes"]:
        beat = layout.from_bits(word)
        if beat.mark:
            flags.append((beat.last, beat.error))
            packets.append([])
        else:
            packets[-1].append(int(image.order[beat.axon]))
    step = fired = 0
    for b, sample in enumerate(values):
        spikes, membranes = reference(torch.from_numpy(sample[None]))
        for t in range(len(sample)):
            at = f"{where}, sample {b}, step {t}"
            traced = seen["rows"][step * rows : (step + 1) * rows]
            assert [row for _, row, _, _ in traced] == list(range(rows)), at
            v = unpack_signed([word for *_, word in traced], bits, image.lanes).reshape(-1)[: spec.neurons]
            wanted = membranes[0, t].numpy()[image.order]
            for position in np.flatnonzero(v != wanted):
                raise AssertionError(
                    f"{at}, neuron {image.order[position]} membrane: expected {wanted[position]}, got {v[position]}"
                )
            expected = np.flatnonzero(spikes[0, t].numpy()[image.order])
            assert packets[step] == image.order[expected].tolist(), f"{at}, spikes"
            assert flags[step] == (t == len(sample) - 1, 0), at
            fired += len(expected)
            step += 1
    assert len(seen["rows"]) == step * rows
    assert len(flags) == step
    assert 0.02 < fired / (step * spec.neurons) < 0.98, f"{where}: not worth comparing"
