"""Synaptic operations, against a count of one event after the other."""

import pytest
import torch

from random_networks import random_counts, random_network
from spikewright.contract.network import NetworkSpec
from spikewright.contract.neurons.lif import IntegerLIF
from spikewright.integer.operations import Operations, count_operations, total_operations
from spikewright.integer.reference import IntegerNetwork


def one_by_one(network: NetworkSpec, values: list, spikes: list) -> list[list[int]]:
    """Follow every event of one sample along its axon."""
    counts = [[0, 0] for _ in network.layers]
    for index, layer in enumerate(network.layers):
        feed = values if index == 0 else spikes[index - 1]
        arriving = [axon for step in feed for axon, value in enumerate(step) if value]
        if layer.delays is not None:
            arriving += [
                layer.inputs + neuron
                for step, row in enumerate(spikes[index])
                for neuron, fires in enumerate(row)
                if fires and step + 1 + int(layer.delays[neuron]) < len(values)
            ]
        for axon in arriving:
            counts[index][0] += sum(1 for weight in layer.weights[:, axon] if weight)
            counts[index][1] += layer.neurons
    return counts


@pytest.mark.parametrize("seed", range(4))
def test_operations_are_those_of_each_event(seed: int) -> None:
    neuron = IntegerLIF("soft", max_spikes=5 if seed == 3 else 1)
    network = random_network(seed, (7, 9, 6, 3), recurrent=(False, True), value_bits=3, timesteps=12, neuron=neuron)
    counts = random_counts(seed, network, 5)
    trace = IntegerNetwork(network).run(torch.from_numpy(counts))
    expected = [[0, 0] for _ in network.layers]
    for sample in range(len(counts)):
        spikes = [layer[sample].tolist() for layer in trace.spikes]
        for total, found in zip(expected, one_by_one(network, counts[sample].tolist(), spikes), strict=True):
            total[0] += found[0]
            total[1] += found[1]
    assert [list(layer) for layer in count_operations(network, counts, trace.spikes)] == expected
    total = total_operations(network, counts, trace.spikes)
    assert total == Operations(sum(sparse for sparse, _ in expected), sum(dense for _, dense in expected))
    assert 0 < total.sparse < total.dense


def test_samples_of_another_shape_are_refused() -> None:
    network = random_network(1, (7, 9, 3), timesteps=12)
    with pytest.raises(ValueError, match="values"):
        count_operations(network, random_counts(1, network, 2)[:, :5], [])
