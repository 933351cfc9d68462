"""What a version of Spikewright makes of a network, as a digest: a build folder of another version is told by it."""

from __future__ import annotations

import dataclasses
import hashlib
from typing import Any

import numpy as np

from spikewright.contract.core import CoreSpec


def digest(core: CoreSpec) -> str:
    """SHA-256 of everything that decides which neuron a word of a core belongs to, and what each step of it costs.

    Nobody has to remember to count a version up: whatever lays a core out otherwise (order of the neurons, lanes,
    places and encodings of the synapses, delays), or predicts other cycles for a sample with events in every layer
    that can have some, has another digest.
    """
    sha = hashlib.sha256()
    _add(sha, core)
    _add(sha, _cycles(core))
    return sha.hexdigest()


def _add(sha: Any, value: Any) -> None:
    """Every part with its kind and its size in front, so that different values are different bytes."""
    if dataclasses.is_dataclass(value):
        fields = dataclasses.fields(value)
        sha.update(f"{type(value).__name__} {len(fields)}\n".encode())
        for field in fields:
            sha.update(f"{field.name}\n".encode())
            _add(sha, getattr(value, field.name))
    elif isinstance(value, np.ndarray):
        sha.update(f"array {value.shape}\n".encode())
        sha.update(value.astype("<i8").tobytes())
    elif isinstance(value, tuple | list):
        sha.update(f"sequence {len(value)}\n".encode())
        for item in value:
            _add(sha, item)
    else:
        sha.update(f"{value.item() if isinstance(value, np.generic) else value!r}\n".encode())


def _cycles(core: CoreSpec) -> Any:
    """Predicted cycles of a sample in which every fifth axon, another one at every step, has an event."""
    import torch

    from spikewright.integer.reference import IntegerNetwork
    from spikewright.predict.cycles import CycleModel

    network = core.network
    step, axon = np.indices((network.timesteps, network.inputs))
    values = ((axon + 2 * step) % 5 == 0).astype(np.int64)
    trace = IntegerNetwork(network).run(torch.from_numpy(values)[None])
    return CycleModel(core).run(values, [of_layer[0].numpy() for of_layer in trace.spikes], 0)
