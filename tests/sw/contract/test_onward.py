"""Delays of spikes on their way to the next layer, in the integer network and what counts its events."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from random_networks import random_counts, random_network
from spikewright.contract.layer import LayerSpec
from spikewright.integer.file import load_model, save_model
from spikewright.integer.operations import count_operations
from spikewright.integer.rates import measured
from spikewright.integer.reference import IntegerLayer, IntegerNetwork
from spikewright.layout.pack import pack, unpack
from spikewright.layout.prune import prune

SPEC = random_network(5, (6, 9, 7, 4), most_onward=4, timesteps=15)


def arrived(spikes: np.ndarray, onward: np.ndarray) -> np.ndarray:
    """(B, T, N), spike by spike."""
    late = np.zeros_like(spikes)
    for b, t, n in np.argwhere(spikes):
        if t + onward[n] < spikes.shape[1]:
            late[b, t + onward[n], n] = spikes[b, t, n]
    return late


def test_the_next_layer_sees_spikes_later():
    counts = random_counts(2, SPEC, 5)
    trace = IntegerNetwork(SPEC).run(torch.tensor(counts))
    for index in (0, 1):
        late = arrived(trace.spikes[index].numpy(), SPEC.layers[index].onward)
        assert late.any()
        assert np.array_equal(late, SPEC.layers[index].sent(trace.spikes[index].numpy()))
        found, membranes = IntegerLayer(SPEC.layers[index + 1])(torch.tensor(late))
        assert torch.equal(membranes, trace.membranes[index + 1])
    # Those of no delay at all compute what they did without.
    zeros = [replace(layer, onward=None if layer.readout else 0 * layer.bias) for layer in SPEC.layers]
    plain = [replace(layer, onward=None) for layer in SPEC.layers]
    same = [IntegerNetwork(replace(SPEC, layers=tuple(of))).run(torch.tensor(counts)).scores for of in (zeros, plain)]
    assert torch.equal(*same)
    assert not torch.equal(same[0], trace.scores)


def test_files_packing_and_pruning_keep_them(tmp_path):
    save_model(tmp_path / "m.safetensors", SPEC)
    for layer, again in zip(SPEC.layers[:-1], load_model(tmp_path / "m.safetensors").layers, strict=False):
        assert np.array_equal(layer.onward, again.onward)
    core = pack(SPEC, 2)
    assert [image.onward is None for image in core.layers] == [False, False, True]
    assert np.array_equal(unpack(core).layers[0].onward, SPEC.layers[0].onward)
    weights = SPEC.layers[1].weights.copy()
    weights[:, 3] = 0
    layers = (SPEC.layers[0], replace(SPEC.layers[1], weights=weights), SPEC.layers[2])
    smaller, removed = prune(replace(SPEC, layers=layers))
    gone = removed["dead"][0] + removed["silent"][0]
    assert 3 in gone
    assert np.array_equal(smaller.layers[0].onward, np.delete(SPEC.layers[0].onward, gone))


def test_only_events_that_arrive_are_counted():
    counts = random_counts(2, SPEC, 5)
    trace = IntegerNetwork(SPEC).run(torch.tensor(counts))
    spikes = [of_layer.numpy() for of_layer in trace.spikes]
    late = arrived(spikes[1], SPEC.layers[1].onward).sum(axis=(0, 1))
    readout = SPEC.layers[2]
    assert count_operations(SPEC, counts, spikes)[2].sparse == int(late @ np.count_nonzero(readout.weights, axis=0))
    rates = measured(SPEC, counts).layers[2].rates
    assert np.allclose(rates / 4096, late / (5 * 15), atol=1 / 4096)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"onward": np.array([0, -1])}, "onward must be 0 .. 4095, not -1"),
        ({"onward": np.array([1])}, r"onward must have shape \(2,\), not \(1,\)"),
        ({"threshold": None, "onward": np.array([1, 0])}, "a read-out layer must have no onward delays"),
    ],
)
def test_delays_that_cannot_be_are_refused(changes, message):
    layer = random_network(0, (2, 2, 2), recurrent=(False,)).layers[0]
    values = {field: getattr(layer, field) for field in LayerSpec.__dataclass_fields__}
    with pytest.raises(ValueError, match=message):
        LayerSpec(**values | changes)
