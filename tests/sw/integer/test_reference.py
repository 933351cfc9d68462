import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from random_networks import TAU_2, random_counts, random_network, with_own
from spikewright.contract.bounds import layer_bounds, neuron_bounds
from spikewright.contract.decay import Decay
from spikewright.contract.errors import InputError
from spikewright.contract.layer import LayerSpec
from spikewright.contract.network import NetworkSpec
from spikewright.contract.neuron import Neuron, all_neurons
from spikewright.contract.neurons.lif import IntegerLIF
from spikewright.integer.reference import IntegerNetwork
from spikewright.support.tensors import first_argmax


def ref_layer(spec: LayerSpec, values: np.ndarray) -> tuple[list[list[int]], list[list[int]]]:
    """One sample (steps, inputs), neuron by neuron with Python's integers: the contract, read aloud."""
    steps = len(values)
    assert isinstance(spec.neuron, IntegerLIF)
    reset, strict = spec.neuron.reset, spec.neuron.strict
    late, dead, twice = (reset == name and spec.threshold is not None for name in ("late", "dead", "twice"))
    v, current = ([0] * spec.neurons if of is None else of.tolist() for of in (spec.start, spec.current_start))
    leaks = [spec.decay.multiplier] * spec.neurons if spec.multipliers is None else spec.multipliers.tolist()
    of_current = [spec.current_decay.multiplier] * spec.neurons if spec.current_decay else []
    if spec.current_multipliers is not None:
        of_current = spec.current_multipliers.tolist()
    spikes, membranes = [], []
    for t in range(steps):
        fired = []
        for n in range(spec.neurons):
            carried = (v[n] * leaks[n]) >> spec.decay.shift
            if late and t:
                carried -= spikes[t - 1][n] * int(spec.threshold[n])
            # Lent by a membrane that was left above the threshold, and given back after the comparison.
            lent = int(spec.threshold[n]) if twice and v[n] >= int(spec.threshold[n]) + strict else 0
            u = 0
            for i in range(spec.inputs):
                u += (int(spec.weights[n, i]) << spec.weight_shift) * int(values[t, i])
            if spec.delays is not None:
                for j in range(spec.neurons):
                    sent = t - 1 - int(spec.delays[j])
                    if sent >= 0:
                        u += (int(spec.weights[n, spec.inputs + j]) << spec.weight_shift) * spikes[sent][j]
            u += int(spec.bias[n])
            if spec.current_decay is not None:
                u = current[n] = ((current[n] * of_current[n]) >> spec.current_decay.shift) + u
            u += carried - lent
            if dead and t and spikes[t - 1][n]:
                u = 0
            s = spec.threshold is not None and (u > spec.threshold[n] if strict else u >= spec.threshold[n])
            u += lent
            if s and reset in ("hard", "soft", "dead", "twice"):
                s = min(u // int(spec.threshold[n]), spec.neuron.max_spikes) if spec.neuron.max_spikes > 1 else 1
                u = 0 if reset in ("hard", "dead") else u - s * int(spec.threshold[n])
            if not s and spec.floor is not None:
                u = max(u, int(spec.floor[n]))
            v[n] = u
            fired.append(int(s))
        spikes.append(fired)
        membranes.append(list(v))
    return spikes, membranes


@pytest.mark.parametrize("neuron", all_neurons(), ids=lambda neuron: neuron.label)
@pytest.mark.parametrize("weight_shift", [0, 3])
def test_every_step_of_every_neuron_follows_the_contract(neuron: Neuron, weight_shift: int) -> None:
    for seed in range(4):
        floor = ("", "threshold", "own", "own")[seed]
        loops = (True, seed % 2 == 0)
        currents = ((None,), (None, Decay(3, 2)), (Decay(13, 4),), (Decay(0, 0), None))[seed]
        spec = random_network(
            seed, neuron=neuron, weight_shift=weight_shift, recurrent=loops, floor=floor, current_decays=currents,
            readout_current=(None, None, Decay(13, 4), Decay(3, 2))[seed], readout_floor=seed % 2 == 1,
        )  # fmt: skip
        spec = with_own(seed, spec, ((), ("leaks",), ("starts",), ("leaks", "starts"))[seed])
        counts = random_counts(seed, spec, samples=3)
        trace = IntegerNetwork(spec).run(torch.from_numpy(counts))
        assert any(spikes.any() for spikes in trace.spikes), f"seed {seed} is silent"
        for b in range(3):
            values = counts[b]
            for index, layer in enumerate(spec.layers):
                spikes, membranes = ref_layer(layer, values)
                np.testing.assert_array_equal(trace.membranes[index][b], membranes)
                bounds = layer_bounds(layer, spec.timesteps)
                assert bounds.after_reset[0] <= np.min(membranes)
                assert np.max(membranes) <= bounds.after_reset[1]
                if not layer.readout:
                    np.testing.assert_array_equal(trace.spikes[index][b], spikes)
                values = np.array(spikes)
            np.testing.assert_array_equal(trace.scores[b], np.sum(membranes, axis=0))


def test_result_does_not_depend_on_the_batch() -> None:
    spec = random_network(7, recurrent=(True, True))
    values = torch.from_numpy(random_counts(7, spec, samples=6))
    network = IntegerNetwork(spec)
    together = network(values)
    for b in range(6):
        torch.testing.assert_close(network(values[b : b + 1])[0], together[b], rtol=0, atol=0)


def test_membranes_stay_inside_their_bounds() -> None:
    spec = random_network(3, sizes=(6, 5, 4), recurrent=(False,), decay=TAU_2, density=1.0)
    layer = spec.layers[0]
    best = np.argmax(layer.weights.clip(0).sum(axis=1))
    counts = np.where(layer.weights[best] > 0, (1 << spec.value_bits) - 1, 0)
    values = torch.from_numpy(np.tile(counts, (1, spec.timesteps, 1)))
    low, high = layer_bounds(layer, spec.timesteps).membrane
    membranes = IntegerNetwork(spec).run(values).membranes[0]
    assert low <= int(membranes.min())
    assert int(membranes.max()) <= high
    without_limit = replace(layer, threshold=None)
    most = layer.bias[best] + layer.weights[best].clip(0).sum() * 7
    assert layer_bounds(without_limit, 1).after_reset[1] == most
    readout = spec.layers[-1]
    low, high = layer_bounds(readout, spec.timesteps).after_reset
    for trial in range(20):
        values = torch.from_numpy(random_counts(trial, spec, samples=8))
        membranes = IntegerNetwork(spec).run(values).membranes[-1]
        assert low <= int(membranes.min())
        assert int(membranes.max()) <= high


def test_currents_and_membranes_stay_inside_their_bounds_and_reach_them() -> None:
    spec = random_network(3, sizes=(6, 5, 4), recurrent=(False,), decay=TAU_2, current_decays=(Decay(3, 2),))
    layer = replace(spec.layers[0], neuron=IntegerLIF("none"), weights=-np.abs(spec.layers[0].weights))
    layer = replace(layer, bias=np.minimum(layer.bias, 0))
    spec = replace(spec, layers=(layer, spec.layers[1]))
    values = torch.full((1, spec.timesteps, 6), (1 << spec.value_bits) - 1)
    membranes = IntegerNetwork(spec).run(values).membranes[0]
    bounds, of = layer_bounds(layer, spec.timesteps), neuron_bounds(layer, spec.timesteps)
    assert bounds.membrane == (int(membranes.min()), 0)
    # What a current leaves it starts from in the next step, so that one more than that is as low as it gets.
    assert of.membrane_low.tolist() == membranes[0].amin(dim=0).tolist()
    current = np.zeros(5, dtype=np.int64)
    for _ in range(spec.timesteps):
        current = (current * 3 >> 2) + layer.bias + layer.step_input()[0]
    assert of.state_low.tolist() == current.tolist()
    assert bounds.state == (int(current.min()), 0)
    assert bounds.state_bits < bounds.membrane_bits
    for reset in ("hard", "soft", "late", "none"):
        for trial in range(5):
            other = random_network(trial, sizes=(6, 5, 4), neuron=IntegerLIF(reset), current_decays=(Decay(7, 3),))
            trace = IntegerNetwork(other).run(torch.from_numpy(random_counts(trial, other, samples=8)))
            of = neuron_bounds(other.layers[0], other.timesteps)
            assert (trace.membranes[0].flatten(0, 1).numpy() >= of.after_low).all()
            assert (trace.membranes[0].flatten(0, 1).numpy() <= of.after_high).all()


def test_ties_go_to_the_lowest_class() -> None:
    scores = torch.tensor([[1, 5, 5, 0], [2, 2, 2, 2], [-3, -4, -3, -9]])
    assert first_argmax(scores).tolist() == [1, 0, 0]


def test_value_out_of_range_is_an_error_not_a_wrap() -> None:
    spec = random_network(0)
    values = torch.zeros((1, 20, spec.inputs), dtype=torch.int64)
    values[0, 1, 3] = 8
    with pytest.raises(InputError) as error:
        IntegerNetwork(spec).run(values)
    assert str(error.value) == "input values must be 0 .. 7 (3 bits), not 8"


@pytest.mark.parametrize("shape", [(20, 3, 12), (3, 21, 12), (3, 8, 12), (3, 20, 11), (20, 12), (1, 3, 20, 12)])
def test_axes_in_another_order_are_an_error_that_shows_both_shapes(shape: tuple[int, ...]) -> None:
    with pytest.raises(InputError) as error:
        IntegerNetwork(random_network(0)).run(torch.zeros(shape, dtype=torch.int64))
    assert str(error.value) == f"values must be (samples, 20 steps, 12 channels), not {shape}"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (0.5, "values must be whole numbers, not 0.5"),
        (-1.0, "values must be event counts of at least 0, not -1"),
        (math.nan, "values must be event counts of at least 0, not nan"),
        (math.inf, "values must be event counts of at least 0, not inf"),
        (1j, "values must be event counts, not torch.complex64"),
        (9.0, "input values must be 0 .. 7 (3 bits), not 9"),
    ],
)
def test_values_that_are_no_counts_are_refused(value: complex, message: str) -> None:
    values = torch.zeros((2, 20, 12), dtype=torch.tensor(value).dtype)
    values[1, 3, 5] = value
    with pytest.raises(InputError) as error:
        IntegerNetwork(random_network(0))(values)
    assert str(error.value) == message


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int16, torch.float16, torch.float64])
def test_whole_numbers_of_any_type_count_alike(dtype: torch.dtype) -> None:
    spec = random_network(2)
    values = torch.from_numpy(random_counts(2, spec, samples=2))
    assert torch.equal(IntegerNetwork(spec)(values.to(dtype)), IntegerNetwork(spec)(values))


def test_an_array_is_no_tensor() -> None:
    spec = random_network(2)
    with pytest.raises(InputError, match=r"^values must be a tensor, not ndarray$"):
        IntegerNetwork(spec).run(random_counts(2, spec, samples=2))  # type: ignore[arg-type]


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
    assert layer_bounds(layer, 10).after_reset == (0, 10 * (3 * 3 + 1))
    network = NetworkSpec(layers=(layer,), timesteps=10)
    assert int(IntegerNetwork(network).run(torch.full((1, 10, 1), 3)).membranes[0].max()) == 100
