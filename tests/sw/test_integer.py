from dataclasses import replace

import numpy as np
import pytest
import torch

from random_networks import TAU_2, random_counts, random_network
from spikewright.decay import Decay
from spikewright.errors import InputError
from spikewright.integer import IntegerNetwork, first_argmax
from spikewright.spec import LayerSpec, NetworkSpec


def ref_layer(spec: LayerSpec, values: np.ndarray) -> tuple[list[list[int]], list[list[int]]]:
    """One sample (steps, inputs), neuron by neuron with Python's integers: the contract, read aloud."""
    steps = len(values)
    v = [0] * spec.neurons
    spikes, membranes = [], []
    for t in range(steps):
        fired = []
        for n in range(spec.neurons):
            u = (v[n] * spec.decay.multiplier) >> spec.decay.shift
            for i in range(spec.inputs):
                u += (int(spec.weights[n, i]) << spec.weight_shift) * int(values[t, i])
            if spec.delays is not None:
                for j in range(spec.neurons):
                    sent = t - 1 - int(spec.delays[j])
                    if sent >= 0 and spikes[sent][j]:
                        u += int(spec.weights[n, spec.inputs + j]) << spec.weight_shift
            u += int(spec.bias[n])
            s = spec.threshold is not None and u >= spec.threshold[n]
            if s:
                u = 0 if spec.reset == "hard" else u - int(spec.threshold[n])
            v[n] = u
            fired.append(int(s))
        spikes.append(fired)
        membranes.append(list(v))
    return spikes, membranes


@pytest.mark.parametrize("reset", ["hard", "soft"])
@pytest.mark.parametrize("weight_shift", [0, 3])
def test_every_step_of_every_neuron_follows_the_contract(reset: str, weight_shift: int) -> None:
    for seed in range(4):
        spec = random_network(seed, reset=reset, weight_shift=weight_shift, recurrent=(True, seed % 2 == 0))
        counts = random_counts(seed, spec, samples=3)
        trace = IntegerNetwork(spec).run(torch.from_numpy(counts).transpose(0, 1))
        assert any(spikes.any() for spikes in trace.spikes), f"seed {seed} is silent"
        for b in range(3):
            values = counts[b]
            for index, layer in enumerate(spec.layers):
                spikes, membranes = ref_layer(layer, values)
                np.testing.assert_array_equal(trace.membranes[index][:, b], membranes)
                if not layer.readout:
                    np.testing.assert_array_equal(trace.spikes[index][:, b], spikes)
                values = np.array(spikes)
            np.testing.assert_array_equal(trace.scores[b], np.sum(membranes, axis=0))


def test_result_does_not_depend_on_the_batch() -> None:
    spec = random_network(7, recurrent=(True, True))
    values = torch.from_numpy(random_counts(7, spec, samples=6)).transpose(0, 1)
    network = IntegerNetwork(spec)
    together = network(values)
    for b in range(6):
        torch.testing.assert_close(network(values[:, b : b + 1])[0], together[b], rtol=0, atol=0)


def test_membranes_stay_inside_their_bounds() -> None:
    spec = random_network(3, sizes=(6, 5, 4), recurrent=(False,), decay=TAU_2, density=1.0)
    layer = spec.layers[0]
    best = np.argmax(layer.weights.clip(0).sum(axis=1))
    counts = np.where(layer.weights[best] > 0, (1 << spec.value_bits) - 1, 0)
    values = torch.from_numpy(np.tile(counts, (spec.timesteps, 1, 1)))
    low, high = layer.bounds(spec.timesteps).membrane
    membranes = IntegerNetwork(spec).run(values).membranes[0]
    assert low <= int(membranes.min())
    assert int(membranes.max()) <= high
    without_limit = replace(layer, threshold=None)
    assert without_limit.bounds(1).after_reset[1] == int(layer.bias[best] + layer.weights[best].clip(0).sum() * 7)
    readout = spec.layers[-1]
    low, high = readout.bounds(spec.timesteps).after_reset
    for trial in range(20):
        values = torch.from_numpy(random_counts(trial, spec, samples=8)).transpose(0, 1)
        membranes = IntegerNetwork(spec).run(values).membranes[-1]
        assert low <= int(membranes.min())
        assert int(membranes.max()) <= high


def test_ties_go_to_the_lowest_class() -> None:
    scores = torch.tensor([[1, 5, 5, 0], [2, 2, 2, 2], [-3, -4, -3, -9]])
    assert first_argmax(scores).tolist() == [1, 0, 0]


def test_value_out_of_range_is_an_error_not_a_wrap() -> None:
    spec = random_network(0)
    values = torch.zeros((2, 1, spec.inputs), dtype=torch.int64)
    values[1, 0, 3] = 8
    with pytest.raises(InputError) as error:
        IntegerNetwork(spec).run(values)
    assert str(error.value) == "input values must be 0 .. 7 (3 bits), not 8"


def test_too_many_steps_are_an_error() -> None:
    spec = random_network(0)
    with pytest.raises(InputError) as error:
        IntegerNetwork(spec).run(torch.zeros((21, 1, spec.inputs), dtype=torch.int64))
    assert str(error.value) == "a sample must have at most 20 steps, not 21"


def test_neuron_without_leak_is_bounded_by_the_steps() -> None:
    layer = LayerSpec(
        inputs=1,
        neurons=1,
        weights=np.array([[3]]),
        bias=np.array([1]),
        threshold=None,
        delays=None,
        decay=Decay(1, 0),
        value_bits=2,
    )
    assert layer.bounds(10).after_reset == (0, 10 * (3 * 3 + 1))
    network = NetworkSpec(layers=(layer,), timesteps=10)
    assert int(IntegerNetwork(network).run(torch.full((10, 1, 1), 3)).membranes[0].max()) == 100
