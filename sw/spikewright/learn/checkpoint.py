"""Float checkpoints: safetensors with the configuration as JSON metadata. Reading one runs no code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from spikewright.contract.errors import InputError, errors_in
from spikewright.learn.config import Config, NetworkConfig, from_dict
from spikewright.learn.convolutional import ConvolutionalNetwork
from spikewright.learn.networks import SpikingNetwork
from spikewright.support.files import atomic_path, check_file, check_format, parse_json, sha256
from spikewright.support.safetensor import in_order
from spikewright.support.shipped import checkpoint_path

FORMAT = "spikewright-checkpoint-1"
GRAPH = "graph/"
"""What the names of tensors begin with that are of the network of another library from which the network was made."""

REFUSED = "refused"
"""Metadata of a file of another format: why it holds no network of our own."""

Network = SpikingNetwork | ConvolutionalNetwork


def build_network(config: NetworkConfig, density: float = 1.0) -> Network:
    """The network of a configuration; `density` is that of a spiking network's first weights."""
    return ConvolutionalNetwork(config) if config.convolutions else SpikingNetwork(config, density)


def save_checkpoint(path: Path | str, network: Network, config: Config, info: dict[str, Any]) -> None:
    """Write a network with the configuration that rebuilds it.

    Parameters
    ----------
    path : Path
    network : SpikingNetwork or ConvolutionalNetwork
    config : Config
        The one the network was trained with; its `network` section must be the network's.
    info : dict
        JSON-ready facts about the training (epoch, accuracy, ...); they change nothing.
    """
    save_tensors(path, dict(network.state_dict()), FORMAT, {"config": config.to_dict(), "info": info})


def is_checkpoint(path: Path | str) -> bool:
    """Whether `path` is a safetensors file, perhaps a checkpoint; names of shipped ones are none."""
    try:
        with safe_open(path, framework="numpy"):
            return True
    except (SafetensorError, OSError):
        return False


def load_checkpoint(path: Path | str) -> SpikingNetwork:
    """Rebuild a network, in evaluation mode.

    Parameters
    ----------
    path : Path
        A file by `spikewright train`, or the name of a shipped checkpoint.

    Raises
    ------
    InputError
        If the file is not a complete, consistent and finite checkpoint; names the file and the field.
    """
    return read_checkpoint(path)[0]


def read_checkpoint(path: Path | str) -> tuple[SpikingNetwork, Config, dict[str, Any]]:
    """As `load_checkpoint`, with the configuration and the facts that were stored."""
    network, config, info = read_network(path)
    if not isinstance(network, SpikingNetwork):
        raise InputError(f"{path}: network must be of spiking neurons, not the convolutional one of a teacher")
    return network, config, info


def read_network(path: Path | str) -> tuple[Network, Config, dict[str, Any]]:
    """As `read_checkpoint`, of a spiking or of a convolutional network."""
    path = checkpoint_path(path)
    tensors, fields = _own_tensors(path)
    with errors_in(f"{path}: metadata 'config'"):
        config: Config = from_dict(fields["config"])
    # Built without memory or random numbers, and compared with the file before it takes the file's tensors.
    with torch.device("meta"):
        network = build_network(config.network)
    check_tensors(path, tensors, dict(network.state_dict()))
    network.load_state_dict(tensors, assign=True)
    for name, delays in network.delay_parameters().items():
        layer = config.network.layers[int(name.split(".")[1])]
        if name.endswith(".delays") and not bool(((delays >= 0) & (delays <= layer.max_delay)).all()):
            raise InputError(f"{path}: tensor {name!r} must be 0 .. {layer.max_delay} steps, not {_worst(delays)}")
    for name, tensor in tensors.items():
        if name.endswith(".floor") and bool((tensor > 0).any()):
            raise InputError(f"{path}: tensor {name!r} must be at most 0, not {float(tensor.max())}")
        if name.endswith((".leak", ".current_leak")) and not bool(((tensor >= 0) & (tensor <= 1)).all()):
            raise InputError(f"{path}: tensor {name!r} must be 0 .. 1, not {_worst(tensor)}")
    if isinstance(network, SpikingNetwork):
        _check_onward(path, network)
        network.recipe = config
    return network.eval(), config, fields["info"]


