"""Neurons of other libraries: their constants, and one step of each kind of reset as pure functions.

A step, with the input x of step t, the membrane v, the synaptic current i (of Cuba neurons) and the spikes s::

    i[t] = syn_leak * i[t-1] + syn_gain * x[t]              (Cuba neurons; otherwise i[t] is x[t])
    b    = before(v[t-1], s[t-1])
    u    = late(leak * b + rest + gain * i[t], s[t-1], ...)
    s[t] = u > threshold, or >=; several spikes: how often the threshold fits into u
    v[t] = max(after(u, s[t], ...), v_min)

| constant | value                                                                  |
|----------|------------------------------------------------------------------------|
| leak     | 1 - dt/tau (euler), exp(-dt/tau) (exp), 1 without tau                  |
| rest     | (1 - leak) * v_leak                                                    |
| gain     | r * (1 - leak) (nir; r * dt without tau), 1 (one), leak, or a number   |
| syn_gain | w_in * (1 - syn_leak) (nir), 1 (one), syn_leak (rockpool), or a number |

`before`, `late` and `after` are those of the reset: `RESETS`. Everything else is data.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from spikewright.contract.errors import InputError
from spikewright.nir.dialect import Dialect
from spikewright.nir.graph import named
from spikewright.nir.nodes import CubaLI, CubaLIF, Neuron, Threshold

Floats = npt.NDArray[np.float64]
_FORGETS = 1e-6
"""A leak this far below 0 is one of 0, by the rounding of a file."""


@dataclass(frozen=True)
class Rule:
    """Rules of one node, by the keys of a dialect; `reset` and `cmp` are empty for neurons that never fire."""

    dt: float
    decay: str
    gain: str | float
    gain_syn: str | float
    cmp: str
    reset: str
    multispike: bool
    max_spikes: int | None
    v_min: float | None
    v_reset: float | None
    v0: str | float
    latency: int
    rockpool_syn: bool


@dataclass(frozen=True, eq=False)
class Constants:
    """Of the neurons of a layer, each (N,) or a number; see the module."""

    leak: Floats
    rest: Floats
    gain: Floats
    start: Floats
    threshold: Floats | None
    v_reset: Floats
    syn_leak: Floats | None
    syn_gain: Floats | None


_IDLE: dict[str, Any] = {
    "cmp": "", "reset": "", "multispike": False, "max_spikes": None, "v_reset": None, "latency": 0,
}  # fmt: skip
"""Rules of spikes, where there are none."""


def rule_of(name: str, node: Neuron, dialect: Dialect) -> tuple[Rule, dict[str, str]]:
    """Rules of a node, and by key who gave each: see `Dialect.rule`.

    Raises
    ------
    InputError
        If a rule that the node needs is left open.
    """
    kind = type(node).__name__
    values: dict[str, Any] = {}
    origins: dict[str, str] = {}
    current = isinstance(node, CubaLI | CubaLIF)
    for item in dataclasses.fields(Rule):
        key = item.name
        if key in _IDLE and not node.fires:
            values[key] = _IDLE[key]
        elif key in ("gain_syn", "rockpool_syn") and not current:
            values[key] = "nir" if key == "gain_syn" else False
        elif isinstance(node, Threshold) and key not in ("cmp", "latency"):
            values[key] = {**_IDLE, "reset": "none", "decay": "euler", "gain": 1.0, "v0": 0.0, "dt": 1.0}.get(key)
        else:
            values[key], origins[key] = dialect.rule(key, name, kind)
    return Rule(**values), origins


def constants_of(name: str, node: Neuron, rule: Rule, dialect: Dialect) -> Constants:
    """Constants of the neurons of a node.

    Raises
    ------
    InputError
        If a leak is no number of 0 .. 1, or contradicts the dialect; names the node and the field.
    """
    try:
        found = _constants(node, rule)
        _check_taus(name, node, rule, dialect)
    except InputError as error:
        raise InputError(f"{named(name)}: {error}") from None
    return found


def _constants(node: Neuron, rule: Rule) -> Constants:
    def given(field: str, otherwise: float) -> Floats:
        value = getattr(node, field, None)
        return np.asarray(otherwise if value is None else value, np.float64).reshape(-1)

    one, nothing = np.ones(1), np.zeros(1)
    threshold = None
    if node.fires:
        threshold = given("threshold" if isinstance(node, Threshold) else "v_threshold", 1.0)
    if isinstance(node, Threshold):
        return Constants(nothing, nothing, one, nothing, threshold, nothing, None, None)
    _check_finite(node, rule)
    taus = {field: given(field, 0.0) for field in ("tau", "tau_mem", "tau_syn") if hasattr(node, field)}
    shares = {field: _share(field, tau, rule) for field, tau in taus.items()}
    # Not 1 - (1 - share): where r is tau / dt, their product should be 1.
    share = shares.get("tau", shares.get("tau_mem", nothing))
    leak = 1.0 - share
    nir_gain = given("r", 1.0) * (share if taus else rule.dt) if rule.gain == "nir" else one
    syn_share = shares.get("tau_syn")
    syn_leak = None if syn_share is None else 1.0 - syn_share
    syn_gain = None
    if syn_share is not None:
        nir_syn_gain = given("w_in", 1.0) * syn_share if rule.gain_syn == "nir" else one
        syn_gain = syn_leak if rule.rockpool_syn else _gain(rule.gain_syn, nir_syn_gain)
    v_leak = given("v_leak", 0.0)
    v_reset = given("v_reset", 0.0) if rule.v_reset is None else np.full(1, float(rule.v_reset))
    if threshold is not None and rule.reset.startswith("zero") and (v_reset >= threshold).any():
        worst = int(np.argmax(v_reset >= threshold))
        raise InputError(f"v_reset must be below v_threshold {threshold[worst]:g}, not {v_reset[worst]:g}")
    start = {"v_leak": v_leak, "v_reset": v_reset}[rule.v0] if isinstance(rule.v0, str) else np.full(1, float(rule.v0))
    return Constants(
        leak=leak,
        rest=share * v_leak,
        gain=leak if rule.gain == "leak" else _gain(rule.gain, nir_gain),
        start=start,
        threshold=threshold,
        v_reset=v_reset,
        syn_leak=syn_leak,
        syn_gain=syn_gain,
    )


def _check_finite(node: Neuron, rule: Rule) -> None:
    """InputError where a neuron never leaks, and its gain is to be told by that."""
    told = {"gain": (rule.gain, ("tau", "tau_mem", "r")), "gain_syn": (rule.gain_syn, ("tau_syn", "w_in"))}
    for key, (gain, fields) in told.items():
        for field in fields:
            value = getattr(node, field, None)
            if gain == "nir" and value is not None and np.isinf(value).any():
                raise InputError(
                    f"{field} must be finite, not inf, as gains are told by it: give --set {key}=one if they are 1"
                )


def _gain(rule: str | float, nir: Floats) -> Floats:
    if isinstance(rule, str):
        return nir if rule == "nir" else np.ones(1)
    return np.full(1, float(rule))


def _share(field: str, tau: Floats, rule: Rule) -> Floats:
    """Share of a membrane that leaks away in a step, 0 .. 1."""
    share = rule.dt / tau
    if rule.decay == "exp":
        return -np.expm1(-share)
    leak = 1.0 - share
    if (leak < -_FORGETS).any():
        worst = int(np.argmin(leak))
        hint = f": is dt another one? A file by Norse has tau times its dt (--dialect norse, or --set dt={1e-6})"
        raise InputError(
            f"{field} must be at least dt, {rule.dt:g} s, not {tau[worst]:g} s, as 1 - dt/tau is "
            f"{leak[worst]:.6g}{hint if field != 'tau_syn' else ''}"
        )
    return np.minimum(share, 1.0)


def _check_taus(name: str, node: Neuron, rule: Rule, dialect: Dialect) -> None:
    """Refuse taus that the library of a shipped dialect does not write, unless the user says what a step is."""
    if dialect.tau_steps is None or dialect.rule("dt", name, type(node).__name__)[1] == "--set":
        return
    low, high = dialect.tau_steps
    for field in ("tau", "tau_mem", "tau_syn"):
        tau = getattr(node, field, None)
        if tau is not None:
            steps = np.asarray(tau, np.float64).ravel() / rule.dt
            outside = np.flatnonzero((steps < low * (1 - _FORGETS)) | (steps > high * (1 + _FORGETS)))
            if len(outside):
                raise InputError(
                    f"{field} must be {low:g} .. {high:g} steps of dt {rule.dt:g} s in the dialect {dialect.name}, "
                    f"not {steps[outside[0]]:g}: {dialect.hint}"
                )


@dataclass(frozen=True)
class Neurons:
    """`Constants` as tensors (N,) or (1,), and the rules that a step needs."""

    leak: Tensor
    rest: Tensor
    gain: Tensor
    start: Tensor
    threshold: Tensor | None
    v_reset: Tensor
    syn_leak: Tensor | None
    syn_gain: Tensor | None
    strict: bool
    several: bool
    most: int | None
    v_min: float | None
    reset: str


def neurons_of(constants: Constants, rule: Rule, dtype: torch.dtype) -> Neurons:
    """What `step` takes."""
    tensors = {
        item.name: None if (value := getattr(constants, item.name)) is None else torch.tensor(value, dtype=dtype)
        for item in dataclasses.fields(constants)
    }
    return Neurons(
        **tensors,  # type: ignore[arg-type]
        strict=rule.cmp == ">",
        several=rule.multispike,
        most=rule.max_spikes,
        v_min=rule.v_min,
        reset=rule.reset or "none",
    )


State = tuple[Tensor, Tensor | None, Tensor]
"""Membranes, synaptic currents of Cuba neurons, and spikes: each (B, N)."""


def first_state(neurons: Neurons, like: Tensor) -> State:
    """The state that a sample starts with."""
    nothing = torch.zeros_like(like)
    return neurons.start + nothing, None if neurons.syn_leak is None else nothing, nothing


def fired(u: Tensor, neurons: Neurons) -> Tensor:
    """Spikes of membranes: 0 or 1, or how often the threshold fits where neurons send several in a step."""
    if neurons.threshold is None:
        return torch.zeros_like(u)
    if not neurons.several:
        return (u > neurons.threshold if neurons.strict else u >= neurons.threshold).to(u.dtype)
    ratio = u / neurons.threshold
    count = (torch.ceil(ratio) - 1 if neurons.strict else torch.floor(ratio)).clamp(min=0)
    return count if neurons.most is None else count.clamp(max=neurons.most)


def step(x: Tensor, state: State, neurons: Neurons) -> State:
    """One step of the neurons for inputs (B, N); see the module."""
    v, current, spikes = state
    if neurons.syn_leak is not None and neurons.syn_gain is not None and current is not None:
        x = current = neurons.syn_leak * current + neurons.syn_gain * x
    reset = RESETS[neurons.reset]
    u = neurons.leak * reset.before(v, spikes, neurons) + neurons.rest + neurons.gain * x
    u = reset.late(u, v, spikes, neurons)
    now = fired(u, neurons)
    left = reset.after(u, v, now, neurons)
    if neurons.v_min is not None:
        left = left.clamp(min=neurons.v_min)
    return left, current, now


def _as_it_is(u: Tensor, v: Tensor, spikes: Tensor, neurons: Neurons) -> Tensor:
    return u


def _keep(v: Tensor, spikes: Tensor, neurons: Neurons) -> Tensor:
    return v


def _zeroed(u: Tensor, spikes: Tensor, neurons: Neurons) -> Tensor:
    return torch.where(spikes > 0, neurons.v_reset, u)


def _less(u: Tensor, times: Tensor, neurons: Neurons) -> Tensor:
    return u if neurons.threshold is None else u - times * neurons.threshold


@dataclass(frozen=True)
class Reset:
    """What a spike does to the membrane: before the leak of the next step, after its input, and in its own step."""

    before: Callable[[Tensor, Tensor, Neurons], Tensor] = _keep
    late: Callable[[Tensor, Tensor, Tensor, Neurons], Tensor] = _as_it_is
    after: Callable[[Tensor, Tensor, Tensor, Neurons], Tensor] = _as_it_is


RESETS = {
    "zero": Reset(after=lambda u, v, spikes, neurons: _zeroed(u, spikes, neurons)),
    "sub": Reset(after=lambda u, v, spikes, neurons: _less(u, spikes, neurons)),
    "sub_delayed": Reset(late=lambda u, v, spikes, neurons: _less(u, spikes, neurons)),
    "zero_before": Reset(before=_zeroed),
    "zero_after": Reset(late=lambda u, v, spikes, neurons: _zeroed(u, spikes, neurons)),
    # Still above: what it left in the step before. Given back: the same, where it does not fire.
    "snn_sub_nodelay": Reset(
        late=lambda u, v, spikes, neurons: _less(u, fired(v, neurons), neurons),
        after=lambda u, v, spikes, neurons: _less(u, spikes - fired(v, neurons), neurons),
    ),
    "none": Reset(),
}
