"""The synapse path in Verilator: membranes equal exact sums, cycles the recurrence of the cycle model."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from random_components import SEEDS, drawn, redrawn, stall_of
from random_networks import random_network
from spikewright.cycles import _Layer
from spikewright.pack import pack
from spikewright.spec import CoreSpec, IntArray, LayerImage, NetworkSpec
from spikewright_hw.layer import SynapsePath
from spikewright_hw.layouts import event
from spikewright_sim.components import Compiled, compile_components, run_components

STATE_BITS = 26
"""More than any of the sums below needs."""

PATHS: dict[str, dict[str, Any]] = {
    "counts": {"index": 0, "sizes": (9, 11, 3), "lanes": 4, "queue": 2, "value_bits": 5, "shift": 1, "density": 0.5},
    "single": {"index": 1, "sizes": (3, 12, 6, 3), "lanes": 1, "queue": 4, "value_bits": 1, "shift": 0, "density": 0.7},
    # Three of the lanes have no neuron.
    "thin": {
        "index": 2,
        "sizes": (3, 4, 10, 5, 3),
        "lanes": 8,
        "queue": 3,
        "value_bits": 1,
        "shift": 3,
        "density": 0.4,
    },
}
"""The layer `index` of a network, as each needs a name of its own."""


def synapse_core(seed: int, name: str) -> CoreSpec:
    path = PATHS[name]
    index = path["index"]

    def make(seed: int) -> CoreSpec:
        network = random_network(
            0,
            path["sizes"],
            recurrent=(False,),
            density=path["density"],
            value_bits=path["value_bits"],
            weight_shift=path["shift"],
        )
        layer = network.layers[index]
        weights = layer.weights.copy()
        # Of the first axons: an empty row, a full row, and two that hold one synapse each, onto the same neuron.
        weights[:, :4] = 0
        weights[:, 1] = weights[0, 2:4] = 1
        layers = list(network.layers)
        layers[index] = replace(layer, weights=redrawn(weights, np.random.default_rng(seed), 127, fixed=4))
        core = pack(NetworkSpec(layers=tuple(layers), timesteps=network.timesteps), path["lanes"])
        return replace(core, queue_depth=path["queue"])

    return drawn(seed, make, lambda core: (core.layers[index].start_bits, core.layers[index].length_bits))


def synapse_paths(seed: int) -> tuple[dict[str, SynapsePath], dict[str, CoreSpec]]:
    cores = {name: synapse_core(seed, name) for name in PATHS}
    paths = {name: SynapsePath(core, PATHS[name]["index"], state_bits=STATE_BITS) for name, core in cores.items()}
    return paths, cores


def random_events(rng: random.Random, axons: int, value_bits: int) -> list[list[tuple[int, int]]]:
    """Steps of (axon, value): in any order and repeated, as the path does not mind."""
    limit = (1 << value_bits) - 1
    steps = []
    for length in (0, 1, 40, 0, 0, *(rng.randint(0, 15) for _ in range(25))):
        favourites = rng.choice([range(axons), (2, 3), (1, 2), (0,)])
        steps.append([(rng.choice(favourites), rng.choice([1, limit, rng.randint(1, limit)])) for _ in range(length)])
    return steps


def added_by(image: LayerImage, events: list[tuple[int, int]]) -> IntArray:
    """(rows, lanes): what the events of a step sum up to, straight from the synapse memories."""
    total = np.zeros((image.rows, image.lanes), dtype=np.int64)
    for axon, value in events:
        for lane in range(image.lanes):
            for synapse in range(image.indptr[axon, lane], image.indptr[axon + 1, lane]):
                weight = int(image.data[lane][synapse]) << image.spec.weight_shift
                total[image.indices[lane][synapse], lane] += weight * value
    return total


def wrapped(states: IntArray) -> list[Any]:
    return (states & ((1 << STATE_BITS) - 1)).tolist()


def test_synapse_path(tmp_path: Path) -> None:
    compiled = compile_components(synapse_paths(0)[0], tmp_path)
    for seed in SEEDS:
        folder = tmp_path / f"seed{seed}"
        folder.mkdir()
        check(compiled, folder, seed)


def check(compiled: Compiled, folder: Path, seed: int) -> None:
    rng = random.Random(f"synapses {seed}")
    draw = np.random.default_rng(seed)
    paths, cores = synapse_paths(seed)
    steps, states, marks, job = {}, {}, {}, {}
    for name, core in cores.items():
        image = core.layers[PATHS[name]["index"]]
        spec = image.spec
        beat = event(spec.axons, spec.value_bits).const
        steps[name] = random_events(rng, spec.axons, spec.value_bits)
        marks[name] = [(rng.randrange(2), rng.randrange(2)) for _ in steps[name]]
        states[name] = draw.integers(-50_000, 50_001, (len(steps[name]) + 1, image.rows, image.lanes))
        beats = []
        for events, (last, error) in zip(steps[name], marks[name], strict=True):
            beats += [beat({"axon": axon, "value": value}).as_bits() for axon, value in events]
            beats.append(beat({"mark": 1, "last": last, "error": error}).as_bits())
        job[name] = {
            "stall": stall_of(seed),
            "lanes": image.lanes,
            "rows": image.rows,
            "beats": beats,
            "states": wrapped(states[name]),
        }
    recording = run_components(compiled, paths, "spikewright_sim.bench_synapses", job, folder, seed=seed)
    for name, core in cores.items():
        image = core.layers[PATHS[name]["index"]]
        seen = recording[name]
        for step, events in enumerate(steps[name]):
            expected = wrapped(states[name][step] + added_by(image, events))
            for row in range(image.rows):
                where = f"{name}, seed {seed}, step {step}, row {row}, membranes of the lanes after {events}"
                assert seen["read"][step][row] == expected[row], where
        assert [(bits & 1, bits >> 1) for bits in seen["marks"]] == marks[name]
        if stall_of(seed) == 0:
            check_cycles(core, PATHS[name]["index"], steps[name], seen, f"{name}, seed {seed}")


def check_cycles(
    core: CoreSpec, index: int, steps: list[list[tuple[int, int]]], seen: dict[str, Any], where: str
) -> None:
    """Every cycle of a beat taken and of a sweep decided, by the recurrence of the cycle model."""
    layer = _Layer(core.layers[index], core.queue_depth)
    layer._swept = -1 + layer.sweep + 5  # the first sweep, decided before cycle 0, sets the states
    cycle = layer.sweep - 1
    taken = []
    for step, events in enumerate(steps):
        for axon, _ in events:
            cycle = max(cycle + 1, layer.ready)
            layer.take(axon, cycle)
            taken.append(cycle)
        cycle = max(cycle + 1, layer.ready)
        taken.append(cycle)
        decided = layer.end_step(cycle)
        assert seen["sweeps"][step] == decided, f"{where}, step {step}, cycle of the sweep"
    assert seen["taken"] == taken, where
