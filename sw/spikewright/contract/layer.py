"""Layers of integer networks: their equations, and what their constants may be.

Arrays are made read-only, so that a specification never changes after it was validated.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from spikewright.contract.decay import Decay, Leak, Leaks
from spikewright.contract.integers import IntArray, check_range, frozen, unsigned_bits
from spikewright.contract.neuron import Neuron, usual_neuron
from spikewright.contract.shown import Shown, percent

MAX_DELAY = 4095
"""Steps; far beyond what a sample has, so that a damaged file is refused."""
RATE_UNIT = 1 << 12
"""Rate of an axon that has an event in every step."""
OWN = ("multipliers", "current_multipliers", "start", "current_start", "floor")
"""Constants that single neurons of a layer may have, none by default: names of `LayerSpec`."""
_LIMIT = 1 << 40
MEMBRANE_LIMIT = 1 << 46
"""Below it, the product of a leak (16 bits) and a score (65535 steps) fit into the 64 bits of a model on a computer."""


def _shown(decay: Decay, multipliers: IntArray | None = None) -> str:
    if multipliers is not None:
        return f"{multipliers.min()} .. {multipliers.max()}/{1 << decay.shift}"
    return f"{decay.multiplier}/{1 << decay.shift}"


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class LayerSpec(Shown):
    """One layer of an integer network.

    A step, in this order: decay, add all weighted events and the bias, compare, emit, reset::

        v = neuron.carried(v, s, threshold, leak)                   # (v * multiplier) >> decay.shift
        v = v + bias + sum(weight << weight_shift) * value          # events of the step
        s = v >= neuron.fires_from(threshold, before)
        v = neuron.after_spike(v, threshold) where s, else max(neuron.at_rest(v, threshold, before), floor)
        before = neuron.remembered(v, s, threshold)

    With a synaptic current (`current_decay` given), bias and events go there first, and the membrane gets what it then
    is::

        i = current_decay(i) + bias + sum(weight << weight_shift) * value
        v = neuron.carried(v, s, threshold, decay) + i

    A read-out layer (`threshold` None) never fires, so a step leaves `max(v, floor)`; its scores come of its membranes,
    see `Decision`.

    Parameters
    ----------
    inputs : int
        Feed-forward axons.
    neurons : int
    weights : (neurons, axons) integers
        `weights[post, pre]`; the axons are the feed-forward ones, then (`delays` given) one per neuron of the layer.
    bias : (neurons,) integers
    threshold : (neurons,) integers of at least 1, or None for a read-out
    delays : (neurons,) integers of at least 0, or None without recurrence
        A spike of neuron j at step t arrives at step t + 1 + delays[j].
    onward : (neurons,) integers of at least 0, optional
        Steps that spikes take to the next layer: one of neuron j at step t counts there in step t + onward[j]; without
        it, all in step t. A read-out has none.
    decay : Decay
    multipliers : (neurons,) integers of 0 .. 2**decay.shift, optional
        Leaks of single neurons, in place of the multiplier of the decay, which is then 2**decay.shift.
    start : (neurons,) integers, optional
        Membranes that are left before the first step of a sample; 0 if left out.
    neuron : Neuron
        Leaky integrate-and-fire with a reset to 0 by default. Ignored by a read-out.
    weight_bits : int
        2 .. 16; weights lie in -(2**(weight_bits-1)-1) .. 2**(weight_bits-1)-1.
    weight_shift : int
        0 .. 16: fractional bits of the membrane below the weights.
    value_bits : int
        1 .. 16: width of the (unsigned) values of feed-forward events; 1 for spikes.
    floor : (neurons,) integers of at most 0, optional
        Lowest membranes that a step leaves; there is none if left out.
    rates : (axons,) integers of 0 .. RATE_UNIT, optional
        Mean number of events of each axon in a step of some recordings (`spikewright.integer.rates`), times RATE_UNIT.
        Changes nothing that is computed: lanes are given equally much to do by them.
    current_multipliers : (neurons,) integers, optional
        Leaks of the synaptic currents of single neurons, as `multipliers` are of membranes.
    current_decay : Decay, optional
        Of the synaptic current, if the neurons have one; none without.
    current_start : (neurons,) integers, optional
        Synaptic currents before the first step of a sample; 0 if left out.

    Raises
    ------
    TypeError
        If an array does not hold integers.
    ValueError
        If a shape or a range is violated.
    """

    inputs: int
    neurons: int
    weights: IntArray
    bias: IntArray
    threshold: IntArray | None
    delays: IntArray | None
    decay: Decay
    neuron: Neuron = field(default_factory=usual_neuron)
    weight_bits: int = 8
    weight_shift: int = 0
    value_bits: int = 1
    multipliers: IntArray | None = None
    start: IntArray | None = None
    floor: IntArray | None = None
    rates: IntArray | None = None
    onward: IntArray | None = None
    current_decay: Decay | None = None
    current_multipliers: IntArray | None = None
    current_start: IntArray | None = None

    def __post_init__(self) -> None:
        for name, low, high in (
            ("inputs", 1, 1 << 16),
            ("neurons", 1, 1 << 16),
            ("weight_bits", 2, 16),
            ("weight_shift", 0, 16),
            ("value_bits", 1, 16),
        ):
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} must be {low} .. {high}, not {getattr(self, name)}")
        if self.threshold is None and self.delays is not None:
            raise ValueError("a read-out layer must have no delays: it never fires")
        if self.threshold is None and self.onward is not None:
            raise ValueError("a read-out layer must have no onward delays: no layer follows")
        per_neuron, most = (self.neurons,), _LIMIT - 1
        largest_weight = (1 << (self.weight_bits - 1)) - 1
        self._freeze("weights", (self.neurons, self.axons), -largest_weight, largest_weight)
        self._freeze("bias", per_neuron, -most, most)
        # In floating point, as integers might wrap before they are compared.
        largest = float((np.abs(self.weights).astype(np.float64) @ self._largest_values()).max())
        if largest * 2.0**self.weight_shift >= MEMBRANE_LIMIT:
            raise ValueError(
                f"weighted sum of a step must be below {MEMBRANE_LIMIT}, not {largest * 2.0**self.weight_shift:.0f}"
            )
        for name, decay in (("multipliers", self.decay), ("current_multipliers", self.current_decay)):
            if getattr(self, name) is not None:
                if decay is None or decay.multiplier != 1 << decay.shift:
                    raise ValueError(f"decay with {name} must be 1, not {'none' if decay is None else _shown(decay)}")
                self._freeze(name, per_neuron, 0, 1 << decay.shift)
        if self.current_start is not None and self.current_decay is None:
            raise ValueError("current_decay with current_start must be given, not none")
        for name, low, high in (
            ("threshold", 1, most),
            ("start", -most, most),
            ("current_start", -most, most),
            ("floor", -most, 0),
            ("delays", 0, MAX_DELAY),
            ("onward", 0, MAX_DELAY),
        ):
            if getattr(self, name) is not None:
                self._freeze(name, per_neuron, low, high)
        if self.rates is not None:
            self._freeze("rates", (self.axons,), 0, RATE_UNIT)
        if self.threshold is not None:
            self._check_firing(self.threshold)

    def _freeze(self, name: str, shape: tuple[int, ...], low: int, high: int) -> None:
        """Keep a read-only copy of an array; raise an error unless it has that shape and lies within low .. high."""
        array = frozen(getattr(self, name), name, shape)
        check_range(name, array, low, high)
        object.__setattr__(self, name, array)

    def _check_firing(self, threshold: IntArray) -> None:
        """Raise a ValueError unless several spikes in a step can be counted, and a kept bit is 0 at the start."""
        if self.count_bits > 1 and (odd := np.flatnonzero(threshold & (threshold - 1))).size:
            raise ValueError(
                f"threshold must be powers of two where neurons send several spikes in a step, not "
                f"{threshold[odd[0]]} (at {odd[0]})"
            )
        if self.start is not None and self.remembers and (self.start >= threshold).any():
            raise ValueError(f"start must be below the threshold of neurons with {self.neuron.label}, not above it")

    @property
    def recurrent(self) -> bool:
        return self.delays is not None

    @property
    def count_bits(self) -> int:
        """Width of the number of spikes of a neuron in a step; 1 where it is at most one, and of a read-out."""
        return 1 if self.readout else unsigned_bits(self.neuron.most)

    @property
    def event_bits(self) -> int:
        """Width of the value of any event: of those of the layer before, and of those that come back."""
        return max(self.value_bits, self.count_bits) if self.recurrent else self.value_bits

    @property
    def readout(self) -> bool:
        return self.threshold is None

    @property
    def remembers(self) -> bool:
        """Whether a bit is kept beside every membrane."""
        return not self.readout and self.neuron.remembers

    @property
    def axons(self) -> int:
        """Rows of the synapse memory: feed-forward axons, then the layer's own neurons where it is recurrent."""
        return self.inputs + (self.neurons if self.recurrent else 0)

    @property
    def synapses(self) -> int:
        """Non-zero weights."""
        return int(np.count_nonzero(self.weights))

    def title(self) -> str:
        return f"{type(self).__name__}: {self.described()}"

    def described(self) -> str:
        """The layer in a line."""
        parts = [f"{self.neurons} neurons", f"{self.inputs} inputs"]
        if self.delays is not None:
            parts.append(f"recurrent with delays {self.delays.min()} .. {self.delays.max()}")
        if self.onward is not None:
            parts.append(f"onward delays {self.onward.min()} .. {self.onward.max()}")
        parts.append("read-out" if self.readout else self.neuron.label)
        parts.append(f"leak {_shown(self.decay, self.multipliers)}")
        if self.current_decay is not None:
            parts.append(f"synaptic currents that leak {_shown(self.current_decay, self.current_multipliers)}")
        zeros = percent(1 - self.synapses / self.weights.size)
        return ", ".join([*parts, f"{self.weight_bits}-bit weights, {zeros} zero"])

    @property
    def leak(self) -> Leak:
        """What is left of membranes (..., neurons) of NumPy."""
        return self.decay if self.multipliers is None else Leaks(self.multipliers, self.decay.shift)

    @property
    def current_leak(self) -> Leak | None:
        """Likewise of synaptic currents; None without any."""
        if self.current_decay is None or self.current_multipliers is None:
            return self.current_decay
        return Leaks(self.current_multipliers, self.current_decay.shift)

    def clipped(self, v: Any) -> Any:
        """Membranes (..., neurons) that did not fire, none below its floor."""
        return v if self.floor is None else np.maximum(v, self.floor)

    def sent(self, fired: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Spikes (..., T, neurons) in the steps in which they reach the next layer; of the same sample alone."""
        if self.onward is None:
            return fired
        late = np.zeros_like(fired)
        for neuron, delay in enumerate(self.onward.tolist()):
            late[..., delay:, neuron] = fired[..., : max(0, fired.shape[-2] - delay), neuron]
        return late

    def step_input(self) -> tuple[IntArray, IntArray]:
        """Lowest and highest weighted sum of one step, bias excluded: two arrays (neurons,)."""
        weighted = (self.weights << self.weight_shift) * self._largest_values()
        return np.minimum(weighted, 0).sum(axis=1), np.maximum(weighted, 0).sum(axis=1)

    def _largest_values(self) -> IntArray:
        """(axons,) largest value of an event."""
        value = np.full(self.axons, self.neuron.most, dtype=np.int64)
        value[: self.inputs] = (1 << self.value_bits) - 1
        return value
