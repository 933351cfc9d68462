"""Training configurations: dataclasses that are read from TOML, checked, and written into every checkpoint.

A setting is named as in the file, `section.key` (`training.epochs`), a layer's by its index
(`network.layers.1.neurons`); where a key occurs in one section only, the key alone will do (`epochs`).
"""

from __future__ import annotations

import dataclasses
import json
import math
import tomllib
import types
import typing
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from spikewright.errors import InputError

_LARGEST = 1 << 20
"""Bytes of a configuration file."""

_MOST_WEIGHTS = 1 << 28


def _require(ok: bool, name: str, constraint: str, value: object) -> None:
    if not ok:
        raise InputError(f"{name} must be {constraint}, not {value!r:.60}")


def _finite(value: object, name: str) -> None:
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"{name} must be finite, not {value}")


@dataclass(frozen=True, kw_only=True)
class LayerConfig:
    """A spiking layer."""

    neurons: int
    """1 .. 65536."""
    recurrent: bool = False
    """Whether the layer's own spikes come back after learned axonal delays."""
    tau: float = 1.05
    """Membrane time constant in steps, at least 1."""
    threshold: float = 1.0
    """Above 0."""
    reset: Literal["hard", "soft"] = "hard"
    """To 0, or by subtraction of the threshold."""
    batch_norm: bool = True
    """Normalize the feed-forward current over steps and samples; folded into the weights when quantized."""
    bias: bool = False
    """Learned bias; without effect before a batch norm."""
    dropout: float = 0.0
    """Share of the neurons silenced in training, the same ones for a whole sample; 0 .. below 1."""
    recurrent_dropout: float = 0.0
    """The same for the recurrent currents."""
    delays: Literal["uniform", "half_normal"] = "uniform"
    """Distribution of the first delays."""
    delay_low: float = 10.0
    """Lowest first delay in steps (uniform)."""
    delay_high: float = 30.0
    """Highest first delay (uniform), or the standard deviation (half_normal)."""
    max_delay: int = 62
    """Delays never exceed this many steps, in training and so in hardware; 0 .. 4095."""
    learned_spread: bool = False
    """Whether each neuron learns the width of its triangle, 1 + 2 * sigma * sigmoid(p)."""

    def __post_init__(self) -> None:
        for name in ("tau", "threshold", "dropout", "recurrent_dropout", "delay_low", "delay_high"):
            _finite(getattr(self, name), name)
        _require(1 <= self.neurons <= 1 << 16, "neurons", "1 .. 65536", self.neurons)
        _require(self.tau >= 1, "tau", "at least 1 step", self.tau)
        _require(self.threshold > 0, "threshold", "above 0", self.threshold)
        _require(0 <= self.dropout < 1, "dropout", "at least 0 and below 1", self.dropout)
        _require(0 <= self.recurrent_dropout < 1, "recurrent_dropout", "at least 0 and below 1", self.recurrent_dropout)
        _require(0 <= self.max_delay <= 4095, "max_delay", "0 .. 4095 steps", self.max_delay)
        _require(0 <= self.delay_low <= self.delay_high, "delay_low", "0 .. delay_high", self.delay_low)
        if self.delays == "uniform":
            _require(
                self.delay_high <= self.max_delay or not self.recurrent,
                "delay_high",
                "at most max_delay",
                self.delay_high,
            )


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """Shape of a network and of its input."""

    layers: tuple[LayerConfig, ...]
    """Spiking layers, at least one."""
    inputs: int = 140
    """Input channels."""
    classes: int = 20
    timesteps: int = 100
    """Steps of a sample."""
    timestep: float = 0.010
    """Seconds per step."""
    bin_width: int = 5
    """Channels of the recording summed into one input."""
    input_scale: float = 1.0
    """The network sees the data's integers times this: 1/255 makes pixels 0 .. 1. Folded into the first weights when
    quantized, as hardware takes the integers."""
    value_bits: int = 5
    """Width of the data's integers on the hardware's input, 1 .. 16."""
    readout: Literal["sum", "softmax_sum"] = "sum"
    """Decision: the highest sum of membranes (what the hardware computes), or of their softmax (float only)."""
    readout_tau: float = 1.05
    """Time constant of the read-out's leaky integrator in steps; 1 is a linear read-out."""
    surrogate: Literal["atan", "triangle"] = "atan"
    alpha: float = 5.0
    """Steepness of the surrogate gradient."""

    def __post_init__(self) -> None:
        for name in ("timestep", "input_scale", "readout_tau", "alpha"):
            _finite(getattr(self, name), name)
        _require(1 <= len(self.layers) <= 64, "layers", "1 .. 64 layers", len(self.layers))
        _require(1 <= self.inputs <= 1 << 16, "inputs", "1 .. 65536", self.inputs)
        _require(2 <= self.classes <= 1 << 12, "classes", "2 .. 4096", self.classes)
        _require(2 <= self.timesteps < 1 << 16, "timesteps", "2 .. 65535", self.timesteps)
        _require(self.timestep > 0, "timestep", "above 0 seconds", self.timestep)
        _require(1 <= self.bin_width <= 700, "bin_width", "1 .. 700", self.bin_width)
        _require(self.input_scale > 0, "input_scale", "above 0", self.input_scale)
        _require(1 <= self.value_bits <= 16, "value_bits", "1 .. 16", self.value_bits)
        _require(self.weights <= _MOST_WEIGHTS, "layers", f"of at most {_MOST_WEIGHTS} weights", self.weights)
        _require(self.readout_tau >= 1, "readout_tau", "at least 1 step", self.readout_tau)
        _require(self.alpha > 0, "alpha", "above 0", self.alpha)

    @property
    def weights(self) -> int:
        """Entries of all weight matrices."""
        total, width = 0, self.inputs
        for layer in self.layers:
            total += layer.neurons * (width + (layer.neurons if layer.recurrent else 0))
            width = layer.neurons
        return total + width * self.classes


@dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """Optimizer, schedule and selection."""

    epochs: int = 50
    batch: int = 256
    seed: int = 0
    """Of initialisation, order, augmentation and dropout."""
    optimizer: Literal["adabreg", "linbreg", "adam"] = "adabreg"
    lr: float = 5e-3
    """Learning rate of weights, norms and biases."""
    lr_delays: float = 5e-2
    """Learning rate of the delays, in steps."""
    weight_decay: float = 0.0
    """Decoupled, on the weights, times the learning rate."""
    momentum: float = 0.0
    """Of linbreg."""
    delta: float = 1.0
    """Of adabreg and linbreg."""
    lam: float = 0.01
    """First lambda: weight of the L1 norm of all weight matrices."""
    target_sparsity: float = 0.7
    """Share of exact zeros over all weight matrices that lambda is steered towards; 0 keeps lambda fixed."""
    lam_gain: float = 0.05
    """Change of lambda per epoch and unit of missing sparsity."""
    lam_step: float = 0.01
    """Largest change of lambda per epoch."""
    sparsity_ramp: float = 0.5
    """Share of the epochs over which the target rises from the initial sparsity."""
    density: float = 0.5
    """Share of the weights that are not zero at the start."""
    schedule: Literal["none", "cosine", "onecycle"] = "onecycle"
    sigma: float = 10.0
    """First half-width of the delays' triangle beyond 1, in steps."""
    sigma_decay: float = 0.95
    """Sigma after e of E epochs is `sigma * sigma_decay ** (100 * e / E)`."""
    logit_scale: float = 1.0
    """Cross-entropy sees the mean membrane of the read-out times this."""
    label_smoothing: float = 0.0
    rate_penalty: float = 0.0
    """Weight of the mean square firing rate of the hidden layers in the loss."""
    clip: float = 0.0
    """Largest norm of the gradient; 0 does not clip."""
    validation_speakers: tuple[int, ...] = ()
    """Speakers of the training part that are held out to choose the epoch; none: a tenth of the samples."""

    def __post_init__(self) -> None:
        for item in dataclasses.fields(self):
            _finite(getattr(self, item.name), item.name)
        _require(1 <= self.epochs <= 1_000_000, "epochs", "1 .. 1000000", self.epochs)
        _require(1 <= self.batch <= 1 << 16, "batch", "1 .. 65536", self.batch)
        _require(0 <= self.seed < 1 << 31, "seed", "0 .. 2147483647", self.seed)
        _require(self.lr > 0, "lr", "above 0", self.lr)
        for name in ("lr_delays", "weight_decay", "lam", "lam_step", "sigma", "rate_penalty", "clip"):
            _require(getattr(self, name) >= 0, name, "at least 0", getattr(self, name))
        for name in ("momentum", "target_sparsity", "label_smoothing"):
            _require(0 <= getattr(self, name) < 1, name, "at least 0 and below 1", getattr(self, name))
        for name in ("delta", "lam_gain", "logit_scale"):
            _require(getattr(self, name) > 0, name, "above 0", getattr(self, name))
        for name in ("density", "sparsity_ramp", "sigma_decay"):
            _require(0 < getattr(self, name) <= 1, name, "above 0 and at most 1", getattr(self, name))


