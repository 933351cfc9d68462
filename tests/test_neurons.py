"""What a neuron is stands in its files: nothing else asks which one it is, and each is there in all its forms."""

import ast

import numpy as np
import pytest

from spikewright.contract import found
from spikewright.contract.bounds import neuron_bounds
from spikewright.contract.decay import Decay
from spikewright.contract.layer import LayerSpec
from spikewright.contract.neuron import Neuron, all_neurons, neuron_names, neuron_type
from spikewright.learn.neuron import Neuron as FloatNeuron
from spikewright_hw.neuron import NeuronLogic
from test_rooms import SOURCES

OPTIONS = {value for neuron in all_neurons() for value in neuron.as_dict().values() if isinstance(value, str)}
OPTIONS.remove("none")  # which means something else elsewhere


def asks(source: str) -> list[int]:
    """Lines that compare something with the name of a neuron or with one of its options."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Compare)
        for part in (node.left, *node.comparators)
        if isinstance(part, ast.Constant) and part.value in OPTIONS.union(neuron_names())
    ]


def test_nothing_asks_for_the_neuron() -> None:
    assert asks("a = b == 'soft'\nc = 'lif' != d\ne = 3") == [1, 2]
    others = {name: path for name, path in SOURCES.items() if ".neurons." not in name}
    assert {name: lines for name, path in others.items() if (lines := asks(path.read_text()))} == {}


@pytest.mark.parametrize("name", neuron_names())
def test_each_is_a_rule_in_integers_in_floats_and_a_circuit(name: str) -> None:
    assert issubclass(neuron_type(name), Neuron)
    assert issubclass(found.class_in("spikewright.learn.neurons", name, FloatNeuron), FloatNeuron)
    assert issubclass(found.class_in("spikewright_hw.neurons", name, NeuronLogic), NeuronLogic)


@pytest.mark.parametrize("neuron", all_neurons(), ids=lambda neuron: neuron.label)
def test_what_is_left_rises_with_the_membrane(neuron: Neuron) -> None:
    u = np.arange(-200, 201)
    for threshold in (1, 2, 16 if neuron.most > 1 else 17):
        for before in (0, 1) if neuron.remembers else (0,):
            first = neuron.fires_from(threshold, before)
            silent, fired = u[u < first], u[u >= first]
            at_rest = neuron.at_rest(silent, threshold, before)
            after_spike = neuron.after_spike(fired, threshold) + 0 * fired
            counts = neuron.count(fired, threshold) + 0 * fired
            assert counts.tolist() == np.clip(fired // threshold, 1, neuron.most).tolist()
            for left, spike in ((at_rest, 0), (after_spike, 1)):
                # Less is left only where there is one spike more.
                assert (np.diff(left) + (np.diff(counts) if spike else 0) * threshold >= 0).all()
                assert (np.diff(neuron.remembered(left, spike, threshold) + 0 * left) >= 0).all()
            assert (after_spike >= 0).all()
    assert neuron.fires_from(1) > 0
    assert neuron.at_rest(0, 1) == 0
    assert neuron.remembered(0, 0, 1) == 0


@pytest.mark.parametrize("neuron", all_neurons(), ids=lambda neuron: neuron.label)
def test_ranges_are_those_of_all_membranes_within_them(neuron: Neuron) -> None:
    rng = np.random.default_rng(1)
    low = rng.integers(-60, 60, 200)
    high = low + rng.integers(0, 60, 200)
    threshold = rng.integers(1, 30, 200) if neuron.most == 1 else 1 << rng.integers(0, 5, 200)
    # One input drives every neuron from one end of its range to the other, in a single step.
    spec = LayerSpec(
        inputs=1,
        neurons=200,
        weights=(high - low)[:, None],
        bias=low,
        threshold=threshold,
        delays=None,
        decay=Decay(1, 1),
        neuron=neuron,
    )
    bounds = neuron_bounds(spec, 1)
    second = neuron_bounds(spec, 2)
    for k in range(200):
        u = np.arange(low[k], high[k] + 1)
        fired = u >= neuron.fires_from(threshold[k])
        left = np.where(fired, neuron.after_spike(u, threshold[k]), neuron.at_rest(u, threshold[k]))
        # Whatever the step after it gets.
        kept = neuron.remembered(left, fired, threshold[k]) + 0 * u
        begin = low[k] + neuron.carried(left, fired, threshold[k], spec.decay)
        for end in (begin, begin + high[k] - low[k]):
            again = end >= neuron.fires_from(threshold[k], kept)
            rest = neuron.at_rest(end, threshold[k], kept)
            later = np.where(again, neuron.after_spike(end, threshold[k]), rest)
            assert (second.after_low[k] <= later).all()
            assert (later <= second.after_high[k]).all()
            assert (second.state_low[k] <= end).all()
            assert (end <= second.state_high[k]).all()
        assert (bounds.after_low[k], bounds.after_high[k]) == (min(0, left.min()), max(0, left.max()))
        assert (bounds.state_low[k], bounds.state_high[k]) == (min(0, u[0]), max(0, u[-1]))
        assert bounds.compared[k] == u[-1]
        carried = low[k] + neuron.carried(left, fired, threshold[k], spec.decay)
        assert bounds.start_low[k] == min(low[k], carried.min())
        assert bounds.start_high[k] == max(low[k], carried.max())