def _check_onward(path: Path, network: SpikingNetwork) -> None:
    for index, layer in enumerate(network.spiking_layers()):
        steps, most = layer.onward if layer.config.onward else torch.zeros(1), layer.config.onward
        if not bool(((steps >= 0) & (steps <= most) & (steps == steps.round())).all()):
            raise InputError(f"{path}: tensor 'layers.{index}.onward' must be whole steps, 0 .. {most}")


def _own_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors, configuration and facts of a checkpoint, without those that another library wrote."""
    tensors, fields = load_tensors(path, FORMAT, ("config", "info"))
    return {name: tensor for name, tensor in tensors.items() if not name.startswith(GRAPH)}, fields


def load_weights(network: Network, path: Path | str) -> str:
    """Give `network` the weights, norms and delays of a checkpoint, delays cut to its own limits.

    Returns
    -------
    str
        SHA-256 of the file.

    Raises
    ------
    InputError
        If the file is no checkpoint, or its tensors have other shapes.
    """
    path = checkpoint_path(path)
    tensors, _ = _own_tensors(path)
    check_tensors(path, tensors, dict(network.state_dict()))
    network.load_state_dict(tensors)
    network.limit_delays()
    return sha256(path)


def _worst(delays: Tensor) -> float:
    low, high = delays.detach().aminmax()
    return float(low if low < 0 else high)


def save_tensors(
    path: Path | str, tensors: dict[str, Tensor], kind: str, fields: dict[str, Any], *, refused: str = ""
) -> None:
    """Write tensors with JSON metadata under the format name `kind`, whole or not at all.

    `refused` says to the readers of checkpoints why it is none.
    """
    metadata = {"format": kind, **{name: json.dumps(value, allow_nan=False) for name, value in fields.items()}}
    metadata |= {REFUSED: refused} if refused else {}
    with atomic_path(path) as temporary:
        content = save({name: t.detach().contiguous() for name, t in tensors.items()}, metadata)
        temporary.write_bytes(in_order(content))


def load_tensors(path: Path, kind: str, fields: tuple[str, ...]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and JSON metadata of a file by `save_tensors`.

    Raises
    ------
    InputError
        If the file cannot be read, is of another format, or its metadata is not JSON objects.
    """
    check_file(path)
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            if (why := metadata.get(REFUSED)) is not None and metadata.get("format") != kind:
                raise InputError(f"{path}: {why[:500]}")
            check_format(path, metadata.get("format"), kind)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError, RuntimeError, TypeError) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(f"{path}: not a readable safetensors file ({first:.120})") from None
    values: dict[str, Any] = {}
    for name in fields:
        if name not in metadata:
            raise InputError(f"{path}: metadata {name!r} is missing")
        try:
            values[name] = parse_json(metadata[name])
        except ValueError as error:
            raise InputError(f"{path}: metadata {name!r} must be JSON, not text with: {error}") from None
        if not isinstance(values[name], dict):
            raise InputError(f"{path}: metadata {name!r} must be a JSON object, not {metadata[name]!r:.60}")
    return tensors, values


def check_tensors(path: Path, tensors: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
    """Compare names, shapes, types with `expected`, and require finite values; InputError names file and tensor."""
    for name, like in expected.items():
        if name not in tensors:
            raise InputError(f"{path}: tensor {name!r} is missing")
        tensor = tensors[name]
        if tensor.shape != like.shape:
            raise InputError(f"{path}: tensor {name!r} must have shape {tuple(like.shape)}, not {tuple(tensor.shape)}")
        if tensor.dtype != like.dtype:
            raise InputError(f"{path}: tensor {name!r} must be {like.dtype}, not {tensor.dtype}")
        if not bool(torch.isfinite(tensor).all()):
            raise InputError(f"{path}: tensor {name!r} must be finite, not NaN or infinite")
        if name.endswith("running_var") and bool((tensor < 0).any()):
            raise InputError(f"{path}: tensor {name!r} must be at least 0, not {float(tensor.min())}")
    for name in tensors:
        if name not in expected:
            raise InputError(f"{path}: unexpected tensor {name!r}")
