"""The formulas of `bench/peers.py`, counted by hand, and the work that they are given."""

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from spikewright.data.shd import load
from spikewright.integer.operations import count_operations
from spikewright.integer.reference import IntegerNetwork
from spikewright.integer.rounding import quantize
from spikewright.learn.checkpoint import load_checkpoint
from spikewright.support.shipped import SAMPLE, asset

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def peers() -> ModuleType:
    spec = importlib.util.spec_from_file_location("peers", ROOT / "bench" / "peers.py")
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules["peers"] = found
    spec.loader.exec_module(found)
    return found


def flags(*rows: str) -> Any:
    return np.array([[value == "1" for value in row] for row in rows])


def work(peers: ModuleType, delays: tuple[int, int]) -> Any:
    """Three steps of 4 inputs, 2 neurons that feed themselves and 2 classes."""
    return peers.Work(
        events=(flags("1001", "0000", "0100"), flags("10", "11", "00")),
        forward=(np.array([2, 1, 0, 2]), np.array([2, 1])),
        recurrent=(np.array([1, 2]), None),
        delays=(np.array(delays), None),
        neurons=(2, 2),
    )


def test_n1_counts_neurons_events_synapses_and_what_was_delayed(peers: ModuleType) -> None:
    own = 3 * (4 + 4 * 8) + 3  # steps of 8 neurons, and three events written by the host
    of_inputs, of_neurons, of_recurrence = 3 * 3 + 6 * 5, 3 * 3 + 6 * 5, 6 * 4
    assert peers.n1(work(peers, (0, 1))) == own + of_inputs + of_neurons + of_recurrence
    # The first neuron's spike of step 0 arrives at step 2, that of step 1 too late.
    assert peers.n1(work(peers, (1, 0))) == own + of_inputs + of_neurons + of_recurrence + 4


def test_spiker_takes_the_longest_layer_of_each_step(peers: ModuleType) -> None:
    first = [3 + 6, 3 + 4, 3 + 6 + 4]  # inputs, its own spikes of step 0, both
    second = [3 + 4, 3 + 4, 3]
    assert peers.spiker(work(peers, (0, 1))) == sum(map(max, zip(first, second, strict=True)))


def test_syntzulu_takes_pairs_of_neurons_for_each_group_of_four_that_has_a_spike(peers: ModuleType) -> None:
    assert peers.syntzulu(work(peers, (0, 1))) == 3 * 1 + 2 * 3 * (1 + 14)
    odd = peers.Work((flags("100110001"),), (np.ones(9, np.int64),), (None,), (None,), (5,))
    assert peers.syntzulu(odd) == 3 + 3 * 3 + 14


def test_the_work_of_a_network_is_what_it_does(peers: ModuleType) -> None:
    network = quantize(load_checkpoint(asset("synth-small.safetensors")))
    counts = load(asset(SAMPLE), samples=2).counts
    trace = IntegerNetwork(network).run(torch.from_numpy(counts))
    for index, values in enumerate(counts):
        spikes = [layer[index].numpy() for layer in trace.spikes]
        found = peers.work_of(network, values, spikes)
        assert (found.steps, found.inputs) == (network.timesteps, network.inputs)
        assert found.neurons == tuple(layer.neurons for layer in network.layers)
        operations = count_operations(network, values[None], [layer[None] for layer in spikes])
        for k, expected in enumerate(operations):
            done = found.events[k].sum(axis=0) @ found.forward[k]
            if found.recurrent[k] is not None:
                in_time = np.arange(found.steps)[:, None] + 1 + found.delays[k] < found.steps
                done += (found.events[k + 1] & in_time).sum(axis=0) @ found.recurrent[k]
            assert done == expected.sparse > 0
        assert peers.n1(found) > 6 * sum(of.sparse for of in operations)


def test_the_page_has_a_row_for_every_engine_and_number_of_lanes(peers: ModuleType) -> None:
    figures = {"shd-adabreg90": ({("parallel", 1): 1000.0, ("slow", 4): 250.0}, {"n1": 11_500.0, "spiker": 310.0})}
    (table,) = peers.tables(figures, "make it", "recordings", 7)
    assert table["columns"] == ["our engine", "lanes", "our cycles", "Catalyst N1", "Spiker+"]
    assert table["rows"] == [["parallel", "1", "1,000", "11.5", "0.31"], ["slow", "4", "250", "46.0", "1.24"]]
    assert table["command"] == "make it"
    assert table["spread"] == "means of 7 test recordings; nothing is random"


def test_every_network_has_formulas_and_a_table(peers: ModuleType) -> None:
    page = json.loads((ROOT / "bench" / "results" / "peers.json").read_text("utf-8"))
    assert [table["title"] for table in page["tables"]] == [f"`{name}`" for name in peers.NETWORKS]
    assert {peer for of in peers.NETWORKS.values() for peer in of} == set(peers.FORMULAS) == set(peers.TITLES)
