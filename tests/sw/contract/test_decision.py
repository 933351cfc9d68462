import numpy as np
import pytest
import torch

from random_networks import random_counts, random_network
from spikewright.contract.decision import DECISIONS
from spikewright.contract.network import NetworkSpec
from spikewright.integer.file import load_model, save_model
from spikewright.integer.reference import IntegerNetwork

MEMBRANES = [[3, -5], [-4, -2], [2, -7]]


@pytest.mark.parametrize(
    ("name", "running", "bounds"),
    [
        ("sum", [[3, -5], [-1, -7], [1, -14]], (-30, 21)),
        ("max", [[3, -5], [3, -2], [3, -2]], (-10, 7)),
        ("last", MEMBRANES, (-10, 7)),
    ],
)
@pytest.mark.parametrize(("array", "choose"), [(np.array, np.where), (torch.tensor, torch.where)])
def test_scores_grow_with_the_steps(name, running, bounds, array, choose):
    decision = DECISIONS[name]
    assert [list(map(int, score)) for score in decision.running(choose, map(array, MEMBRANES))] == running
    assert decision.bounds(-10, 7, 3) == bounds
    assert decision.running(choose, []) == []


@pytest.mark.parametrize("name", DECISIONS)
def test_no_score_leaves_its_bounds_and_files_keep_the_decision(name, tmp_path):
    spec = random_network(3, (6, 5, 4), readout=name, timesteps=9)
    save_model(tmp_path / "m.safetensors", spec)
    assert load_model(tmp_path / "m.safetensors").readout == name
    trace = IntegerNetwork(spec).run(torch.tensor(random_counts(1, spec, 40)))
    membranes = trace.membranes[-1].numpy()
    expected = {"sum": membranes.sum(axis=1), "max": membranes.max(axis=1), "last": membranes[:, -1]}[name]
    assert np.array_equal(trace.scores.numpy(), expected)
    low, high = spec.score_bounds
    assert low <= expected.min() < expected.max() <= high


def test_other_decisions_are_refused():
    layers = random_network(0, (2, 2)).layers
    with pytest.raises(ValueError, match="readout must be one of sum, max, last, not 'mean'"):
        NetworkSpec(layers=layers, timesteps=2, readout="mean")
