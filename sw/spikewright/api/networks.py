"""Networks: built from their layers, read from files, written to them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from spikewright.api.source import AnyPath, opened
from spikewright.contract.errors import InputError, suggestion
from spikewright.contract.network import NetworkSpec
from spikewright.integer.file import save_model
from spikewright.integer.reference import IntegerNetwork
from spikewright.learn.checkpoint import save_checkpoint
from spikewright.learn.config import Config, LayerConfig, NetworkConfig
from spikewright.learn.networks import SpikingNetwork
from spikewright.nir.file import is_foreign, load_foreign, save_foreign
from spikewright.nir.network import ForeignNetwork


def build_network(
    layers: Sequence[LayerConfig | int],
    *,
    inputs: int = 140,
    classes: int = 20,
    timesteps: int = 100,
    density: float = 1.0,
    seed: int | None = None,
    **settings: Any,
) -> SpikingNetwork:
    """A network of spiking layers and a read-out, with random weights.

    It is a module of PyTorch that takes event counts (samples, timesteps, inputs) and returns scores (samples,
    classes).

    Parameters
    ----------
    layers : sequence of LayerConfig or int
        The spiking layers; a number is a layer of so many neurons, without recurrence.
    inputs : int
        Input channels, 1 .. 65536.
    classes : int
        1 .. 4096.
    timesteps : int
        Steps of a sample, 1 .. 65535.
    density : float
        Share of the weights that are not zero at first, above 0 .. 1. Bregman training is meant to start with few.
    seed : int, optional
        Of the weights; PyTorch's random numbers as they come by default.
    settings
        Others of `NetworkConfig`, such as `readout_tau`.

    Raises
    ------
    InputError
        If a setting is unknown or out of its range; says which.
    """
    if isinstance(layers, str | bytes) or not isinstance(layers, Sequence):
        raise InputError(f"layers must be a sequence of LayerConfig or numbers of neurons, not {layers!r:.60}")
    made = tuple(LayerConfig(neurons=layer) if isinstance(layer, int) else layer for layer in layers)
    if other := [layer for layer in made if not isinstance(layer, LayerConfig)]:
        raise InputError(f"layer must be a LayerConfig or a number of neurons, not {other[0]!r:.60}")
    if unknown := sorted(settings.keys() - NetworkConfig.__dataclass_fields__.keys()):
        known = ["density", "seed", *NetworkConfig.__dataclass_fields__]
        near = suggestion(unknown[0], known)
        raise InputError(f"setting must be one of {', '.join(known)}, not {', '.join(unknown)}{near}")
    config = NetworkConfig(layers=made, inputs=inputs, classes=classes, timesteps=timesteps, **settings)
    if not 0 < density <= 1:
        raise InputError(f"density must be above 0 and at most 1, not {density}")
    if seed is None:
        return SpikingNetwork(config, density)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return SpikingNetwork(config, density)


def load_network(path: AnyPath) -> SpikingNetwork | IntegerNetwork | ForeignNetwork:
    """A network from a file.

    Parameters
    ----------
    path : path
        A checkpoint of a training, an integer network by `quantize`, or the name of a shipped checkpoint, such as
        `shd-adabreg90`; or a checkpoint by `spikewright import`.

    Returns
    -------
    SpikingNetwork, IntegerNetwork or ForeignNetwork
        In evaluation mode. All take event counts (samples, timesteps, inputs).

    Raises
    ------
    InputError
        If the file is neither, or damaged; says what.
    """
    return load_foreign(Path(path))[0] if is_foreign(Path(path)) else opened(path).network


def save_network(network: SpikingNetwork | IntegerNetwork | NetworkSpec | ForeignNetwork, path: AnyPath) -> Path:
    """Write a network to a file that `load_network` and the commands read.

    Parameters
    ----------
    network : SpikingNetwork, IntegerNetwork, NetworkSpec or ForeignNetwork
    path : path
        File to write, by custom `.safetensors`.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    TypeError
        If it is no network.
    OSError
        If the file cannot be written.
    """
    target = Path(path)
    if isinstance(network, SpikingNetwork):
        save_checkpoint(target, network, network.recipe or Config(network=network.config), {})
        return target
    if isinstance(network, ForeignNetwork):
        save_foreign(target, network, {})
        return target
    if isinstance(network, NetworkSpec):
        network = IntegerNetwork(network)
    if not isinstance(network, IntegerNetwork):
        raise TypeError(f"network must be a SpikingNetwork or an IntegerNetwork, not {type(network).__name__}")
    save_model(target, network.spec, network.info)
    return target
