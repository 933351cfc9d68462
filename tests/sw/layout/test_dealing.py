from dataclasses import replace

import numpy as np
import pytest

from spikewright.contract.decay import Decay
from spikewright.contract.integers import IntArray
from spikewright.contract.layer import LayerSpec
from spikewright.layout.dealing import balanced_order


def uneven(neurons: int, delays: list[int] | None = None) -> LayerSpec:
    """The first neurons have few synapses, the last many."""
    rng = np.random.default_rng(0)
    axons = 50 + (neurons if delays else 0)
    weights = np.where(rng.random((neurons, axons)) < np.linspace(0, 1, neurons)[:, None], 1, 0)
    return LayerSpec(
        inputs=50,
        neurons=neurons,
        weights=weights,
        bias=np.zeros(neurons, dtype=np.int64),
        threshold=np.ones(neurons, dtype=np.int64),
        delays=np.array(delays) if delays else None,
        decay=Decay(1, 1),
    )


def loads(layer: LayerSpec, order: IntArray, lanes: int) -> IntArray:
    load = np.count_nonzero(layer.weights, axis=1)[order]
    return np.array([load[lane::lanes].sum() for lane in range(lanes)])


@pytest.mark.parametrize("neurons", [1, 3, 37, 64])
@pytest.mark.parametrize("lanes", [1, 4, 8, 64])
def test_order_is_a_permutation(neurons: int, lanes: int) -> None:
    assert sorted(balanced_order(uneven(neurons), lanes)) == list(range(neurons))


def test_lanes_hold_about_equally_many_synapses() -> None:
    layer = uneven(64)
    per_lane = loads(layer, balanced_order(layer, 8), 8)
    assert per_lane.max() <= 1.02 * per_lane.mean()
    layer = uneven(37)  # five lanes have one neuron more than the others
    per_lane = loads(layer, balanced_order(layer, 8), 8)
    assert per_lane[:5].max() - per_lane[:5].min() <= layer.neurons // 8 + 1
    assert per_lane.max() < 1.25 * per_lane.mean()


def test_operations_are_balanced_where_rates_are_known_and_synapses_too() -> None:
    layer = uneven(32)
    rates = (1000 * np.random.default_rng(1).random(50) ** 4).astype(np.int64)
    work = (layer.weights != 0) @ rates
    spread = []
    for order in (balanced_order(layer, 4), balanced_order(replace(layer, rates=rates), 4)):
        per_lane = np.array([work[order][lane::4].sum() for lane in range(4)])
        spread.append(per_lane.max() / per_lane.mean() - 1)
        synapses = loads(layer, order, 4)
        assert synapses.max() < 1.03 * synapses.mean()
    assert spread[1] < 0.3 * spread[0]


def test_without_any_event_synapses_are_balanced() -> None:
    layer = replace(uneven(64), rates=np.zeros(50, dtype=np.int64))
    per_lane = loads(layer, balanced_order(layer, 8), 8)
    assert per_lane.max() <= 1.02 * per_lane.mean()


def test_the_synapses_of_an_axon_are_spread_over_the_lanes() -> None:
    """So that the lanes have equally much to do whatever the events of a step are."""
    rng = np.random.default_rng(4)
    layer = replace(uneven(64), weights=np.where(rng.random((64, 50)) < 0.2, 1, 0))
    present = layer.weights != 0

    def spread(order: IntArray) -> float:
        lengths = np.stack([present[order[lane::8]].sum(axis=0) for lane in range(8)])
        return float(lengths.var(axis=0).mean())

    assert spread(balanced_order(layer, 8)) < 0.85 * spread(np.arange(64))


def test_neurons_of_a_row_have_neighbouring_delays() -> None:
    rng = np.random.default_rng(2)
    layer = uneven(48, rng.integers(0, 12, 48).tolist())
    assert layer.delays is not None
    order = balanced_order(layer, 8)
    by_row = layer.delays[order].reshape(6, 8)
    assert (by_row.max(axis=1)[:-1] <= by_row.min(axis=1)[1:]).all()
