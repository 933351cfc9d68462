import random

import numpy as np
import pytest
import torch
from core_bench import run

from random_networks import TAU_1_05, TAU_2, random_counts, random_network
from spikewright.cycles import CycleModel
from spikewright.integer import IntegerNetwork
from spikewright.pack import pack
from spikewright.spec import Layers, NetworkSpec


def check(
    spec: NetworkSpec,
    lanes: int,
    seed: int,
    *,
    samples: int = 2,
    stalls: float = 0.0,
    layers: Layers = "parallel",
) -> None:
    """Spikes, membranes, scores, classes and, without stalls, cycles of a few samples back to back."""
    counts = random_counts(seed, spec, samples)
    trace = IntegerNetwork(spec).run(torch.from_numpy(counts).transpose(0, 1))
    core = pack(spec, lanes, layers=layers)
    rng = random.Random(seed)
    stall = (lambda: rng.random() < stalls) if stalls else (lambda: False)
    seen = run(core, counts, stall_input=stall, stall_output=stall)
    steps = samples * spec.timesteps
    for index, membranes in enumerate(trace.membranes):
        expected = membranes.transpose(0, 1).reshape(steps, -1).numpy()
        np.testing.assert_array_equal(seen.membranes(core, index), expected, f"membranes of layer {index}, seed {seed}")
    for index, spikes in enumerate(trace.spikes):
        fired = np.array([bits for _, _, bits, _ in seen.rows[index]]).reshape(steps, -1)
        count = np.array([[bits.bit_count() for bits in row] for row in fired.tolist()]).sum(axis=1)
        np.testing.assert_array_equal(count, spikes.transpose(0, 1).reshape(steps, -1).sum(dim=1).numpy())
    assert [scores for scores, _, _ in seen.results] == trace.scores.tolist()
    assert [best for _, best, _ in seen.results] == trace.classes.tolist()
    assert not any(error for _, _, error in seen.results)
    if stalls:
        return
    model = CycleModel(core)
    for b in range(samples):
        predicted = model.run(counts[b], [s[:, b].numpy() for s in trace.spikes], seen.starts[b])
        assert predicted.accepted == seen.accepted[b]
        for index in range(len(spec.layers)):
            simulated = seen.step_cycles(index)[b * spec.timesteps : (b + 1) * spec.timesteps]
            assert predicted.steps[index].tolist() == simulated, f"layer {index}, sample {b}, seed {seed}"
        assert predicted.done == seen.done[b]


@pytest.mark.parametrize("lanes", [1, 2, 4, 8, 32, 64])
def test_equals_the_integer_network_and_the_cycle_model(lanes: int) -> None:
    check(random_network(lanes), lanes, lanes)


@pytest.mark.parametrize("seed", range(4))
def test_soft_reset_long_delays_and_deep_recurrence(seed: int) -> None:
    spec = random_network(
        seed, (9, 20, 17, 11, 6), recurrent=(True,), max_delay=12, reset="soft", decay=TAU_2, weight_shift=seed
    )
    check(spec, (1, 4, 2, 8)[seed], seed)


@pytest.mark.parametrize("density", [0.0, 0.05, 1.0])
def test_empty_and_dense_networks(density: float) -> None:
    check(random_network(5, (10, 12, 9, 4), density=density, decay=TAU_1_05), 4, 5)


def test_read_out_alone() -> None:
    check(random_network(6, (7, 3)), 2, 6, samples=3)


def test_stalls_at_both_ends_change_nothing() -> None:
    check(random_network(8, recurrent=(True,)), 4, 8, stalls=0.4)
