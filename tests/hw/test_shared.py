from dataclasses import replace

import pytest
from test_core import check

from random_networks import SOFT, TAU_2, random_network
from spikewright.contract.decay import Decay
from spikewright.contract.network import NetworkSpec
from spikewright.contract.neurons.lif import IntegerLIF


@pytest.mark.parametrize(("lanes", "encoding"), [(2, "relative"), (16, "bitmap")])
def test_equals_the_integer_network_and_the_cycle_model(lanes: int, encoding: str) -> None:
    check(random_network(lanes, timesteps=12), lanes, lanes, layers="shared", encoding=encoding)


@pytest.mark.parametrize(("lanes", "encoding"), [(1, "bitmap"), (8, "relative")])
def test_layers_with_different_rules(lanes: int, encoding: str) -> None:
    """Each rule holds in its own layer only: leak, current, comparison, reset, widths, fractional bits.

    The last row of one layer is alone.
    """
    network = random_network(3, (9, 12, 9, 5, 4), recurrent=(True, False), max_delay=12, decay=TAU_2, timesteps=16)
    changes = (
        {"weight_shift": 3},
        {"neuron": SOFT, "decay": Decay(3, 6), "current_decay": Decay(3, 2)},
        {"neuron": IntegerLIF("late", strict=True), "decay": Decay(1, 0)},
        {"weight_shift": 1},
    )
    layers = tuple(replace(layer, **change) for layer, change in zip(network.layers, changes, strict=True))
    check(NetworkSpec(layers=layers, timesteps=16), lanes, 3, layers="shared", encoding=encoding)


def test_floors_of_thresholds_beside_others() -> None:
    """The lanes store what a lane of its own would make of the threshold, and in the width that it takes."""
    network = random_network(1, (5, 6, 4), recurrent=(False,), timesteps=9, floor="threshold", readout_floor=True)
    assert network.layers[0].floor is not None
    assert network.layers[0].floor.min() < -64 < -32 < network.layers[1].floor.min()
    check(network, 2, 1, layers="shared")


def test_small_layers_behind_large_ones_and_before() -> None:
    check(random_network(7, (5, 3, 20, 1, 7), recurrent=(True,), max_delay=3, timesteps=10), 2, 7, layers="shared")


def test_empty_and_dense_networks() -> None:
    for density in (0.0, 1.0):
        check(random_network(5, (10, 12, 9, 4), density=density, timesteps=12), 4, 5, layers="shared")


def test_read_out_alone() -> None:
    check(random_network(6, (7, 3)), 2, 6, samples=3, layers="shared")


def test_stalls_at_both_ends_change_nothing() -> None:
    check(random_network(8, recurrent=(True,)), 4, 8, stalls=0.4, layers="shared")
