from dataclasses import replace

import numpy as np
import torch

from random_networks import random_counts, random_network
from spikewright.contract.network import NetworkSpec
from spikewright.integer.reference import IntegerNetwork
from spikewright.layout.prune import prune


def ready_to_fire(network: NetworkSpec) -> NetworkSpec:
    """Any neuron fires if nothing holds it back."""
    hidden = [
        replace(layer, bias=np.ones(layer.neurons, dtype=int), threshold=np.ones(layer.neurons, dtype=int))
        for layer in network.layers[:-1]
    ]
    return replace(network, layers=(*hidden, network.layers[-1]))


def test_neurons_without_effect_are_left_out_and_scores_stay() -> None:
    network = ready_to_fire(random_network(3, (6, 9, 8, 4), recurrent=(False, True), density=0.6, timesteps=15))
    first, second, last = network.layers
    weights = second.weights.copy()
    weights[:, 2] = 0  # neuron 2 of the first layer reaches nobody
    weights[:, 5] = 0
    weights[6, 5] = 3  # neuron 5 reaches only neuron 6 of the second
    weights[:, 9 + 6] = 0
    weights[6, 9 + 6] = 9  # which reaches only itself
    readout = last.weights.copy()
    readout[:, 6] = 0
    threshold = np.array(second.threshold)
    threshold[1] = 1 << 30  # and neuron 1 is never reached
    inputs = first.weights.copy()
    inputs[:, 3] = 0
    layers = (
        replace(first, weights=inputs),
        replace(second, weights=weights, threshold=threshold),
        replace(last, weights=readout),
    )
    network = replace(network, layers=layers)
    smaller, removed = prune(network)
    assert removed == {"dead": [[2, 5], [6]], "silent": [[], [1]], "inputs": [[3]]}
    assert [layer.neurons for layer in smaller.layers] == [7, 6, 4]
    counts = torch.from_numpy(random_counts(3, network, 5))
    before, after = IntegerNetwork(network).run(counts), IntegerNetwork(smaller).run(counts)
    assert before.scores.tolist() == after.scores.tolist()
    assert before.spikes[1].sum() > after.spikes[1].sum() > 0
    assert after.spikes[1].tolist() == before.spikes[1][:, :, [0, 2, 3, 4, 5, 7]].tolist()


def test_nothing_to_leave_out() -> None:
    network = ready_to_fire(random_network(2, (12, 10, 8, 4), recurrent=(False, True)))
    same, removed = prune(network)
    assert same is network
    assert removed == {"dead": [[], []], "silent": [[], []], "inputs": [[]]}


def test_one_neuron_of_a_layer_stays() -> None:
    smaller, removed = prune(random_network(1, (4, 5, 3, 2), recurrent=(False,), density=0.0))
    assert [layer.neurons for layer in smaller.layers] == [1, 1, 2]
    assert [len(neurons) for neurons in removed["dead"]] == [
        4 - len(removed["silent"][0]),
        2 - len(removed["silent"][1]),
    ]
