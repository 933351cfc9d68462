"""A foreign network in the terms of our own: what `quantize` takes, and hardware computes.

Our neuron is `u[t] = leak * v[t-1] + I[t]`, fires at `u >= threshold` or above it, and is then set to 0 or loses the
threshold, at once, a step later or not at all. The rest is brought into these terms without a change of any spike:

- gains and thresholds of single neurons scale the weights of these neurons, and leak potentials are a bias;
- membranes are counted from what a reset to a potential leaves, which is not below the lowest membrane;
- convolutions, pools and scales are unrolled to weights;
- delays of axons, and spikes that are seen a step later, are delays of the spikes on their way to the next layer;
  those of the input are of a first layer that fires as the input does;
- counting the spikes of the last layer is a read-out without leak and with a weight of 1 for each.
"""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, replace
from typing import Literal, cast

import numpy as np
import torch
from torch import Tensor

from spikewright.contract.errors import InputError
from spikewright.contract.layer import MAX_DELAY
from spikewright.contract.neurons.lif import MOST_SPIKES, Reset
from spikewright.learn.config import LayerConfig, NetworkConfig
from spikewright.learn.config_sections import Own
from spikewright.learn.networks import SpikingNetwork
from spikewright.nir.graph import named
from spikewright.nir.network import ForeignLayer, ForeignNetwork
from spikewright.nir.ops import Op, as_matrix
from spikewright.nir.rules import Constants, Floats, Rule

MOST_WEIGHTS = 1 << 26
"""Of a layer when unrolled, zeros included."""
RESETS: dict[str, Reset] = {
    "zero": "hard",
    "zero_before": "hard",
    "sub": "soft",
    "sub_delayed": "late",
    "none": "none",
    "zero_after": "dead",
    "snn_sub_nodelay": "twice",
}
"""Ours, by what dialects call them."""
_READOUTS: dict[str, Literal["sum", "max", "last"]] = {"sum": "sum", "count": "sum", "max": "max", "last": "last"}
"""By decision: spikes are counted by the sum of those of the last layer."""
_SAME_LEAK = 1e-6
LEAK_TOLERANCE = 2.0**-15
"""The most exact: these networks were not trained with leaks that hardware does cheaply."""


@dataclass(frozen=True)
class _Unrolled:
    """A layer with a threshold of 1: weights (N, inputs) and (N, N) or None, bias (N,), delays (N,) of the spikes.

    `own` are constants (N,) that each neuron has, by the names of `LayerConfig.own`.
    `current_leak` is that of the synaptic current, 0 without one.
    """

    name: str
    leak: float
    current_leak: float
    reset: Reset
    strict: bool
    weight: Tensor
    bias: Tensor
    recurrent: Tensor | None
    delays: Tensor
    own: dict[str, Tensor]
    onward: Tensor
    max_spikes: int = 1


def as_spiking_network(network: ForeignNetwork, *, timesteps: int | None = None) -> SpikingNetwork:
    """The network in the terms of our own, with the same spikes and the same decision.

    Parameters
    ----------
    network : ForeignNetwork
    timesteps : int, optional
        Steps of a sample, if the network does not say.

    Returns
    -------
    SpikingNetwork
        Of as many spiking layers as the foreign one has, in evaluation mode. Its membranes are counted in thresholds,
        from what a reset leaves.

    Raises
    ------
    InputError
        If the network has what hardware does not compute yet; names the node and what it is.
    """
    timesteps = network.timesteps if timesteps is None else timesteps
    if timesteps is None:
        raise InputError("timesteps must be given to `spikewright import`, by --timesteps, not left out")
    parts = _compared(network.layers)
    following = [*parts[1:], None]
    layers = [_unrolled(layer, after) for layer, after in zip(parts, following, strict=True) if layer.fires]
    late, _ = _parted(network.layers[0].forward)
    if late is not None:
        layers.insert(0, _relay(late))
    weight, bias, leak, current_leak, own = _readout(network, layers)
    config = NetworkConfig(
        layers=tuple(
            LayerConfig(
                neurons=len(layer.bias),
                recurrent=layer.recurrent is not None,
                tau=_tau(layer.leak),
                tau_syn=_tau(layer.current_leak),
                threshold=1.0,
                reset=layer.reset,
                strict=layer.strict,
                batch_norm=False,
                bias=True,
                max_delay=int(layer.delays.max()),
                delay_low=0.0,
                delay_high=0.0,
                own=cast(tuple[Own, ...], tuple(layer.own)),
                onward=int(layer.onward.max()),
                max_spikes=layer.max_spikes,
            )
            for layer in layers
        ),
        inputs=network.inputs,
        classes=network.classes,
        timesteps=timesteps,
        bin_width=1,
        value_bits=8 if late is None else 1,
        readout=_READOUTS[network.decision],
        readout_tau=_tau(leak),
        readout_tau_syn=_tau(current_leak),
        readout_own=cast(tuple[Own, ...], tuple(own)),
        leak_tolerance=LEAK_TOLERANCE,
    )
    with torch.device("meta"):
        made = SpikingNetwork(config)
    tensors = {"readout.weight": weight, "readout.bias": bias}
    tensors |= {f"readout.{name}": constant for name, constant in own.items()}
    for index, layer in enumerate(layers):
        tensors |= {f"layers.{index}.weight": layer.weight, f"layers.{index}.bias": layer.bias}
        tensors |= {f"layers.{index}.{name}": constant for name, constant in layer.own.items()}
        if layer.onward.any():
            tensors[f"layers.{index}.onward"] = layer.onward
        if layer.recurrent is not None:
            tensors |= {
                f"layers.{index}.recurrent_weight": layer.recurrent,
                f"layers.{index}.delays": layer.delays.to(torch.float32),
            }
    names = [layer.name for layer in layers]
    made.load_state_dict({name: _single(name, tensor, network, names) for name, tensor in tensors.items()}, assign=True)
    return made.eval()


