"""Cores whose layers read the words of an axon for all neurons at once: exact like the others."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from test_core import check

from random_networks import SOFT, TAU_2, random_network, with_own
from spikewright.contract.cores import SlottedCore
from spikewright.contract.decay import Decay
from spikewright.contract.layer import RATE_UNIT
from spikewright.contract.network import NetworkSpec
from spikewright.contract.neuron import all_neurons
from spikewright.contract.neurons.lif import IntegerLIF
from spikewright.layout import slots
from spikewright.layout.pack import pack


@pytest.mark.parametrize("lanes", [1, 2, 4, 16])
def test_equals_the_integer_network_and_the_cycle_model(lanes: int) -> None:
    check(random_network(lanes), lanes, lanes, layers="slotted")


def test_neurons_share_slots_and_axons_take_several_words() -> None:
    """Few synapses, of which some meet in a slot all the same: ports wait for each other."""
    network = random_network(9, (13, 24, 24, 5), recurrent=(False, True), density=0.1, max_delay=4)
    dense = network.layers[1].weights.copy()
    dense[:, 3:6] = 1
    rates = np.full(network.layers[1].axons, RATE_UNIT // 8)
    rates[3:6] = 0  # as far as was measured
    layer = replace(network.layers[1], weights=dense, rates=rates)
    network = replace(network, layers=(network.layers[0], layer, network.layers[2]))
    core = pack(network, 4, layers="slotted")
    assert isinstance(core, SlottedCore)
    assert core.slots[1].group > 1
    assert core.slots[1].most == core.slots[1].group
    check(network, 4, 9, layers="slotted")


@pytest.mark.parametrize("shortest", [0, 1, 3])
def test_spikes_of_the_first_layer_come_back(shortest: int) -> None:
    """Delayed spikes beside the input, which then has one event a beat."""
    network = random_network(31 + shortest, (5, 9, 4), recurrent=(True,), max_delay=6, timesteps=14)
    delays = network.layers[0].delays
    assert delays is not None
    first = replace(network.layers[0], delays=np.maximum(delays, shortest))
    check(replace(network, layers=(first, *network.layers[1:])), 4, 31, samples=3, layers="slotted")


@pytest.mark.parametrize(
    ("recurrent", "value_bits", "words", "values"),
    [(False, 3, 36, 3), (True, 3, 30, 2), (False, 9, 99, 1)],
)
def test_values_of_events(recurrent: bool, value_bits: int, words: int, values: int, monkeypatch: Any) -> None:
    """Events of larger values than there are words for are read again; if that would be often, they are multiplied."""
    monkeypatch.setattr(slots, "_PRODUCT_WORDS", words)
    network = random_network(8, (10, 8, 4), recurrent=(recurrent,), density=1.0, value_bits=value_bits, timesteps=9)
    core = pack(network, 8, layers="slotted")
    assert isinstance(core, SlottedCore)
    assert (core.slots[0].values, core.slots[0].multiplies) == (values, values == 1)
    check(network, 8, 8, samples=3, layers="slotted")


def test_layers_with_different_rules() -> None:
    network = random_network(3, (9, 20, 17, 9, 6), recurrent=(True, False), max_delay=12, decay=TAU_2)
    changes = (
        {"weight_shift": 3},
        {"neuron": SOFT, "decay": Decay(3, 6)},
        {"neuron": IntegerLIF("late", strict=True), "decay": Decay(1, 0)},
        {"weight_shift": 1},
    )
    layers = tuple(replace(layer, **change) for layer, change in zip(network.layers, changes, strict=True))
    check(NetworkSpec(layers=layers, timesteps=20), 8, 3, layers="slotted")


def test_neurons_that_remember_floors_and_other_decisions() -> None:
    """A bit beside the membrane, a lowest membrane, and the highest one of a class instead of their sum."""
    for neuron in (each for each in all_neurons() if each.remembers):
        network = random_network(3, (9, 12, 9, 5), recurrent=(True, False), neuron=neuron, readout="max", floor="own")
        network = with_own(3, network, ("leaks",) if neuron.label.endswith("threshold") else ())
        check(network, 4, 3, layers="slotted")


def test_other_starts_are_refused() -> None:
    network = with_own(3, random_network(3), ("starts",))
    assert SlottedCore.refusal(network) == "layer 0 must have no start where layers are slotted"


def test_small_layers_behind_large_ones_and_before() -> None:
    check(random_network(7, (5, 3, 40, 1, 12), recurrent=(True,), max_delay=3), 2, 7, layers="slotted")


def test_empty_and_dense_networks() -> None:
    for density in (0.0, 1.0):
        check(random_network(5, (10, 12, 9, 4), density=density), 4, 5, layers="slotted")


def test_read_out_alone() -> None:
    check(random_network(6, (7, 3)), 2, 6, samples=3, layers="slotted")


def test_stalls_at_both_ends_change_nothing() -> None:
    check(random_network(8, recurrent=(True,)), 4, 8, stalls=0.4, layers="slotted")
