"""Files of integer networks: safetensors with the scalars of every layer as JSON metadata. Reading runs no code."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from spikewright.contract.decay import Decay
from spikewright.contract.errors import InputError
from spikewright.contract.layer import OWN, LayerSpec
from spikewright.contract.network import NetworkSpec
from spikewright.contract.neuron import neuron_from
from spikewright.support.files import atomic_path, check_file, check_format, parse_json
from spikewright.support.safetensor import in_order

FORMAT = "spikewright-integer-network-1"
_MOST_LAYERS = 64
_SCALARS = ("inputs", "neurons", "weight_bits", "weight_shift", "value_bits")
_DECAYS = ("decay", "current_decay")
_ARRAYS = ("weights", "bias", "threshold", *OWN, "delays", "rates", "onward")


def save_model(path: Path, spec: NetworkSpec, info: dict[str, Any] | None = None) -> None:
    """Write `spec` to `path`. `info` (JSON-ready) tells where the network comes from; it changes nothing."""
    tensors: dict[str, np.ndarray[Any, Any]] = {}
    layers = []
    for index, layer in enumerate(spec.layers):
        for name in _ARRAYS:
            array = getattr(layer, name)
            if array is not None:
                tensors[f"layers.{index}.{name}"] = array.astype(np.min_scalar_type(-int(np.abs(array).max()) - 1))
        fields = {name: getattr(layer, name) for name in _SCALARS}
        decays = {name: asdict(decay) for name in _DECAYS if (decay := getattr(layer, name)) is not None}
        layers.append({**fields, **layer.neuron.as_dict(), **decays})
    network = {"timesteps": spec.timesteps, "readout": spec.readout, "layers": layers}
    metadata = {"format": FORMAT, "network": json.dumps(network), "info": json.dumps(info or {})}
    with atomic_path(Path(path)) as part:
        part.write_bytes(in_order(save(tensors, metadata)))


def load_model(path: Path) -> NetworkSpec:
    """Read what `save_model` wrote.

    Raises
    ------
    InputError
        If the file is not a complete and consistent integer network; names the file and the field.
    """
    return _load(Path(path))[0]


def load_info(path: Path) -> dict[str, Any]:
    """Where the network comes from, as handed to `save_model`."""
    return _load(Path(path))[1]


def is_model(path: Path) -> bool:
    """Whether `path` is a safetensors file that says it holds an integer network."""
    try:
        with safe_open(path, framework="numpy") as file:
            return bool((file.metadata() or {}).get("format") == FORMAT)
    except (SafetensorError, OSError):
        return False


def _load(path: Path) -> tuple[NetworkSpec, dict[str, Any]]:
    check_file(path)
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    except (SafetensorError, OSError, TypeError, ValueError) as error:
        raise InputError(f"{path}: not a readable safetensors file ({_first_line(error)})") from None
    check_format(path, metadata.get("format"), FORMAT)
    try:
        network = _parse(metadata, "network")
        info = _parse({"info": "{}", **metadata}, "info")
        listed = _table(network, "metadata 'network'")["layers"]
        if not isinstance(listed, list) or len(listed) > _MOST_LAYERS:
            found = f"{len(listed)} layers" if isinstance(listed, list) else repr(listed)
            raise TypeError(f"metadata 'network' must hold a list of at most {_MOST_LAYERS} layers, not {found:.40}")
        layers = []
        for index, fields in enumerate(listed):
            arrays: dict[str, Any] = {name: tensors.pop(f"layers.{index}.{name}", None) for name in _ARRAYS}
            for name in ("weights", "bias"):
                if arrays[name] is None:
                    raise ValueError(f"tensor 'layers.{index}.{name}' is missing")
            _table(fields, f"layer {index}")
            leaks = {
                name: _table(fields[name], f"layer {index}: {name}")
                for name in _DECAYS
                if name == "decay" or fields.get(name) is not None
            }
            try:
                decays: dict[str, Any] = {
                    name: Decay(multiplier=_integer(leak, "multiplier"), shift=_integer(leak, "shift"))
                    for name, leak in leaks.items()
                }
                scalars: dict[str, Any] = {name: _integer(fields, name) for name in _SCALARS}
                layers.append(LayerSpec(**arrays, **scalars, **decays, neuron=neuron_from(fields)))
            except (TypeError, ValueError) as error:
                raise ValueError(f"layer {index}: {error}") from None
        if tensors:
            raise ValueError(f"unexpected tensor {sorted(tensors)[0]!r}")
        spec = NetworkSpec(
            layers=tuple(layers), timesteps=_integer(network, "timesteps"), readout=str(network.get("readout"))
        )
    except KeyError as error:
        raise InputError(f"{path}: field {error} is missing") from None
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: {_first_line(error)}") from None
    if not isinstance(info, dict):
        raise InputError(f"{path}: metadata 'info' must be a JSON object, not {type(info).__name__}")
    return spec, info


def _parse(metadata: dict[str, str], name: str) -> Any:
    try:
        return parse_json(metadata[name])
    except ValueError as error:
        raise ValueError(f"metadata {name!r} must be JSON, not text with: {error}") from None


def _table(value: Any, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"{name} must be a JSON object, not {value!r:.60}")
    return value


def _first_line(error: BaseException) -> str:
    """What an error says, short enough for a line; its kind if it says nothing."""
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def _integer(fields: dict[str, Any], name: str) -> int:
    value = fields[name]
    if type(value) is not int:
        raise TypeError(f"{name} must be an integer, not {value!r:.60}")
    return value
