"""Training configurations: dataclasses that are read from TOML, checked, and written into every checkpoint.

A setting is named as in the file, `section.key` (`training.epochs`), a layer's by its index
(`network.layers.1.neurons`); where a key occurs in one section only, the key alone will do (`epochs`).
"""

from __future__ import annotations

import dataclasses
import json
import tomllib
import types
import typing
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from spikewright.contract.errors import InputError, errors_in, suggestion
from spikewright.data.config import DataConfig
from spikewright.learn.config_sections import (
    OWNERS,
    AugmentConfig,
    DistillationConfig,
    LayerConfig,
    NetworkConfig,
    TrainingConfig,
)
from spikewright.support.checks import require
from spikewright.support.files import decode_text
from spikewright.support.settings import flatten
from spikewright.support.shipped import configs

__all__ = [
    "AugmentConfig",
    "Config",
    "DataConfig",
    "DistillationConfig",
    "LayerConfig",
    "NetworkConfig",
    "TrainingConfig",
    "from_dict",
    "load_config",
    "override",
    "shipped",
]

_NEVER = "inf"
"""What is infinite, in JSON and as in TOML."""
_LARGEST = 1 << 20
"""Bytes of a configuration file."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything a training depends on but the recordings."""

    network: NetworkConfig
    training: TrainingConfig = field(default_factory=TrainingConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    data: DataConfig = field(default_factory=DataConfig)
    distillation: DistillationConfig = field(default_factory=DistillationConfig)

    def __post_init__(self) -> None:
        if self.data.name == "psmnist":
            pixels = self.data.pixels
            require(self.network.inputs == 1, "network.inputs", "1 for psmnist", self.network.inputs)
            require(
                self.network.timesteps == pixels,
                "network.timesteps",
                f"{pixels} for psmnist, one step for each pixel",
                self.network.timesteps,
            )

        if self.network.convolutions:
            optimizer, penalty = self.training.optimizer, self.training.rate_penalty
            require(optimizer == "adam", "training.optimizer", "adam for a convolutional network", optimizer)
            require(penalty == 0, "training.rate_penalty", "0 for a convolutional network", penalty)

    def to_dict(self) -> dict[str, Any]:
        """Plain, JSON-ready values; `from_dict` is the inverse."""
        plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self)), parse_constant=lambda _: _NEVER)
        return plain


def from_dict(values: object, kind: type[Any] = Config, where: str = "") -> Any:
    """Build a configuration (or one section) from plain values.

    Parameters
    ----------
    values : dict
        As parsed from TOML or JSON.
    kind : type
        Dataclass to build.
    where : str
        Name of the section, for messages.

    Raises
    ------
    InputError
        If a key is unknown, missing or of the wrong type, or a value is out of its range.
    """
    if not isinstance(values, dict):
        raise InputError(f"{where or 'configuration'} must be a table, not {values!r:.60}")
    hints = typing.get_type_hints(kind)
    prefix = f"{where}." if where else ""
    for key in values:
        if key not in hints:
            near = suggestion(key, hints)
            raise InputError(f"{prefix}{key} must be one of {', '.join(hints)}, not an unknown setting{near}")
    arguments = {key: _convert(value, hints[key], f"{prefix}{key}") for key, value in values.items()}
    for item in dataclasses.fields(kind):
        required = item.default is dataclasses.MISSING and item.default_factory is dataclasses.MISSING
        if required and item.name not in arguments:
            raise InputError(f"{prefix}{item.name} must be given, not left out")
    try:
        return kind(**arguments)
    except InputError as error:
        raise InputError(f"{prefix}{error}") from None


def _convert(value: object, kind: Any, name: str) -> Any:
    if dataclasses.is_dataclass(kind):
        return from_dict(value, typing.cast(type[Any], kind), name)
    origin = get_origin(kind)
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise InputError(f"{name} must be a list, not {value!r:.60}")
        return tuple(_convert(item, get_args(kind)[0], f"{name}.{index}") for index, item in enumerate(value))
    if origin is Literal:
        if value not in get_args(kind):
            near = suggestion(value, get_args(kind))
            raise InputError(f"{name} must be one of {', '.join(get_args(kind))}, not {value!r:.60}{near}")
        return value
    if isinstance(kind, types.UnionType):
        raise TypeError(f"{name}: unions are not supported")
    if kind is float and (type(value) is int or value == _NEVER):
        return float(typing.cast(str, value))
    if type(value) is not kind:
        raise InputError(f"{name} must be {_KINDS[kind]}, not {value!r:.60}")
    return value


_KINDS = {int: "an integer", float: "a number", bool: "true or false", str: "text"}


def shipped() -> list[str]:
    """Names of the configurations that come with the package."""
    return list(configs())


def load_config(source: str | Path, settings: dict[str, str] | None = None) -> Config:
    """Read a configuration.

    Parameters
    ----------
    source : str or Path
        A TOML file, or the name of a shipped configuration.
    settings : dict, optional
        `--set` values in the user's spelling: `{"epochs": "20", "network.layers.0.neurons": "42"}`.

    Raises
    ------
    InputError
        If there is no such configuration, or something in it or in the settings is wrong.
    """
    path = Path(source)
    try:
        if path.is_file():
            with path.open("rb") as file:
                raw = file.read(_LARGEST + 1)
            if len(raw) > _LARGEST:
                raise InputError(f"config {source} must be at most {_LARGEST} bytes, not more")
        elif path.name == str(source) and str(source) in shipped():
            raw = (resources.files("spikewright") / "configs" / f"{source}.toml").read_bytes()
        else:
            near = suggestion(str(source), shipped())
            raise InputError(f"config must be a TOML file or one of {', '.join(shipped())}, not {source}{near}")
    except OSError as error:
        raise InputError(f"cannot read config {source}: {error}") from error
    try:
        values = tomllib.loads(decode_text(raw))
    except RecursionError:
        raise InputError(f"config {source} must be TOML, not a file with: nested too deeply") from None
    except ValueError as error:  # no UTF-8, TOMLDecodeError, or a number of thousands of digits
        raise InputError(f"config {source} must be TOML, not a file with: {error!s:.200}") from error
    with errors_in(f"config {source}"):
        config: Config = from_dict(values)
        _refuse_idle(config, set(flatten(values)))
    return override(config, settings or {})


