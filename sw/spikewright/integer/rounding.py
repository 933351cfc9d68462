"""From a trained float network to the integers that hardware computes with.

Every neuron has a scale of its own, which its feed-forward and recurrent weights, its bias and its threshold share;
scaling a neuron's whole equation changes none of its spikes, so no multiplier is spent on it. The read-out has one
scale for all classes, which leaves the decision as it is.
"""

from __future__ import annotations

import copy
import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import torch
from torch import Tensor

from spikewright.contract.bounds import neuron_bounds
from spikewright.contract.decay import TOLERANCE, nearest_leaks
from spikewright.contract.decision import DECISIONS
from spikewright.contract.errors import InputError
from spikewright.contract.layer import LayerSpec
from spikewright.contract.network import NetworkSpec
from spikewright.contract.neuron import usual_neuron
from spikewright.learn.config import NetworkConfig
from spikewright.learn.networks import Readout, SpikingLayer, SpikingNetwork
from spikewright.learn.neuron import Neuron

_CLIPPED_BITS = 6  # up to this width, the largest weights are clipped where that makes the mean error smaller
_STATES = ("start", "current_start", "floor")  # constants that are membranes or currents
_EXACT = 2.0**-17  # the most exact leak that there is
_LARGEST_SCALE = 1 << 12  # threshold over the largest weight, in units of the weights' range


@dataclass(frozen=True)
class FoldedLayer:
    """A layer with its batch norm folded in: float64, `I = weights @ events + bias`.

    `weights` is (neurons, axons), feed-forward axons first; `threshold` is None for the read-out. `leak` is (neurons,),
    as are `start`, `current_start` and `floor` where there are any. With `several` spikes in a step, thresholds become
    powers of two.
    """

    weights: Tensor
    bias: Tensor
    threshold: float | None
    leak: Tensor
    start: Tensor | None = None
    current_start: Tensor | None = None
    floor: Tensor | None = None
    several: bool = False


@dataclass(frozen=True)
class RoundedLayer:
    """A layer in integers, but for its bias: float64, `I * scale = weights @ events + bias * scale`.

    `weights` is (neurons, axons) whole numbers of the layer's width; `scale` is (neurons,), all equal for the read-out.
    """

    weights: Tensor
    scale: Tensor
    bias: Tensor


class Rounding(Protocol):
    """How the weights of a layer become integers of `weight_bits`; `before` are the layers before it, in integers."""

    def __call__(self, folded: FoldedLayer, weight_bits: int, before: Sequence[LayerSpec]) -> RoundedLayer: ...


def nearest(folded: FoldedLayer, weight_bits: int, before: Sequence[LayerSpec] = ()) -> RoundedLayer:
    """Every weight becomes the nearest integer."""
    scale = nearest_scales(folded, weight_bits)
    return RoundedLayer(nearest_integers(folded.weights, scale, weight_bits), scale, folded.bias)


def quantize(
    network: SpikingNetwork,
    *,
    weight_bits: int = 8,
    value_bits: int | None = None,
    weight_shift: int | None = None,
    rounding: Rounding = nearest,
) -> NetworkSpec:
    """Integer network of a float network.

    Parameters
    ----------
    network : SpikingNetwork
    weight_bits : int
        2 .. 16.
    value_bits : int, optional
        1 .. 16: width of the input counts. Larger counts are refused when the integer network runs. By default the
        configuration's.
    weight_shift : int, optional
        0 .. 16: fractional bits of the membrane below a weight. By default 10 - weight_bits, at least 0: the
        threshold and the bias keep their precision when the weights lose theirs. Where leaks are to be more exact than
        usual (`leak_tolerance`), as of imported networks, slow ones get more bits, as far as there is room: what they
        floor away adds up.
    rounding : Rounding
        To the nearest integer by default; `spikewright.integer.calibrate` has another.

    Returns
    -------
    NetworkSpec
        Where a recurrent first layer takes scaled inputs (`input_scale` below 1, pixels), its weights get as many
        bits more as the scale costs, at most 16: its feed-forward and recurrent weights share one scale, and the
        former are smaller by the factor that is folded into them.
        A weight that is zero stays zero; others may round to zero (`rounded_to_zero`).

    Raises
    ------
    InputError
        If a width is out of its range, the network decides as no hardware does, or a parameter is too large for
        an integer network.
    """
    value_bits = network.config.value_bits if value_bits is None else value_bits
    for name, value, low in (("weight_bits", weight_bits, 2), ("value_bits", value_bits, 1)):
        if not low <= value <= 16:
            raise InputError(f"{name} must be {low} .. 16, not {value}")
    if weight_shift is not None and not 0 <= weight_shift <= 16:
        raise InputError(f"weight_shift must be 0 .. 16, not {weight_shift}")
    if network.config.readout not in DECISIONS:
        decisions = ", ".join(DECISIONS)
        raise InputError(f"readout of a network to quantize must be one of {decisions}, not {network.config.readout!r}")
    layers: list[LayerSpec] = []
    for index, (layer, folded) in enumerate(zip([*network.spiking_layers(), None], fold(network), strict=True)):
        bits = weight_bits
        if index == 0 and layer is not None and layer.config.recurrent:
            bits = min(16, weight_bits + max(0, math.ceil(-math.log2(network.config.input_scale))))
        rounded = rounding(folded, bits, layers)
        base = max(0, 10 - weight_bits) if weight_shift is None else weight_shift
        most = 0 if weight_shift is not None else min(16 - base, _floored_bits(network.config, layer))
        make = partial(
            _in_integers,
            network,
            layer,
            folded,
            rounded,
            inputs=network.config.inputs if index == 0 else layers[-1].neurons,
            weight_bits=bits,
            value_bits=value_bits if index == 0 else layers[-1].count_bits,
        )
        try:
            made = make(weight_shift=base + most)
            while most and not _holds(made, network.config.timesteps):
                most -= 1
                made = make(weight_shift=base + most)
            layers.append(_with_counts(made, network.config.timesteps, (1 << value_bits) - 1))
        except ValueError as error:
            # Such as a bias of 1e30: a checkpoint may hold any finite number.
            raise InputError(f"layer {index} cannot be quantized: {error}") from None
    try:
        return NetworkSpec(layers=tuple(layers), timesteps=network.config.timesteps, readout=network.config.readout)
    except ValueError as error:
        raise InputError(f"network cannot be quantized: {error}") from None