def _single(name: str, tensor: Tensor, network: ForeignNetwork, layers: list[str]) -> Tensor:
    """A tensor of our own network in single precision; `layers` are the nodes of the spiking ones."""
    single = tensor.to(torch.float32)
    if not torch.isfinite(single).all():
        group, _, rest = name.partition(".")
        index, _, field = rest.partition(".")
        node = layers[int(index)] if group == "layers" else network.layers[-1].name
        found = f"{tensor.abs().max():g}"
        raise InputError(f"{named(node)}: {field or rest} in thresholds must be below 3.4e38, not {found}")
    return single


def _tau(leak: float) -> float:
    """Steps of a leak: to 12 digits, so that what was written as a leak is read back as the tau that it came from."""
    return math.inf if leak == 1.0 else float(f"{1.0 / (1.0 - leak):.12g}")


def _refuse(layer: ForeignLayer, what: str, expected: str, found: object) -> InputError:
    return InputError(
        f"{named(layer.name)}: {what} must be {expected} to be computed in integers, not {found}: "
        "the float network has it, hardware does not yet"
    )


def spiking_layers(network: ForeignNetwork) -> list[tuple[str, int]]:
    """Of the spiking layers that a network becomes, in their order: name, and how many steps later spikes are seen."""
    late, _ = _parted(network.layers[0].forward)
    relays = [] if late is None else [(late.step.name, 0)]
    return relays + [(layer.name, layer.rule.latency) for layer in network.layers if layer.rule and layer.fires]


def _parted(ops: list[Op]) -> tuple[Op | None, list[Op]]:
    """The delay of the values that enter, if there is one, and the other ops.

    Delays behind others are moved before them where all that comes of a value is as late.
    """
    late: Op | None = None
    others: list[Op] = []
    for index, op in enumerate(ops):
        delays = None if op.delays is None or not op.delays.any() else _before(others, op.delays)
        if delays is not None:
            late, before = copy.copy(late or op), late
            late.delays = delays if before is None or before.delays is None else delays + before.delays
        elif op.delays is not None and op.delays.any():
            return late, others + ops[index:]
        else:
            others.append(op)
    return late, others


def _before(ops: list[Op], delays: Tensor) -> Tensor | None:
    """Delays of the values that `ops` are given, for `delays` of what they make of them; None if there are no such."""
    if all(op.delays is not None or op.keeps for op in ops):
        return delays
    size = math.prod(ops[0].step.given)
    if size * len(delays) > MOST_WEIGHTS:
        return None
    weight, bias = as_matrix([op for op in ops if op.delays is None], size)
    reached = weight != 0
    longest = torch.where(reached, delays.unsqueeze(1), int(delays.min())).amax(dim=0)
    return None if bias.any() or (reached & (delays.unsqueeze(1) != longest)).any() else longest


def _relay(late: Op) -> _Unrolled:
    """Neurons that fire as the input does, so that the way on from there can have delays."""
    assert late.delays is not None
    size = len(late.delays)
    weight, nothing = torch.eye(size, dtype=torch.float64), torch.zeros(size, dtype=torch.float64)
    return _Unrolled(
        late.step.name, 0.0, 0.0, "hard", False, weight, nothing, None, nothing.long(), {}, late.delays, MOST_SPIKES
    )


