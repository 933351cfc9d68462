"""Sections of a training configuration: dataclasses that check themselves."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Literal

from spikewright.contract import found
from spikewright.contract.neurons.lif import Reset
from spikewright.support.checks import require, require_finite

_MOST_WEIGHTS = 1 << 28
Own = Literal["leak", "current_leak", "start", "current_start", "floor"]


def _check_own(name: str, own: tuple[Own, ...], of_current: str, tau_syn: float) -> None:
    """Constants of single neurons, and the time constant of their synaptic current."""
    require(len(set(own)) == len(own), name, "names that differ", ", ".join(own))
    require(tau_syn >= 1, of_current, "at least 1 step", tau_syn)
    for constant in ("current_leak", "current_start"):
        if constant in own:
            require(tau_syn > 1, of_current, f"above 1 where neurons have a {constant}", tau_syn)


@dataclass(frozen=True, kw_only=True)
class LayerConfig:
    """A spiking layer.

    Parameters
    ----------
    neurons : int
        1 .. 65536.
    recurrent : bool
        Whether the layer's own spikes come back after learned axonal delays; the other settings of delays are for
        such layers.
    tau, tau_syn, threshold : float
        Time constants of the membrane, perhaps infinite, and of a synaptic current before it (1: none) in steps, at
        least 1; threshold of the membrane, above 0.
    others
        Names, ranges and defaults: `docs/reference/settings.md`, and `spikewright configs NAME` for examples.

    Raises
    ------
    InputError
        If a value is out of its range.
    """

    neurons: int
    """1 .. 65536."""
    recurrent: bool = False
    """Whether the layer's own spikes come back after learned axonal delays."""
    tau: float = 1.05
    """Membrane time constant in steps, at least 1; `inf` without leak."""
    tau_syn: float = 1.0
    """Time constant of a synaptic current before the membrane, in steps; 1 is none."""
    threshold: float = 1.0
    """Above 0."""
    neuron: str = "lif"
    """What the neurons compute: a module of `spikewright.learn.neurons`."""
    reset: Reset = "hard"
    """To 0 (hard), by subtraction of the threshold (soft), the same a step later (late), none; hard, and the step after
    a spike ends at 0 too (dead); soft, and twice the threshold where the step before left a membrane above it (twice).
    """
    strict: bool = False
    """Whether neurons fire only above their threshold, not at it."""
    max_spikes: int = 1
    """Most spikes of a neuron in one step, 1 .. 255: as many as its threshold fits into the membrane (soft or hard
    reset)."""
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
    onward: int = 0
    """Most steps that spikes take to the next layer, 0 .. 4095; as many for all neurons, unless a checkpoint says how
    many for each. Not learned."""
    learned_spread: bool = False
    """Whether each neuron learns the width of its triangle, 1 + 2 * sigma * sigmoid(p)."""
    own: tuple[Own, ...] = ()
    """What each neuron has a constant of its own for, as imported ones may, in place of a setting: `leak`, the share of
    its membrane that is left after a step; `current_leak`, that of its synaptic current (of a `tau_syn` above 1);
    `start` and `current_start`, membrane and current before the first step; `floor`, its lowest membrane."""

    def __post_init__(self) -> None:
        for name in ("tau_syn", "threshold", "dropout", "recurrent_dropout", "delay_low", "delay_high"):
            require_finite(getattr(self, name), name)
        require(1 <= self.neurons <= 1 << 16, "neurons", "1 .. 65536", self.neurons)
        neurons = found.names("spikewright.learn.neurons")
        require(self.neuron in neurons, "neuron", f"one of {', '.join(neurons)}", self.neuron)
        require(self.tau >= 1, "tau", "at least 1 step", self.tau)
        _check_own("own", self.own, "tau_syn", self.tau_syn)
        require(self.threshold > 0, "threshold", "above 0", self.threshold)
        require(1 <= self.max_spikes <= 255, "max_spikes", "1 .. 255", self.max_spikes)
        require(0 <= self.dropout < 1, "dropout", "at least 0 and below 1", self.dropout)
        require(0 <= self.recurrent_dropout < 1, "recurrent_dropout", "at least 0 and below 1", self.recurrent_dropout)
        require(0 <= self.max_delay <= 4095, "max_delay", "0 .. 4095 steps", self.max_delay)
        require(0 <= self.onward <= 4095, "onward", "0 .. 4095 steps", self.onward)
        require(0 <= self.delay_low <= self.delay_high, "delay_low", "0 .. delay_high", self.delay_low)
        if self.delays == "uniform":
            require(
                self.delay_high <= self.max_delay or not self.recurrent,
                "delay_high",
                "at most max_delay",
                self.delay_high,
            )


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """Shape of a network and of its input."""

    layers: tuple[LayerConfig, ...]
    """Spiking layers, at least one; none of a convolutional network."""
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
    readout: Literal["sum", "max", "last", "softmax_sum"] = "sum"
    """Decision: the highest sum of membranes, the highest one of any step (max) or of the last, or the highest sum of
    their softmax (float only)."""
    readout_tau: float = 1.05
    """Time constant of the read-out's leaky integrator in steps; 1 is a linear read-out, `inf` is one without leak."""
    readout_tau_syn: float = 1.0
    """Time constant of a synaptic current of the read-out in steps, as `tau_syn` of the layers; 1 is none."""
    readout_own: tuple[Own, ...] = ()
    """What each class has a constant of its own for, see `own` of the layers."""
    leak_tolerance: float = 2.0**-9
    """Largest error of a leak when quantized, 2**-15 .. 1: each addition that hardware is spared makes it larger."""
    surrogate: Literal["atan", "triangle"] = "atan"
    alpha: float = 5.0
    """Steepness of the surrogate gradient."""
    convolutions: int = 0
    """Width of the first layer of a convolutional network, a teacher in place of the spiking layers; 0 is none."""
    convolution_dropout: float = 0.3
    """Share of the outputs silenced in training, before and after the convolutions in time."""

    def __post_init__(self) -> None:
        for name in ("timestep", "input_scale", "leak_tolerance", "alpha", "readout_tau_syn"):
            require_finite(getattr(self, name), name)
        if self.convolutions:
            require(not self.layers, "layers", "none in a convolutional network", len(self.layers))
            require(self.readout == "sum", "readout", "sum for a convolutional network", self.readout)
        else:
            require(1 <= len(self.layers) <= 64, "layers", "1 .. 64 layers", len(self.layers))
        require(0 <= self.convolutions <= 1024, "convolutions", "0 .. 1024", self.convolutions)
        dropout = self.convolution_dropout
        require(0 <= dropout < 1, "convolution_dropout", "at least 0 and below 1", dropout)
        require(1 <= self.inputs <= 1 << 16, "inputs", "1 .. 65536", self.inputs)
        require(1 <= self.classes <= 1 << 12, "classes", "1 .. 4096", self.classes)
        require(1 <= self.timesteps < 1 << 16, "timesteps", "1 .. 65535", self.timesteps)
        require(self.timestep > 0, "timestep", "above 0 seconds", self.timestep)
        require(1 <= self.bin_width <= 700, "bin_width", "1 .. 700", self.bin_width)
        require(self.input_scale > 0, "input_scale", "above 0", self.input_scale)
        require(1 <= self.value_bits <= 16, "value_bits", "1 .. 16", self.value_bits)
        require(self.weights <= _MOST_WEIGHTS, "layers", f"of at most {_MOST_WEIGHTS} weights", self.weights)
        require(self.readout_tau >= 1, "readout_tau", "at least 1 step", self.readout_tau)
        _check_own("readout_own", self.readout_own, "readout_tau_syn", self.readout_tau_syn)
        tolerance = self.leak_tolerance
        require(2.0**-15 <= tolerance <= 1, "leak_tolerance", "2**-15 .. 1", tolerance)
        require(self.alpha > 0, "alpha", "above 0", self.alpha)

    @property
    def summed_steps(self) -> int:
        """Steps whose membranes a score sums."""
        return self.timesteps if self.readout in ("sum", "softmax_sum") else 1

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
    """Of adam: decoupled, on the weights, times the learning rate."""
    momentum: float = 0.0
    """Of linbreg."""
    delta: float = 1.0
    """Of adabreg and linbreg."""
    lam: float = 0.01
    """First lambda: weight of the L1 norm of all weight matrices."""
    target_sparsity: float = 0.0
    """Of adabreg and linbreg: share of exact zeros over all weight matrices that lambda is steered towards; 0 keeps
    lambda fixed."""
    lam_gain: float = 0.05
    """Change of lambda per epoch and unit of missing sparsity."""
    lam_step: float = 0.01
    """Largest change of lambda per epoch."""
    sparsity_ramp: float = 0.5
    """Share of the epochs over which the target rises from the initial sparsity."""
    density: float = 0.5
    """Share of the weights that are not zero at the start."""
    start: str = ""
    """Checkpoint of a network of the same shape, or name of a shipped one, whose weights the training begins with;
    none: random ones, `density` of them."""
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
    keep: Literal["best", "last"] = "best"
    """Epoch of the checkpoint: the best on the validation part, or the last."""
    validation_speakers: tuple[int, ...] = ()
    """Speakers of the training part that are held out to choose the epoch; none: a tenth of the samples."""

    def __post_init__(self) -> None:
        for item in dataclasses.fields(self):
            require_finite(getattr(self, item.name), item.name)
        require(1 <= self.epochs <= 1_000_000, "epochs", "1 .. 1000000", self.epochs)
        # A batch norm over one sample is not defined, so batches of one are left out.
        require(2 <= self.batch <= 1 << 16, "batch", "2 .. 65536", self.batch)
        require(0 <= self.seed < 1 << 31, "seed", "0 .. 2147483647", self.seed)
        require(self.lr > 0, "lr", "above 0", self.lr)
        for name in ("lr_delays", "weight_decay", "lam", "lam_step", "sigma", "rate_penalty", "clip"):
            require(getattr(self, name) >= 0, name, "at least 0", getattr(self, name))
        for name in ("momentum", "target_sparsity", "label_smoothing"):
            require(0 <= getattr(self, name) < 1, name, "at least 0 and below 1", getattr(self, name))
        for name in ("delta", "lam_gain", "logit_scale"):
            require(getattr(self, name) > 0, name, "above 0", getattr(self, name))
        for name in ("density", "sparsity_ramp", "sigma_decay"):
            require(0 < getattr(self, name) <= 1, name, "above 0 and at most 1", getattr(self, name))
        for name, owners in OWNERS.items():
            of_this = self.optimizer in owners
            require(of_this or not getattr(self, name), name, f"0 with optimizer {self.optimizer}", getattr(self, name))


