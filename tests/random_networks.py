"""Random integer networks and inputs for the tests of every room."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from spikewright.contract.decay import Decay
from spikewright.contract.layer import OWN, LayerSpec
from spikewright.contract.network import NetworkSpec
from spikewright.contract.neuron import Neuron, usual_neuron
from spikewright.contract.neurons.lif import IntegerLIF

TAU_1_05 = Decay(3, 6)
TAU_2 = Decay(1, 1)
HARD, SOFT = IntegerLIF("hard"), IntegerLIF("soft")


def random_network(
    seed: int,
    sizes: Sequence[int] = (12, 9, 7, 5),
    *,
    recurrent: Sequence[bool] = (False, True),
    density: float = 0.5,
    max_delay: int = 6,
    decay: Decay = TAU_1_05,
    current_decays: Sequence[Decay | None] = (None,),
    neuron: Neuron | None = None,
    weight_bits: int = 8,
    weight_shift: int = 0,
    value_bits: int = 3,
    timesteps: int = 20,
    readout: str = "sum",
    floor: str = "",
    most_onward: int | None = None,
    readout_current: Decay | None = None,
    readout_floor: bool = False,
) -> NetworkSpec:
    """A network of `sizes` (inputs, hidden layers, classes) that fires at rates worth comparing.

    Thresholds are drawn at the scale of a step's input, so that neither silence nor saturation hides a fault; so are
    floors, if they are to be their `own`, while others are the negative `threshold`.
    """
    rng = np.random.default_rng(seed)
    limit = (1 << (weight_bits - 1)) - 1
    layers = []
    for index, (inputs, neurons) in enumerate(zip(sizes[:-1], sizes[1:], strict=True)):
        last = index == len(sizes) - 2
        loop = not last and recurrent[index % len(recurrent)]
        axons = inputs + (neurons if loop else 0)
        weights = rng.integers(-limit // 2, limit + 1, (neurons, axons)).clip(-limit, limit)
        weights[rng.random(weights.shape) >= density] = 0
        scale = max(1, int(np.abs(weights).mean() * np.sqrt(axons))) << weight_shift
        bias = rng.integers(-scale, scale + 1, neurons) // 2
        threshold = None if last else rng.integers(1, 2 * scale + 2, neurons)
        of_layer = neuron or usual_neuron()
        if of_layer.most > 1:
            threshold = None if threshold is None else 1 << rng.integers(0, scale.bit_length(), neurons)
        delays = rng.integers(0, max_delay + 1, neurons) if loop else None
        floors = None
        if floor and threshold is not None:
            floors = -threshold if floor == "threshold" else rng.integers(-2 * scale, 1, neurons)
        if last and readout_floor:
            floors = -np.abs(bias)
        layers.append(
            LayerSpec(
                inputs=inputs,
                neurons=neurons,
                weights=weights,
                bias=bias,
                threshold=threshold,
                delays=delays,
                decay=decay,
                current_decay=readout_current if last else current_decays[index % len(current_decays)],
                neuron=of_layer,
                weight_bits=weight_bits,
                weight_shift=weight_shift,
                value_bits=value_bits if index == 0 else layers[-1].count_bits,
                floor=floors,
                onward=None if last or most_onward is None else rng.integers(0, most_onward + 1, neurons),
            )
        )
    return NetworkSpec(layers=tuple(layers), timesteps=timesteps, readout=readout)


def with_own(seed: int, spec: NetworkSpec, names: Collection[str]) -> NetworkSpec:
    """The network with `leaks` and `starts` of single neurons and currents, those of the read-out among them."""
    rng = np.random.default_rng([seed, 3])
    layers = []
    for layer in spec.layers:
        shift = int(rng.integers(1, 17))
        scale = int(np.abs(layer.bias).max()) + 1
        start = rng.integers(-2 * scale, 2 * scale, layer.neurons)
        if layer.threshold is not None:
            start = np.minimum(start, layer.threshold - 1)
        multipliers = rng.integers(0, (1 << shift) + 1, layer.neurons)
        own: dict[str, Any] = {"start": start} if "starts" in names else {}
        if own and layer.current_decay is not None:
            own["current_start"] = rng.permutation(np.minimum(start, scale))
        if "leaks" in names:
            own |= {"decay": Decay(1 << shift, shift), "multipliers": multipliers}
            if layer.current_decay is not None:
                currents = rng.permutation(multipliers)
                own |= {"current_decay": Decay(1 << shift, shift), "current_multipliers": currents}
        layers.append(replace(layer, **own))
    return replace(spec, layers=tuple(layers))


def shuffled_network(seed: int, spec: NetworkSpec) -> NetworkSpec:
    """Another network that fits the same wires: everything learned in other places, layer by layer."""
    rng = np.random.default_rng([seed, 2])
    layers = []
    for layer in spec.layers:
        learned = {"threshold": layer.threshold, "delays": layer.delays, "onward": layer.onward}
        own = {}
        if any(getattr(layer, name) is not None for name in OWN):
            # Together with the threshold, which a floor may be made of and a start is below.
            order = rng.permutation(layer.neurons)
            names = ("threshold", *OWN)
            own = {name: values[order] for name in names if (values := getattr(layer, name)) is not None}
            del learned["threshold"]
        layers.append(
            replace(
                layer,
                weights=rng.permutation(layer.weights.reshape(-1)).reshape(layer.weights.shape),
                bias=rng.permutation(layer.bias),
                **own,
                **{name: rng.permutation(values) for name, values in learned.items() if values is not None},
            )
        )
    return replace(spec, layers=tuple(layers))


def random_counts(
    seed: int, spec: NetworkSpec, samples: int, *, steps: int | None = None, rate: float = 0.3
) -> npt.NDArray[np.int64]:
    """(samples, steps, inputs) counts; some steps are empty and some values are the largest possible."""
    rng = np.random.default_rng([seed, 1])
    steps = spec.timesteps if steps is None else steps
    limit = (1 << spec.value_bits) - 1
    counts = rng.integers(1, limit + 1, (samples, steps, spec.inputs))
    counts[rng.random(counts.shape) >= rate] = 0
    counts[rng.random(counts.shape) < 0.02] = limit
    counts[rng.random((samples, steps)) < 0.1] = 0
    return counts