def _in_integers(
    network: SpikingNetwork,
    layer: SpikingLayer | None,
    folded: FoldedLayer,
    rounded: RoundedLayer,
    *,
    inputs: int,
    weight_bits: int,
    weight_shift: int,
    value_bits: int,
) -> LayerSpec:
    """A layer, or the read-out where it is None, of rounded weights."""
    unit = rounded.scale * 2.0**weight_shift
    threshold = None
    if folded.threshold is not None:
        threshold = torch.clamp(torch.round(folded.threshold * unit), min=1.0).long().numpy()
    delays = None
    if layer is not None and layer.config.recurrent:
        delays = layer.delays.detach().round().long().numpy()
    onward = None
    if layer is not None and layer.config.onward:
        onward = layer.onward.long().numpy()
    own = {
        name: torch.round(constant * unit).long().numpy()
        for name in _STATES
        if (constant := getattr(folded, name)) is not None
    }
    tolerance, current_decay, current_multipliers = network.config.leak_tolerance, None, None
    neuron = network.readout if layer is None else layer.own_neuron(columns=False)
    if neuron.current_decay:
        # Errors of two leaks, one behind the other, multiply by the time constants of both.
        tolerance = min(tolerance, _EXACT) if tolerance < TOLERANCE else tolerance
        leaks = _each(neuron.current_share, folded.bias)
        current_decay, current_multipliers = nearest_leaks(leaks.numpy(), tolerance)
    decay, multipliers = nearest_leaks(folded.leak.numpy(), tolerance)
    return LayerSpec(
        inputs=inputs,
        neurons=len(rounded.weights),
        weights=rounded.weights.long().numpy(),
        bias=torch.round(rounded.bias * unit).long().numpy(),
        threshold=threshold,
        multipliers=multipliers,
        **own,
        delays=delays,
        onward=onward,
        decay=decay,
        current_decay=current_decay,
        current_multipliers=current_multipliers,
        neuron=usual_neuron() if layer is None else layer.neuron.in_integers(),
        weight_bits=weight_bits,
        weight_shift=weight_shift,
        value_bits=value_bits,
    )


def _holds(layer: LayerSpec, timesteps: int) -> bool:
    """Whether there is room for its membranes."""
    try:
        neuron_bounds(layer, timesteps)
    except ValueError:
        return False
    return True