def _compared(layers: list[ForeignLayer]) -> list[ForeignLayer]:
    """The layers, integrators and a Threshold behind them in one: neurons without a reset."""
    found: list[ForeignLayer] = []
    for layer in layers:
        if found and not found[-1].fires:
            one = copy.copy(found.pop())
            assert one.rule is not None and one.constants is not None
            assert layer.rule is not None and layer.constants is not None and layer.constants.threshold is not None
            one.name, one.fires = layer.name, True
            one.rule = replace(one.rule, reset="none", cmp=layer.rule.cmp, latency=layer.rule.latency)
            size = int(np.prod(layer.layer.shape))
            one.constants = replace(one.constants, threshold=np.broadcast_to(layer.constants.threshold, (size,)))
            layer = one
        found.append(layer)
    return found


def _unrolled(layer: ForeignLayer, after: ForeignLayer | None) -> _Unrolled:
    rule, constants = layer.rule, layer.constants
    assert rule is not None and constants is not None and constants.threshold is not None
    size = int(np.prod(layer.layer.shape))
    leak = _leak(constants.leak, size)
    _check_rule(layer, rule)
    origin = _origin(layer, rule, constants, size)
    most = _most_spikes(rule)
    if most > 1 and origin.any():
        # How often a threshold fits is counted from 0.
        raise _refuse(layer, "v_reset", "0 with multispike", f"{origin[np.flatnonzero(origin)[0]]:g}")
    threshold = np.broadcast_to(constants.threshold, (size,)) - origin
    if rule.v_min is not None and (threshold <= 0).any():
        raise _refuse(layer, "v_min", "below the threshold", f"{rule.v_min:g}")
    start = np.where(leak > 0.0, constants.start - origin, 0.0)
    if (start >= threshold).any():
        raise _refuse(layer, "start", "below the threshold", f"{constants.start.max():g}")
    own = _own("leak", leak, start=start / threshold)
    if rule.v_min is not None:
        own["floor"] = torch.from_numpy((rule.v_min - origin) / threshold)
    constant = constants.rest - (1.0 - leak) * origin
    current_leak, gain = 0.0, constants.gain
    if constants.syn_leak is not None and constants.syn_gain is not None:
        current_leaks, gain = _current_leak(layer, constants.syn_leak, size), gain * constants.syn_gain
        current_leak = float(current_leaks.mean())
        own |= _own_of_current(current_leaks, np.where(np.abs(constant) > 1e-9 * threshold, constant, 0.0) / threshold)
        constant = (1.0 - current_leaks) * constant
    scale = torch.from_numpy(np.broadcast_to(gain, (size,)) / threshold)
    weight, bias = _matrix(layer, _parted(layer.forward)[1], math.prod(_given(layer)))
    bias = bias * scale + torch.from_numpy(constant / threshold)
    recurrent, delays = None, torch.zeros(size, dtype=torch.int64)
    if layer.loop is not None:
        late, ops = _parted(layer.loop)
        if late is not None and late.delays is not None:
            delays = late.delays
        recurrent, back = _matrix(layer, ops, size)
        recurrent, bias = recurrent * scale.unsqueeze(1), bias + back * scale
    reset, strict = RESETS[rule.reset], rule.cmp == ">"
    onward = torch.full((size,), rule.latency)
    if after is not None and (late := _parted(after.forward)[0]) is not None and late.delays is not None:
        onward = onward + late.delays
    if int(onward.max()) > MAX_DELAY:
        raise _refuse(layer, "delays of its spikes", f"at most {MAX_DELAY} steps", int(onward.max()))
    weight, share = weight * scale.unsqueeze(1), float(leak.mean())
    return _Unrolled(layer.name, share, current_leak, reset, strict, weight, bias, recurrent, delays, own, onward, most)


def _origin(layer: ForeignLayer, rule: Rule, constants: Constants, size: int) -> Floats:
    """(N,) where membranes are counted from: what a reset leaves, so that it needs no constant, below thresholds."""
    least = -math.inf if rule.v_min is None else rule.v_min
    if rule.reset.startswith("zero"):
        return np.maximum(np.broadcast_to(constants.v_reset, (size,)), least)
    if least > 0:
        raise _refuse(layer, "v_min", "at most 0 where spikes take the threshold away", f"{least:g}")
    if constants.threshold is not None and (constants.threshold <= 0).any():  # of a Threshold alone
        return np.broadcast_to(np.minimum(constants.threshold - 1.0, 0.0), (size,))
    return np.zeros(size)


