"""Synaptic operations of an integer network, counted event by event."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from spikewright.contract.integers import check_samples
from spikewright.contract.network import NetworkSpec


class Operations(NamedTuple):
    """Additions of a weight to a membrane: those of the stored synapses, and as many as if no weight were zero."""

    sparse: int
    dense: int


def count_operations(network: NetworkSpec, values: npt.ArrayLike, spikes: Sequence[npt.ArrayLike]) -> list[Operations]:
    """Operations of each layer, for all samples together.

    An event costs the synapses of its axon, whatever its value. A recurrent spike that would arrive after the last
    step of its sample costs nothing.

    Parameters
    ----------
    network : NetworkSpec
    values : (samples, T, inputs) integers
        Input events.
    spikes : sequence of (samples, T, neurons) integers or booleans
        Of every layer that fires, as in `Trace.spikes`.

    Raises
    ------
    ValueError
        If the values have another shape.
    """
    values = np.asarray(values)
    check_samples("values", values, network.timesteps, network.inputs)
    counts = []
    events = np.count_nonzero(values, axis=(0, 1))
    for index, layer in enumerate(network.layers):
        synapses = np.count_nonzero(layer.weights, axis=0)
        arriving = [events]
        if index < len(spikes):
            fired = np.asarray(spikes[index])
            events = np.count_nonzero(layer.sent(fired), axis=(0, 1))
            if layer.delays is not None:
                steps = fired.shape[1]
                in_time = np.arange(steps)[:, None] + 1 + layer.delays < steps  # (T, neurons)
                arriving.append((np.count_nonzero(fired, axis=0) * in_time).sum(axis=0))
        axons = np.concatenate(arriving)
        counts.append(Operations(int(axons @ synapses), int(axons.sum()) * layer.neurons))
    return counts


def total_operations(network: NetworkSpec, values: npt.ArrayLike, spikes: Sequence[npt.ArrayLike]) -> Operations:
    """Operations of all layers together, see `count_operations`."""
    counts = count_operations(network, values, spikes)
    return Operations(sum(layer.sparse for layer in counts), sum(layer.dense for layer in counts))