OWNERS = {"weight_decay": ("adam",), "momentum": ("linbreg",), "target_sparsity": ("adabreg", "linbreg")}
"""Settings that are off at 0, and the optimizers that have them."""


@dataclass(frozen=True, kw_only=True)
class AugmentConfig:
    """Random changes of the training samples; see `spikewright.learn.augment`. Nothing is changed by default."""

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
            require_finite(getattr(self, item.name), item.name)
            require(getattr(self, item.name) >= 0, item.name, "at least 0", getattr(self, item.name))
        for name in ("channel_warp", "time_warp", "drop"):
            require(getattr(self, name) < 1, name, "at least 0 and below 1", getattr(self, name))
        require(self.mix <= 1, "mix", "0 .. 1", self.mix)


@dataclass(frozen=True, kw_only=True)
class DistillationConfig:
    """Other networks' answers as targets beside the labels; see `spikewright.learn.distill`."""

    teachers: tuple[str, ...] = ()
    """Checkpoints, or names of shipped ones, whose probabilities are averaged; none: labels alone."""
    weight: float = 0.7
    """Share of the loss that compares with the teachers, 0 .. 1; the rest compares with the labels."""
    temperature: float = 2.0
    """Logits are divided by this before they are compared."""

    def __post_init__(self) -> None:
        for name in ("weight", "temperature"):
            require_finite(getattr(self, name), name)
        require(0 <= self.weight <= 1, "weight", "0 .. 1", self.weight)
        require(self.temperature > 0, "temperature", "above 0", self.temperature)