def _readout(
    network: ForeignNetwork, layers: list[_Unrolled]
) -> tuple[Tensor, Tensor, float, float, dict[str, Tensor]]:
    """Weights, bias and leak of the read-out, that of its synaptic current or 0, and constants that each class has."""
    last = network.layers[-1]
    if network.classes > 1 << 12:
        raise _refuse(last, "neurons of the last layer", "at most 4096", network.classes)
    if last.fires:
        if network.decision != "count":
            raise _refuse(last, "decision", "count where the last layer fires", network.decision)
        size = network.classes
        return torch.eye(size, dtype=torch.float64), torch.zeros(size, dtype=torch.float64), 0.0, 0.0, {}
    if not layers:
        raise _refuse(last, "layers", "at least one that fires, before it", 0)
    weight, bias = _matrix(last, _parted(last.forward)[1], math.prod(_given(last)))
    constants, rule = last.constants, last.rule
    if constants is None or rule is None:
        return weight, bias, 0.0, 0.0, {}
    size = network.classes
    leak = _leak(constants.leak, size)
    if last.loop is not None:
        raise _refuse(last, "a loop", "around neurons that fire", "around these")
    if rule.v_min is not None and rule.v_min > 0:
        raise _refuse(last, "v_min", "at most 0", f"{rule.v_min:g}")
    own = _own("leak", leak, start=np.broadcast_to(constants.start, (size,)).copy())
    if rule.v_min is not None:
        own["floor"] = torch.full((size,), rule.v_min, dtype=torch.float64)
    gain, rest = np.broadcast_to(constants.gain, (size,)), np.broadcast_to(constants.rest, (size,))
    current_leak = 0.0
    if constants.syn_leak is not None and constants.syn_gain is not None:
        current_leaks, gain = _current_leak(last, constants.syn_leak, size), gain * constants.syn_gain
        own |= _own_of_current(current_leaks, rest)
        current_leak, rest = float(current_leaks.mean()), (1.0 - current_leaks) * rest
    scale = torch.from_numpy(gain.copy())
    return (
        weight * scale.unsqueeze(1),
        bias * scale + torch.from_numpy(rest.copy()),
        float(leak.mean()),
        current_leak,
        own,
    )


def _given(layer: ForeignLayer) -> tuple[int, ...]:
    return layer.layer.forward[0].given if layer.layer.forward else layer.layer.shape


def _leak(leaks: Floats, size: int) -> Floats:
    """(N,); leaks that only the rounding of a file tells apart are equal."""
    if np.ptp(leaks) <= _SAME_LEAK:
        return np.full(size, leaks.mean())
    return np.broadcast_to(leaks, (size,)).copy()


def _current_leak(layer: ForeignLayer, leaks: Floats, size: int) -> Floats:
    """(N,), of synaptic currents."""
    found = _leak(leaks, size)
    if (found >= 1.0).any():
        raise _refuse(layer, "syn_leak", "below 1", f"{found.max():g}")
    return found


def _own_of_current(leak: Floats, start: Floats) -> dict[str, Tensor]:
    """Constants of single synaptic currents.

    A current that starts at `start`, and is given as much as that leaks away, is as much above the others in every
    step: so the membrane gets a constant, which has no place of its own.
    """
    return _own("current_leak", leak, current_start=start) if leak.any() else {}


def _own(of_leak: str, leak: Floats, **others: Floats) -> dict[str, Tensor]:
    """Constants of single neurons: the leaks, if they differ, and others, if they are not all 0."""
    own = {} if (leak == leak[0]).all() else {of_leak: leak}
    own |= {name: values for name, values in others.items() if values.any()}
    return {name: torch.from_numpy(values.copy()) for name, values in own.items()}


def _check_rule(layer: ForeignLayer, rule: Rule) -> None:
    if rule.reset not in RESETS:
        raise _refuse(layer, "reset", f"one of {', '.join(RESETS)}", rule.reset)
    if _most_spikes(rule) == 1:
        return
    if rule.reset not in ("sub", "zero", "zero_before") or rule.cmp != ">=":
        others = "false but with reset sub or zero and cmp >="
        raise _refuse(layer, "multispike", others, f"true with {rule.reset} {rule.cmp}")


def _most_spikes(rule: Rule) -> int:
    """Of a neuron in a step; what no number limits does so where the hardware's would."""
    return min(MOST_SPIKES, rule.max_spikes or MOST_SPIKES) if rule.multispike else 1


def _matrix(layer: ForeignLayer, ops: list[Op], inputs: int) -> tuple[Tensor, Tensor]:
    for op in ops:
        if op.delays is not None and op.delays.any():
            where = "before weights and biases, or the same for all that comes of a value,"
            raise InputError(f"{named(op.step.name)}: delay must be {where} to be computed in integers")
    ops = [op for op in ops if op.delays is None]
    size = int(np.prod(layer.layer.shape))
    if size * inputs > MOST_WEIGHTS or max(size, inputs) > 1 << 16:
        raise _refuse(layer, "weights", f"at most {MOST_WEIGHTS} when unrolled", f"{size}x{inputs}")
    return as_matrix(ops, inputs)
