"""The neuron update in Verilator: its equations, row by row, and its latencies."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from random_components import SEEDS, stall_of
from random_networks import TAU_1_05, TAU_2, random_network
from spikewright.pack import pack
from spikewright.spec import Decay, IntArray, LayerImage, NetworkSpec
from spikewright_hw.layouts import MARK, bit_row
from spikewright_hw.update import NeuronUpdate
from spikewright_sim.components import Compiled, compile_components, run_components
from spikewright_sim.scoreboard import unpack_signed

STATE_BITS = 18


UPDATES: dict[str, dict[str, Any]] = {
    "hard": {"neurons": 10, "lanes": 4, "decay": TAU_1_05, "reset": "hard"},
    "soft": {"neurons": 9, "lanes": 2, "decay": TAU_2, "reset": "soft"},
    "thin": {"neurons": 3, "lanes": 8, "decay": Decay(2731, 12), "reset": "soft"},
    "alone": {"neurons": 1, "lanes": 1, "decay": Decay(0, 3), "reset": "hard"},
}
HIGHEST_THRESHOLD, LARGEST_BIAS = 300, 60


def updates(seed: int) -> tuple[dict[str, NeuronUpdate], dict[str, LayerImage]]:
    rng = np.random.default_rng(seed)
    images = {}
    for name, update in UPDATES.items():
        neurons = update["neurons"]
        network = random_network(seed, (3, neurons, 2), decay=update["decay"], reset=update["reset"])
        threshold = rng.integers(1, HIGHEST_THRESHOLD, neurons)
        bias = rng.integers(-LARGEST_BIAS, LARGEST_BIAS, neurons)
        threshold[0], bias[-1] = HIGHEST_THRESHOLD, -LARGEST_BIAS
        layer = replace(network.layers[0], threshold=threshold, bias=bias)
        core = pack(NetworkSpec(layers=(layer, network.layers[1]), timesteps=20), update["lanes"])
        images[name] = core.layers[0]
    return {name: NeuronUpdate(image, state_bits=STATE_BITS, name=name) for name, image in images.items()}, images


def wrapped(states: IntArray) -> list[Any]:
    return (states & ((1 << STATE_BITS) - 1)).tolist()


def test_neuron_update(tmp_path: Path) -> None:
    compiled = compile_components(updates(0)[0], tmp_path)
    for seed in SEEDS:
        folder = tmp_path / f"seed{seed}"
        folder.mkdir()
        check(compiled, folder, seed)


def check(compiled: Compiled, folder: Path, seed: int) -> None:
    rng = random.Random(f"update {seed}")
    draw = np.random.default_rng(seed)
    components, images = updates(seed)
    job, expected = {}, {}
    for name, image in images.items():
        bias = image.by_position(image.spec.bias, 0)
        threshold = image.by_position(image.spec.threshold, 1)
        neuron = np.arange(bias.size).reshape(bias.shape) < image.spec.neurons
        decay = image.spec.decay
        state = bias
        added, steps, marks = [], [], []
        for _ in range(40):
            # At the threshold, just below it, negative, or anywhere.
            target = threshold + draw.choice([-1, 0, 1, -1000, 500], threshold.shape) * (draw.random() < 0.8)
            target = np.where(draw.random(target.shape) < 0.3, draw.integers(-20_000, 2_000, target.shape), target)
            change = np.where(neuron, target - state, 0)
            added.append(change.tolist())
            u = state + change
            fired = u >= threshold
            v = np.where(fired, 0 if image.spec.reset == "hard" else u - threshold, u)
            last = int(rng.random() < 0.2)
            state = bias + (0 if last else (v * decay.multiplier) >> decay.shift)
            steps.append((fired, v, state))
            marks.append(MARK.const({"last": last, "error": rng.randrange(2)}).as_bits())
        expected[name] = steps
        job[name] = {
            "stall": stall_of(seed),
            "lanes": image.lanes,
            "rows": image.rows,
            "state_bits": STATE_BITS,
            "marks": marks,
            "added": added,
        }
    recording = run_components(compiled, components, "spikewright_sim.bench_update", job, folder, seed=seed)
    for name, image in images.items():
        where = f"{name}, seed {seed}"
        check_values(image, recording[name], expected[name], job[name]["marks"], where)
        check_cycles(image, recording[name], where)


def check_values(image: LayerImage, seen: dict[str, Any], expected: list[Any], marks: list[int], where: str) -> None:
    rows, lanes = image.rows, image.lanes
    bias = wrapped(image.by_position(image.spec.bias, 0))
    assert [states for _, _, states in seen["writes"][:rows]] == bias, f"{where}, states after the reset"
    spikes = []
    for step, (fired, v, state) in enumerate(expected):
        traced = seen["rows"][step * rows : (step + 1) * rows]
        written = seen["writes"][(step + 1) * rows : (step + 2) * rows]
        bits = [sum(int(bit) << lane for lane, bit in enumerate(of_row)) for of_row in fired]
        assert [row for _, row, _, _ in traced] == [row for _, row, _ in written] == list(range(rows))
        assert [word for _, _, word, _ in traced] == bits, f"{where}, step {step}, spikes"
        membranes = unpack_signed([word for *_, word in traced], STATE_BITS, lanes)
        assert membranes.tolist() == v.tolist(), f"{where}, step {step}, membranes"
        assert [states for _, _, states in written] == wrapped(state), f"{where}, step {step}, next states"
        spikes += [(row, word, 0) for row, word in enumerate(bits) if word]
        spikes.append((None, None, 4 | marks[step]))
    assert len(seen["rows"]) == len(expected) * rows
    layout = bit_row(rows, lanes)
    got = []
    for _, word in seen["spikes"]:
        beat = layout.from_bits(word)
        flags = beat.mark << 2 | beat.error << 1 | beat.last
        got.append((None, None, flags) if beat.mark else (beat.index, beat.bits, 0))
    assert got == spikes, f"{where}, rows that fired"


def check_cycles(image: LayerImage, seen: dict[str, Any], where: str) -> None:
    """The latencies of the docstring, whatever waits for whatever."""
    rows = image.rows
    reads = [cycle for cycle, _ in seen["reads"]]
    assert [row for _, row in seen["reads"]] == list(range(rows)) * (len(reads) // rows), where
    assert [cycle for cycle, _, _ in seen["writes"]] == [cycle + 4 for cycle in reads], where
    assert [cycle for cycle, *_ in seen["rows"]] == [cycle + 3 for cycle in reads[rows:]], where
    assert reads[:rows] == list(range(rows)), where
    fired = []
    for step in range(len(seen["starts"])):
        begin = reads[rows * (step + 1)]
        before = reads[rows * (step + 1) - 1]
        waited = max(seen["offered"][step], seen["starts"][step], before + 5)
        assert begin == waited + 1, f"{where}, step {step}"
        assert reads[rows * (step + 1) :][:rows] == list(range(begin, begin + rows)), f"{where}, step {step}"
        assert seen["marks"][step] == begin + rows - 1, f"{where}, step {step}"
        traced = seen["rows"][rows * step : rows * (step + 1)]
        fired += [cycle for cycle, _, spikes, _ in traced if spikes] + [begin + rows - 1 + 4]
    assert [cycle for cycle, _ in seen["spikes"]] == fired, where
