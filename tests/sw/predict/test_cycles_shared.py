"""Simulations hold the cycle model to the RTL; here, what can be counted by hand from the documented latencies."""

from dataclasses import replace

import numpy as np
import torch

from random_networks import random_counts, random_network
from spikewright.contract.names import Layers
from spikewright.contract.network import NetworkSpec
from spikewright.integer.reference import IntegerNetwork
from spikewright.layout.pack import pack
from spikewright.predict.cycles import CycleModel, SampleCycles


def predicted(network: NetworkSpec, lanes: int, counts: np.ndarray, layers: Layers = "shared") -> SampleCycles:
    trace = IntegerNetwork(network).run(torch.from_numpy(counts)[None])
    spikes = [layer[0].numpy() for layer in trace.spikes]
    return CycleModel(pack(network, lanes, layers=layers)).run(counts, spikes, 0)


def quiet(sizes: tuple[int, ...]) -> NetworkSpec:
    network = random_network(1, sizes, recurrent=(False,), density=0.0, timesteps=2)
    return replace(network, layers=tuple(replace(layer, bias=layer.bias * 0) for layer in network.layers))


def test_silent_steps_take_turns() -> None:
    rows, classes = 7, 3
    cycles = predicted(quiet((2, rows, classes)), 1, np.zeros((2, 2), dtype=np.int64))
    # The mark leaves the gate after two cycles, the fetch four after that, and the queue two later; six cycles on, the
    # join begins, and shows the first row in two more.
    began = 2 + 4 + 2 + 6
    # Behind the rows comes the mark; the serializer offers it four cycles later.
    taken = began + 2 + rows + 4
    second = taken + 4 + 2 + 6
    # The next step is fetched at once, but the lanes are cleared only as the read-out of this one begins.
    third = max(taken + 1 + 4 + 2, second + 1) + 6
    fourth = third + 2 + rows + 4 + 4 + 2 + 6
    assert cycles.steps.tolist() == [[began + 2, third + 2], [second + 2, fourth + 2]]
    # Three classes are read, the mark follows, the first score two cycles behind, two cycles a score, then the class.
    assert cycles.done == fourth + 2 + classes + 2 + 2 * 2 + 1
    assert cycles.integrating.tolist() == [0, 0]


def test_more_lanes_share_the_work_of_all_layers() -> None:
    network = random_network(1, (30, 32, 32, 8), recurrent=(False,), density=1.0, timesteps=5)
    counts = random_counts(1, network, 1, rate=1.0)[0]
    latencies = [predicted(network, lanes, counts).latency for lanes in (1, 2, 4, 8)]
    for slow, fast in zip(latencies[:-1], latencies[1:], strict=True):
        assert 0.5 * slow < fast < 0.6 * slow


def test_taking_turns_costs_the_sum_of_the_layers() -> None:
    network = random_network(2, (30, 32, 32, 32), recurrent=(False,), density=1.0, timesteps=20)
    counts = random_counts(2, network, 1, rate=1.0)[0]
    parallel, shared = (predicted(network, 4, counts, layers) for layers in ("parallel", "shared"))
    assert 1.5 * parallel.latency < shared.latency < 3 * parallel.latency
    # A lane waits for others only where a layer begins.
    trace = IntegerNetwork(network).run(torch.from_numpy(counts)[None])
    events = [np.count_nonzero(counts), *(int(spikes.sum()) for spikes in trace.spikes)]
    operations = 32 * sum(events)
    assert 0.9 * shared.integrating.sum() < operations <= shared.integrating.sum()
