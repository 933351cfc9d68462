from dataclasses import replace

import numpy as np
import pytest
import torch

from random_networks import random_counts, random_network
from spikewright.contract.layer import RATE_UNIT
from spikewright.integer.file import load_model, save_model
from spikewright.integer.rates import measured
from spikewright.integer.reference import IntegerNetwork
from spikewright.layout.lanes import layer_lanes
from spikewright.layout.pack import pack, unpack


def test_rates_count_the_events_of_every_axon(tmp_path):
    network = random_network(5, (6, 9, 8, 4), recurrent=(False, True), density=0.6, timesteps=12)
    counts = random_counts(5, network, 7)
    found = measured(network, counts)
    trace = IntegerNetwork(network).run(torch.from_numpy(counts))
    first, second = (spikes.numpy() for spikes in trace.spikes)
    assert second.any()

    def rounded(events):
        return np.floor(np.array(events) * (RATE_UNIT / (7 * 12)) + 0.5)

    np.testing.assert_array_equal(found.layers[0].rates, rounded((counts != 0).sum(axis=(0, 1))))
    delays = network.layers[1].delays
    arrived = [sum(int(second[:, t, j].sum()) for t in range(12) if t + 1 + delays[j] < 12) for j in range(len(delays))]
    np.testing.assert_array_equal(found.layers[1].rates, rounded([*first.sum(axis=(0, 1)), *arrived]))
    np.testing.assert_array_equal(found.layers[2].rates, rounded(second.sum(axis=(0, 1))))
    # They are kept in files, and by packing.
    save_model(tmp_path / "model", found)
    again = unpack(pack(load_model(tmp_path / "model"), 4))
    for before, after in zip(found.layers, again.layers, strict=True):
        np.testing.assert_array_equal(after.rates, before.rates)
        np.testing.assert_array_equal(after.weights, before.weights)


def test_scores_do_not_depend_on_rates():
    network = random_network(6, (6, 9, 4), recurrent=(False,))
    counts = random_counts(6, network, 3)
    values = torch.from_numpy(counts)
    rated = measured(network, counts)
    assert IntegerNetwork(rated).run(values).scores.tolist() == IntegerNetwork(network).run(values).scores.tolist()
    rated = replace(network, layers=tuple(replace(layer, rates=np.arange(layer.axons)) for layer in network.layers))
    assert unpack(pack(rated, 4)).layers[0].weights.tolist() == network.layers[0].weights.tolist()


@pytest.mark.parametrize(
    ("rates", "lanes"),
    [
        (None, [8, 8, 1]),
        # 16 events are 512 operations, which take 8 lanes 64 cycles; with 4 rows, the busiest layer takes 68.
        ((16, 16), [8, 8, 1]),
        # 4 events are 128 operations: 4 lanes take 32 cycles and 8 rows, 2 lanes 64 and 16.
        ((4, 16), [4, 8, 1]),
        # 2 events: 2 lanes take 32 cycles and 16 rows, within three quarters of 68.
        ((2, 16), [2, 8, 1]),
    ],
)
def test_a_layer_with_few_events_gets_few_lanes(rates, lanes):
    network = random_network(8, (16, 32, 32, 3), recurrent=(False,), density=1.0)
    if rates is not None:
        of_axons = (rates[0] / 16, rates[1] / 32, 0.0)
        layers = (
            replace(layer, rates=np.full(layer.axons, round(rate * RATE_UNIT)))
            for layer, rate in zip(network.layers, of_axons, strict=True)
        )
        network = replace(network, layers=tuple(layers))
    assert layer_lanes(network, 8) == lanes