def override(config: Config, settings: dict[str, str]) -> Config:
    """Change settings by name; values are parsed by the type of the setting.

    Raises
    ------
    InputError
        If a name is unknown or ambiguous, a value does not fit, or the setting would do nothing (`without_effect`).
    """
    values = config.to_dict()
    for name, text in settings.items():
        _assign(values, _full_name(name), text, name)
    changed = typing.cast(Config, from_dict(values))
    _refuse_idle(changed, {_full_name(name) for name in settings})
    return changed


def without_effect(config: Config) -> dict[str, str]:
    """Settings that do nothing because of another one: by full name, why."""
    training, data, network = config.training, config.data, config.network
    idle: dict[str, str] = {}

    def of(condition: bool, why: str, *names: str) -> None:
        if not condition:
            idle.update(dict.fromkeys(names, why))

    optimizer = training.optimizer
    for name, owners in OWNERS.items():
        of(optimizer in owners, f"optimizer is {optimizer}", f"training.{name}")
    bregman = ("training.lam", "training.delta", "training.density")
    steering = ("training.lam_gain", "training.lam_step", "training.sparsity_ramp")
    of(bool(training.target_sparsity), "target_sparsity is 0", *steering)
    of(not training.start, "start names the first weights", "training.density")
    of(optimizer != "adam", f"optimizer is {optimizer}", *bregman, *steering)
    of(bool(config.distillation.teachers), "teachers is empty", "distillation.weight", "distillation.temperature")
    of(data.name == "psmnist", f"data.name is {data.name}", "data.permutation_seed", "data.pool")
    of(bool(network.convolutions), "convolutions is 0", "network.convolution_dropout")
    spiking = ("network.surrogate", "network.alpha")
    of(not network.convolutions, "the network is convolutional", *spiking)
    delayed = ("training.lr_delays", "training.sigma", "training.sigma_decay")
    of(any(layer.recurrent for layer in network.layers), "no layer is recurrent", *delayed)
    for index, layer in enumerate(network.layers):
        names = ("recurrent_dropout", "delays", "delay_low", "delay_high", "max_delay", "learned_spread")
        prefix = f"network.layers.{index}"
        of(layer.recurrent, f"{prefix}.recurrent is false", *(f"{prefix}.{name}" for name in names))
        of(layer.delays == "uniform", f"{prefix}.delays is {layer.delays}", f"{prefix}.delay_low")
        of(not layer.batch_norm, f"{prefix}.batch_norm is true", f"{prefix}.bias")
    return idle


def _refuse_idle(config: Config, given: set[str]) -> None:
    """Refuse what the user set to other than its default, and what would do nothing."""
    values, idle = flatten(config.to_dict()), without_effect(config)
    for name in sorted(given & idle.keys()):
        *parents, last = name.split(".")
        kind = LayerConfig if parents[-1].isdecimal() else _SECTIONS[parents[0]]
        default = next(item.default for item in dataclasses.fields(kind) if item.name == last)
        if values[name] != default:
            raise InputError(f"{name} must be left out where {idle[name]}, not {values[name]!r:.60}")


_SECTIONS: dict[str, type[Any]] = {
    "network": NetworkConfig,
    "training": TrainingConfig,
    "augment": AugmentConfig,
    "data": DataConfig,
    "distillation": DistillationConfig,
}


def _owners(key: str) -> list[str]:
    """Sections that have a setting of this name."""
    return [section for section, kind in _SECTIONS.items() if key in {f.name for f in dataclasses.fields(kind)}]


def _full_name(name: str) -> str:
    head = name.split(".")[0]
    owners = _owners(head)
    return name if head in _SECTIONS or len(owners) != 1 else f"{owners[0]}.{name}"


def _assign(values: dict[str, Any], full: str, text: str, name: str) -> None:
    *parents, last = full.split(".")
    node: Any = values
    for part in parents:
        if isinstance(node, list) and part.isdecimal() and int(part) < len(node):
            node = node[int(part)]
        elif isinstance(node, dict) and part in node:
            node = node[part]
        else:
            raise _no_setting(name, full, values)
    if not isinstance(node, dict) or last not in node or isinstance(node[last], dict):
        raise _no_setting(name, full, values)
    present = node[last]
    if isinstance(present, str) and present != _NEVER:
        node[last] = text
        return
    try:
        node[last] = tomllib.loads(f"value = {text}")["value"]
    except (ValueError, KeyError, RecursionError):
        raise InputError(f"--set {name} must be a value such as {json.dumps(present)}, not {text!r:.60}") from None


def _no_setting(name: str, full: str, values: dict[str, Any]) -> InputError:
    """The error of a name, and what it may be that was meant."""
    known = list(flatten(values))
    if len(owners := _owners(name)) > 1:
        near = f"; did you mean {' or '.join(f'{section}.{name}' for section in owners)}?"
    elif "." in full:
        near = suggestion(full, known)
    else:
        short = {key for _, _, key in (setting.partition(".") for setting in known) if len(_owners(key)) == 1}
        near = suggestion(name, sorted(short))
    return InputError(f"--set {name} must name a setting such as training.epochs, not {name!r}{near}")