@dataclass(frozen=True, kw_only=True)
class AugmentConfig:
    """Random changes of the training samples; see `spikewright.augment`. Nothing is changed by default."""

    channel_shift: float = 0.0
    """Largest shift along the input channels."""
    channel_warp: float = 0.0
    """Largest relative stretch of the channel axis: 0.1 is 0.9 .. 1.1 times."""
    time_warp: float = 0.0
    """Largest relative stretch of time."""
    time_shift: int = 0
    """Largest shift in steps, later or earlier."""
    drop: float = 0.0
    """Largest share of the events that is dropped; each sample draws its own."""
    mix: float = 0.0
    """Share of the samples that become half their own events, half those of another sample of their class."""
    channel_mask: int = 0
    """Largest number of neighbouring channels that are silenced."""
    time_mask: int = 0
    """Largest number of successive steps that are silenced."""

    def __post_init__(self) -> None:
        for item in dataclasses.fields(self):
            _finite(getattr(self, item.name), item.name)
            _require(getattr(self, item.name) >= 0, item.name, "at least 0", getattr(self, item.name))
        for name in ("channel_warp", "time_warp", "drop"):
            _require(getattr(self, name) < 1, name, "at least 0 and below 1", getattr(self, name))
        _require(self.mix <= 1, "mix", "0 .. 1", self.mix)


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """Which data set, and how it becomes the network's input; see `spikewright.data.sets`."""

    name: Literal["shd", "ssc", "psmnist"] = "shd"
    """Names the files in the data folder: shd_train.h5, ssc_train.h5, train-images-idx3-ubyte.gz, and so on."""
    permutation_seed: int = 0
    """Of the order in which psmnist shows the pixels, the same one for all samples."""
    pool: int = 1
    """Side of the squares of pixels that psmnist averages: 2 makes 28 x 28 pixels 14 x 14, and a quarter of the
    steps. Must divide 28."""
    training_samples: int = 0
    """Only the first so many samples of the training part, validation included; 0 takes all."""

    def __post_init__(self) -> None:
        _require(0 <= self.permutation_seed < 1 << 31, "permutation_seed", "0 .. 2147483647", self.permutation_seed)
        _require(self.pool in (1, 2, 4, 7, 14), "pool", "one of 1, 2, 4, 7, 14", self.pool)
        _require(self.training_samples >= 0, "training_samples", "at least 0", self.training_samples)

    @property
    def pixels(self) -> int:
        """Pixels of an image after pooling: the steps of a sample of psmnist."""
        return (28 // self.pool) ** 2


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything a training depends on but the recordings."""

    network: NetworkConfig
    training: TrainingConfig = field(default_factory=TrainingConfig)
    augment: AugmentConfig = field(default_factory=AugmentConfig)
    data: DataConfig = field(default_factory=DataConfig)

    def __post_init__(self) -> None:
        if self.data.name == "psmnist":
            pixels = self.data.pixels
            _require(self.network.inputs == 1, "network.inputs", "1 for psmnist", self.network.inputs)
            _require(
                self.network.timesteps == pixels,
                "network.timesteps",
                f"{pixels} for psmnist, one step for each pixel",
                self.network.timesteps,
            )

    def to_dict(self) -> dict[str, Any]:
        """Plain, JSON-ready values; `from_dict` is the inverse."""
        plain: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self)))
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
            raise InputError(f"{prefix}{key} must be one of {', '.join(hints)}, not an unknown setting")
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
            raise InputError(f"{name} must be one of {', '.join(get_args(kind))}, not {value!r:.60}")
        return value
    if isinstance(kind, types.UnionType):
        raise TypeError(f"{name}: unions are not supported")
    if kind is float and type(value) is int:
        return float(value)
    if type(value) is not kind:
        raise InputError(f"{name} must be {_KINDS[kind]}, not {value!r:.60}")
    return value


_KINDS = {int: "an integer", float: "a number", bool: "true or false", str: "text"}


def shipped() -> list[str]:
    """Names of the configurations that come with the package."""
    folder = resources.files("spikewright") / "configs"
    return sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml"))


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
            text = raw.decode("utf-8")
        elif path.name == str(source) and str(source) in shipped():
            text = (resources.files("spikewright") / "configs" / f"{source}.toml").read_text("utf-8")
        else:
            raise InputError(f"config must be a TOML file or one of {', '.join(shipped())}, not {source}")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read config {source}: {error}") from error
    try:
        values = tomllib.loads(text)
    except RecursionError:
        raise InputError(f"config {source} must be TOML, not a file with: nested too deeply") from None
    except ValueError as error:  # TOMLDecodeError, or a number of thousands of digits
        raise InputError(f"config {source} must be TOML, not a file with: {error!s:.200}") from error
    try:
        config: Config = from_dict(values)
    except InputError as error:
        raise InputError(f"config {source}: {error}") from None
    return override(config, settings or {})


def override(config: Config, settings: dict[str, str]) -> Config:
    """Change settings by name; values are parsed by the type of the setting.

    Raises
    ------
    InputError
        If a name is unknown or ambiguous, or a value does not fit.
    """
    values = config.to_dict()
    for name, text in settings.items():
        _assign(values, _full_name(name), text, name)
    return typing.cast(Config, from_dict(values))


_SECTIONS: dict[str, type[Any]] = {
    "network": NetworkConfig,
    "training": TrainingConfig,
    "augment": AugmentConfig,
    "data": DataConfig,
}


def _full_name(name: str) -> str:
    head = name.split(".")[0]
    if head in _SECTIONS:
        return name
    owners = [section for section, kind in _SECTIONS.items() if head in {f.name for f in dataclasses.fields(kind)}]
    if len(owners) != 1:
        raise InputError(f"--set {name} must name a setting such as training.epochs, not {name!r}")
    return f"{owners[0]}.{name}"


def _assign(values: dict[str, Any], full: str, text: str, name: str) -> None:
    *parents, last = full.split(".")
    node: Any = values
    for part in parents:
        if isinstance(node, list) and part.isdecimal() and int(part) < len(node):
            node = node[int(part)]
        elif isinstance(node, dict) and part in node:
            node = node[part]
        else:
            raise InputError(f"--set {name} must name a setting such as training.epochs, not {name!r}")
    if not isinstance(node, dict) or last not in node or isinstance(node[last], dict):
        raise InputError(f"--set {name} must name a setting such as training.epochs, not {name!r}")
    present = node[last]
    if isinstance(present, str):
        node[last] = text
        return
    try:
        node[last] = tomllib.loads(f"value = {text}")["value"]
    except (ValueError, KeyError, RecursionError):
        raise InputError(f"--set {name} must be a value such as {json.dumps(present)}, not {text!r:.60}") from None
