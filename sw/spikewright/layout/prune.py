"""Pruning: hidden neurons without any effect are left out of an integer network."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from spikewright.contract.bounds import neuron_bounds
from spikewright.contract.layer import OWN, LayerSpec
from spikewright.contract.network import NetworkSpec


def prune(network: NetworkSpec) -> tuple[NetworkSpec, dict[str, list[list[int]]]]:
    """Leave out hidden neurons without any effect on scores and classes; one per layer stays.

    Such are *dead* neurons, whose spikes reach no neuron that has an effect, and *silent* ones, whose membrane cannot
    reach the threshold whatever the input, by `neuron_bounds`.

    Returns
    -------
    NetworkSpec
        The network itself if there is nothing to leave out.
    dict
        `dead` and `silent`: neurons by hidden layer; and `inputs` without synapses, as one list. Inputs keep their
        numbers, as they are those of the interface.
    """
    hidden = network.layers[:-1]
    kept = [np.ones(layer.neurons, dtype=np.bool_) for layer in hidden]
    removed: dict[str, list[list[int]]] = {"dead": [[] for _ in hidden], "silent": [[] for _ in hidden]}
    while True:
        layers = _without(network.layers, kept)
        found = False
        for index, layer in enumerate(layers[:-1]):
            numbers = np.flatnonzero(kept[index])
            useful = (layers[index + 1].weights[:, : layer.neurons] != 0).any(axis=0)
            if layer.recurrent:
                own = layer.weights[:, layer.inputs :] != 0
                while (grown := useful | own[useful].any(axis=0)).sum() > useful.sum():
                    useful = grown
            assert layer.threshold is not None
            fires = neuron_bounds(layer, network.timesteps).compared >= layer.neuron.fires_from(layer.threshold)
            for why, without in (("silent", ~fires), ("dead", fires & ~useful)):
                for number in numbers[without].tolist():
                    if kept[index].sum() > 1:
                        kept[index][number] = False
                        removed[why][index].append(number)
                        found = True
            if found:
                break
        if not found:
            break
    removed = {why: [sorted(of_layer) for of_layer in by_layer] for why, by_layer in removed.items()}
    if any(not keep.all() for keep in kept):
        network = replace(network, layers=layers)
    removed["inputs"] = [np.flatnonzero(~(layers[0].weights[:, : network.inputs] != 0).any(axis=0)).tolist()]
    return network, removed


def _without(layers: tuple[LayerSpec, ...], kept: list[npt.NDArray[np.bool_]]) -> tuple[LayerSpec, ...]:
    """The layers with only those neurons of the hidden ones."""
    smaller = []
    inputs = np.ones(layers[0].inputs, dtype=np.bool_)
    for layer, own in zip(layers, [*kept, np.ones(layers[-1].neurons, dtype=np.bool_)], strict=True):
        axons = np.concatenate([inputs, own]) if layer.recurrent else inputs
        optional: dict[str, Any] = {
            name: None if (values := getattr(layer, name)) is None else values[own]
            for name in ("threshold", *OWN, "delays", "onward")
        }
        smaller.append(
            replace(
                layer,
                inputs=int(inputs.sum()),
                neurons=int(own.sum()),
                weights=layer.weights[np.ix_(own, axons)],
                bias=layer.bias[own],
                **optional,
                rates=None if layer.rates is None else layer.rates[axons],
            )
        )
        inputs = own
    return tuple(smaller)