def _with_counts(layer: LayerSpec, timesteps: int, most: int) -> LayerSpec:
    """The layer with no more spikes in a step than an input may carry, nor than there can be: events are as narrow."""
    if layer.threshold is None or layer.neuron.most == 1:
        return layer
    while True:
        reached = int((neuron_bounds(layer, timesteps).compared // layer.threshold).max())
        fewer = max(1, min(layer.neuron.most, most, reached))
        if fewer == layer.neuron.most:
            return layer
        # In a loop, what fewer spikes bring back reaches less far again.
        layer = dataclasses.replace(layer, neuron=layer.neuron.limited(fewer))


def _floored_bits(config: NetworkConfig, layer: SpikingLayer | None) -> int:
    """Bits of a membrane that its leaks may floor away, step by step, beyond those that an exact one can lose too."""
    if config.leak_tolerance >= TOLERANCE:
        return 0
    of_readout = config.readout_tau, config.readout_tau_syn
    taus = of_readout if layer is None else (layer.neuron.tau, layer.neuron.tau_syn)
    return max(0, math.ceil(sum(math.log2(tau) for tau in taus if math.isfinite(tau))) - 1)


@torch.no_grad()
def round_delays(network: SpikingNetwork, step: int) -> SpikingNetwork:
    """The same network with spikes that arrive multiples of a few steps after they were fired.

    A core reads the delayed spikes of a time step delay by delay, a cycle each, and those of a short delay late: the
    fewer different delays, and the longer the shortest, the sooner it is done.

    Parameters
    ----------
    network : SpikingNetwork
        Left as it is.
    step : int
        At least 1. A spike arrives 1 + delay steps after it was fired: that becomes the nearest multiple (of two the
        even one), one at least, if that is not above the `max_delay` of the layer.

    Raises
    ------
    InputError
        If the step is below 1.
    """
    if step < 1:
        raise InputError(f"delay_step must be at least 1, not {step}")
    rounded = copy.deepcopy(network)
    for layer in rounded.spiking_layers():
        if layer.config.recurrent:
            multiples = torch.round((1 + layer.delays.round()) / step).clamp(min=1)
            layer.delays.copy_(step * multiples.clamp(max=(1 + layer.config.max_delay) // step) - 1)
    rounded.limit_delays()
    return rounded


def fold(network: SpikingNetwork) -> list[FoldedLayer]:
    """Weights, biases and thresholds of all layers, the read-out last, batch norm folded in."""
    folded = [
        _fold_layer(layer, network.config.input_scale if index == 0 else 1.0)
        for index, layer in enumerate(network.spiking_layers())
    ]
    readout = network.readout
    weight, bias = readout.weight.detach().double(), readout.bias.detach().double()
    return [*folded, FoldedLayer(weight, bias, None, _each(readout.share, bias), **_states(readout))]


def _states(neurons: Neuron | Readout) -> dict[str, Any]:
    return {name: None if (of := getattr(neurons, name)) is None else of.double() for name in _STATES}


def _each(share: Tensor | float, like: Tensor) -> Tensor:
    """One for each neuron."""
    return share.double() if isinstance(share, Tensor) else torch.full_like(like, share)


def _fold_layer(layer: SpikingLayer, input_scale: float) -> FoldedLayer:
    weights, bias = layer.folded(input_scale)
    if layer.config.recurrent:
        weights = torch.cat([weights, layer.recurrent_weight.detach().double()], dim=1)
    neuron = layer.own_neuron(columns=False)
    share, several = _each(neuron.share, bias), neuron.most > 1
    return FoldedLayer(weights, bias, layer.config.threshold, share, **_states(neuron), several=several)


def largest_weight(weight_bits: int) -> float:
    """Of integers of that width; the smallest is its negative."""
    return float((1 << (weight_bits - 1)) - 1)


def widest_scales(folded: FoldedLayer, weight_bits: int) -> Tensor:
    """(neurons,) scale of each neuron at which its largest weight just fits, all equal for the read-out."""
    peak = folded.weights.abs().amax(dim=1)
    if folded.threshold is None:
        peak = peak.max().expand(len(peak))
    # A neuron without weights has no scale of its own. Nor may its weights be so far below the threshold that the
    # membrane of the whole layer would have to be widened for it: they cannot make it fire.
    floor = (folded.threshold or 1.0) / _LARGEST_SCALE
    return allowed_scales(folded, largest_weight(weight_bits) / peak.clamp(min=floor))


def allowed_scales(folded: FoldedLayer, scale: Tensor) -> Tensor:
    """(neurons,) the largest scales that a layer may have, of those that are not above `scale`."""
    if not folded.several or folded.threshold is None:
        return scale
    return torch.exp2(torch.floor(torch.log2(scale * folded.threshold))) / folded.threshold


def nearest_scales(folded: FoldedLayer, weight_bits: int) -> Tensor:
    """(neurons,) scale at which rounding to the nearest integer is most exact; widths above 6 bits clip no weight."""
    weights, scale = folded.weights, widest_scales(folded, weight_bits)
    if weight_bits > _CLIPPED_BITS:
        return scale
    best, lowest = scale, torch.full_like(scale, torch.inf)
    for share in torch.linspace(1.0, 0.4, 31, dtype=scale.dtype):
        candidate = allowed_scales(folded, scale / share)
        rounded = nearest_integers(weights, candidate, weight_bits)
        error = (rounded / candidate.unsqueeze(1) - weights).square().sum(dim=1)
        if folded.threshold is None:
            error = error.sum().expand(len(weights))
        best = torch.where(error < lowest, candidate, best)
        lowest = torch.minimum(error, lowest)
    return best


def nearest_integers(weights: Tensor, scale: Tensor, weight_bits: int) -> Tensor:
    """(neurons, axons) whole numbers nearest to the scaled weights, within the width."""
    largest = largest_weight(weight_bits)
    return torch.round(weights * scale.unsqueeze(1)).clamp(-largest, largest)


def rounded_to_zero(network: SpikingNetwork, spec: NetworkSpec) -> list[int]:
    """Per layer, weights that are not zero in the float network and zero in the integer one."""
    return [
        int(((folded.weights != 0) & (torch.tensor(layer.weights) == 0)).sum())
        for folded, layer in zip(fold(network), spec.layers, strict=True)
    ]
