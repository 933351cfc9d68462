"""The compiled loops against the steps that every neuron has, which `test_layers` holds against the equations."""

import itertools
import typing

import numba
import pytest
import torch

from spikewright.contract.neurons.lif import Reset
from spikewright.learn.layers import delay_kernel, neurons, recurrent_neurons
from spikewright.learn.neurons.lif import LIF
from spikewright.learn.products import sparse
from spikewright.learn.sequences import loop_of


class Stepwise(LIF):
    """The same neuron, without the compiled loops."""

    def loop(self):
        return None


RESETS = typing.get_args(Reset)
VARIANTS = [
    {"reset": reset, "strict": strict, "surrogate": surrogate, "tau": 1.3}
    for reset, strict, surrogate in itertools.product(RESETS, (False, True), ("atan", "triangle"))
]


def drawn(*shape, seed, dtype=torch.float32):
    # Sixteenths, so that some membranes are just at the threshold.
    return (torch.randn(shape, generator=torch.Generator().manual_seed(seed)) * 12).round().to(dtype) / 16


def both(run, leaves):
    """Spikes and gradients with the compiled loops, and stepwise."""
    found = []
    for of in (LIF, Stepwise):
        tensors = [tensor.clone().requires_grad_() for tensor in leaves]
        spikes = run(of, *tensors)
        goal = drawn(*spikes.shape, seed=9, dtype=spikes.dtype)
        found.append((spikes.detach(), torch.autograd.grad(spikes, tensors, goal)))
    return found


def check(run, leaves):
    (spikes, grads), (expected, expected_grads) = both(run, leaves)
    assert 0.05 < expected.mean() < 0.6
    assert torch.equal(spikes, expected)
    for one, other in zip(grads, expected_grads, strict=True):
        assert other.abs().max() > 0
        assert (one - other).abs().max() <= 1e-6 * other.abs().max()


@pytest.mark.parametrize("values", VARIANTS, ids=lambda values: "-".join(map(str, values.values())))
def test_neurons_are_those_of_single_steps(values):
    check(lambda of, current: neurons(current, of(**values)), [drawn(21, 19, 6, seed=1)])


@pytest.mark.parametrize("values", VARIANTS, ids=lambda values: "-".join(map(str, values.values())))
@pytest.mark.parametrize("dropped", [False, True])
def test_recurrent_neurons_are_those_of_single_steps(values, dropped):
    drop = (drawn(9, 5, seed=5) > 0).float() * 1.25 if dropped else None

    def run(of, current, weight, delays):
        kernel = delay_kernel(delays, 1.5, len(current))
        return recurrent_neurons(current, weight, kernel, of(**values), drop)

    check(run, [drawn(30, 9, 5, seed=1), drawn(9, 9, seed=2) / 3, torch.arange(9.0) * 1.7])


def test_more_neurons_than_go_together():
    current = drawn(4, 41, 60, seed=3)
    assert current[0].numel() > 2048
    check(lambda of, current: neurons(current, of()), [current])


def test_several_threads_find_the_same():
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        check(lambda of, current: neurons(current, of(reset="soft")), [drawn(6, 7, 5, seed=4)])
    finally:
        torch.set_num_threads(before)


def test_a_current_is_left_alone_unless_it_may_be_overwritten():
    current = drawn(8, 6, 4, seed=6)
    given = current.clone()
    expected = neurons(given, LIF())
    assert torch.equal(given, current)
    assert torch.equal(neurons(given, LIF(), overwrite=True), expected)
    assert not torch.equal(given, current)
    weight, kernel = drawn(6, 6, seed=7), delay_kernel(torch.full((6,), 2.0), 1.0, 8)
    expected = recurrent_neurons(current.clone(), weight, kernel, LIF(), overwrite=True)
    given = current.clone()
    assert torch.equal(recurrent_neurons(given, weight, kernel, LIF()), expected)
    assert torch.equal(given, current)


def test_other_places_types_and_rules_take_the_steps():
    like = torch.zeros(2, 3, 4)
    assert loop_of(LIF(), like) is not None
    assert loop_of(Stepwise(), like) is None
    assert loop_of(LIF(reset="twice"), like) is None
    assert loop_of(LIF(floor=torch.zeros(3, 1)), like) is None
    assert loop_of(LIF(), like.half()) is None
    assert loop_of(LIF(), like.to("meta")) is None


def test_nothing_is_used_uncompiled(monkeypatch):
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    assert loop_of(LIF(), torch.zeros(2, 3, 4)) is None
    assert not sparse(torch.zeros(8, 4, 20), 64)
