"""How many lanes every layer of a core has."""

from __future__ import annotations

import numpy as np

from spikewright.contract.layer import RATE_UNIT, LayerSpec
from spikewright.contract.network import NetworkSpec


def layer_lanes(network: NetworkSpec, lanes: int) -> list[int]:
    """Lanes of every layer: `lanes` for the largest, and for others the fewest with which they keep up with it.

    A layer keeps up if it has no more rows, and a lane of it no more synapses, than the lanes of the layers with the
    most of them have; or, where the rates of its axons are known, if an average step keeps it busy for three quarters
    of the time that it keeps the busiest layer, so that there is room for steps above the average.
    """
    neurons = [layer.neurons for layer in network.layers]
    rows = -(-max(neurons) // lanes)
    synapses = max(layer.synapses for layer in network.layers) / lanes
    pace = max((_busy(layer, lanes) for layer in network.layers), default=0.0)
    fitting = []
    for layer in network.layers:
        of_layer = 1
        # A lane without a neuron would have nothing to do.
        while (
            of_layer < min(lanes, layer.neurons)
            and (-(-layer.neurons // of_layer) > rows or layer.synapses / of_layer > synapses)
            and (layer.rates is None or _busy(layer, of_layer) > 0.75 * pace)
        ):
            of_layer *= 2
        fitting.append(of_layer)
    return fitting


def _busy(layer: LayerSpec, lanes: int) -> float:
    """Cycles of an average step of a layer: its events, one a cycle, or the synapses and rows of a lane.

    0 where the rates of its axons are not known.
    """
    if layer.rates is None:
        return 0.0
    operations = int((np.count_nonzero(layer.weights, axis=0) * layer.rates).sum()) / RATE_UNIT
    return max(int(layer.rates.sum()) / RATE_UNIT, operations / lanes + -(-layer.neurons // lanes))
