"""Simulations hold the cycle model to the RTL; here, what can be counted by hand from the documented latencies."""

import numpy as np
import pytest
import torch

from random_networks import random_counts, random_network
from spikewright.cycles import CycleModel
from spikewright.integer import IntegerNetwork
from spikewright.pack import pack
from spikewright.spec import Decay, LayerSpec, NetworkSpec


def readout(weights: np.ndarray, value_bits: int = 1) -> LayerSpec:
    classes, inputs = weights.shape
    return LayerSpec(
        inputs=inputs,
        neurons=classes,
        weights=weights,
        bias=np.zeros(classes, dtype=np.int64),
        threshold=None,
        delays=None,
        decay=Decay(1, 1),
        value_bits=value_bits,
    )


def test_silent_step_of_a_read_out() -> None:
    network = NetworkSpec(layers=(readout(np.zeros((3, 2), dtype=np.int64)),), timesteps=1)
    cycles = CycleModel(pack(network, 1)).run(np.zeros((1, 2), dtype=np.int64), [], start=100)
    # The mark: taken at 100, leaves the gate two cycles later, is held by the fetch three cycles after that.
    held = 105
    assert cycles.accepted == 100
    assert cycles.steps.tolist() == [[held + 4]]
    # Three classes are read, the first score follows six cycles after the last, two cycles a score, then the class.
    assert cycles.done == held + 3 + 6 + 2 * 2 + 1
    assert cycles.latency == cycles.done - 100 + 1


@pytest.mark.parametrize("synapses", [1, 2, 7, 20])
def test_a_synapse_costs_one_cycle_and_a_zero_none(synapses: int) -> None:
    weights = np.zeros((20, 2), dtype=np.int64)
    weights[:synapses, 1] = 1
    network = NetworkSpec(layers=(readout(weights),), timesteps=1)
    both = CycleModel(pack(network, 1)).run(np.array([[1, 1]]), [], start=0)
    # Gate 2, fetch 3 and a cycle behind the event before, queue 1, the walk, and 4 until the last sum is written.
    assert both.steps.tolist() == [[1 + 2 + 3 + 1 + synapses + 4 + 4]]
    without = CycleModel(pack(network, 1)).run(np.array([[1, 0]]), [], start=0)
    assert without.steps.tolist() == [[1 + 2 + 3 + 4]]


def test_lanes_share_the_work() -> None:
    network = random_network(1, (30, 32, 8), recurrent=(False,), density=1.0, timesteps=5)
    counts = random_counts(1, network, 1, rate=1.0)
    trace = IntegerNetwork(network).run(torch.from_numpy(counts).transpose(0, 1))
    spikes = [trace.spikes[0][:, 0].numpy()]
    by_lanes = [CycleModel(pack(network, lanes)).run(counts[0], spikes, 0).latency for lanes in (1, 2, 4, 8)]
    for slow, fast in zip(by_lanes[:-1], by_lanes[1:], strict=True):
        assert 0.5 * slow < fast < 0.65 * slow


def test_samples_continue_one_timeline() -> None:
    network = random_network(4, (8, 9, 7, 3), recurrent=(True, True), timesteps=9)
    core = pack(network, 2)
    counts = random_counts(4, network, 2)
    trace = IntegerNetwork(network).run(torch.from_numpy(counts).transpose(0, 1))
    spikes = [[layer[:, b].numpy() for layer in trace.spikes] for b in range(2)]
    model = CycleModel(core)
    first = model.run(counts[0], spikes[0], 1000)
    close = model.run(counts[1], spikes[1], first.accepted + 1)
    alone = CycleModel(core).run(counts[1], spikes[1], 0)
    later = CycleModel(core)
    later.run(counts[0], spikes[0], 1000)
    far = later.run(counts[1], spikes[1], first.done + 10_000)
    assert close.done > first.done
    assert close.latency >= alone.latency  # it waits for the sample before
    assert far.latency == alone.latency
    assert (far.steps - far.start).tolist() == (alone.steps - alone.start).tolist()
