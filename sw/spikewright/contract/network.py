"""Integer networks: the equations of their layers, and ranges that no membrane leaves.

What the rooms share: neither torch nor amaranth is imported here. Arrays are made read-only, so that a specification
never changes after it was validated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from spikewright.contract.decay import Decay, Leak, Leaks
from spikewright.contract.decision import DECISIONS, Decision
from spikewright.contract.integers import IntArray, check_range, frozen, signed_bits, unsigned_bits
from spikewright.contract.neuron import Neuron, usual_neuron
from spikewright.contract.shown import Facts, Shown, percent, thousands

MAX_DELAY = 4095
"""Steps; far beyond what a sample has, so that a damaged file is refused."""
RATE_UNIT = 1 << 12
"""Rate of an axon that has an event in every step."""
OWN = ("multipliers", "current_multipliers", "start", "current_start", "floor")
"""Constants that single neurons of a layer may have, none by default: names of `LayerSpec`."""
_Range = tuple[IntArray, IntArray]
Flags = npt.NDArray[np.bool_]
_LIMIT = 1 << 40
_MEMBRANE_LIMIT = 1 << 46
"""Below it, the product of a leak (16 bits) and a score (65535 steps) fit into the 64 bits of a model on a computer."""


def _shown(decay: Decay, multipliers: IntArray | None = None) -> str:
    if multipliers is not None:
        return f"{multipliers.min()} .. {multipliers.max()}/{1 << decay.shift}"
    return f"{decay.multiplier}/{1 << decay.shift}"


@dataclass(frozen=True)
class Bounds:
    """Ranges that no input within the declared limits can leave; see `LayerSpec.bounds`.

    `state` covers the state memory at every moment (partial sums included): membranes, or where a layer has them,
    synaptic currents. `membrane` covers the membranes at every moment, `after_reset` those that are left after a step.
    All as (lowest, highest) over all neurons of the layer.
    """

    state: tuple[int, int]
    membrane: tuple[int, int]
    after_reset: tuple[int, int]

    @property
    def state_bits(self) -> int:
        return signed_bits(*self.state)

    @property
    def membrane_bits(self) -> int:
        return signed_bits(*self.membrane)


@dataclass(frozen=True, eq=False)
class NeuronBounds:
    """Ranges of every neuron of a layer, as (neurons,) integers: lowest and highest values.

    Parameters
    ----------
    state_low, state_high
        What weighted events are added to, at any moment: the membrane, or the synaptic current of a layer with one.
    start_low, start_high
        What a step starts from there, bias included.
    carried_low, carried_high
        What a membrane carries over to the next step, bias excluded.
    membrane_low, membrane_high
        The membrane at any moment.
    after_low, after_high
        The membrane that is left after a step.
    compared
        The highest membrane that is ever compared with the threshold.
    """

    state_low: IntArray
    state_high: IntArray
    start_low: IntArray
    start_high: IntArray
    carried_low: IntArray
    carried_high: IntArray
    membrane_low: IntArray
    membrane_high: IntArray
    after_low: IntArray
    after_high: IntArray
    compared: IntArray


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
        shape = (self.neurons,)
        object.__setattr__(self, "weights", frozen(self.weights, "weights", (self.neurons, self.axons)))
        object.__setattr__(self, "bias", frozen(self.bias, "bias", shape))
        limit = (1 << (self.weight_bits - 1)) - 1
        check_range("weights", self.weights, -limit, limit)
        check_range("bias", self.bias, 1 - _LIMIT, _LIMIT - 1)
        # In floating point, as integers might wrap before they are compared.
        largest = float((np.abs(self.weights).astype(np.float64) @ self._largest_values()).max())
        if largest * 2.0**self.weight_shift >= _MEMBRANE_LIMIT:
            raise ValueError(
                f"weighted sum of a step must be below {_MEMBRANE_LIMIT}, not {largest * 2.0**self.weight_shift:.0f}"
            )
        if self.threshold is not None:
            object.__setattr__(self, "threshold", frozen(self.threshold, "threshold", shape))
            check_range("threshold", self.threshold, 1, _LIMIT - 1)
            if self.count_bits > 1:
                self._check_counts(self.threshold)
        for name, decay in (("multipliers", self.decay), ("current_multipliers", self.current_decay)):
            if (multipliers := getattr(self, name)) is not None:
                if decay is None or decay.multiplier != 1 << decay.shift:
                    raise ValueError(f"decay with {name} must be 1, not {'none' if decay is None else _shown(decay)}")
                object.__setattr__(self, name, frozen(multipliers, name, shape))
                check_range(name, getattr(self, name), 0, 1 << decay.shift)
        if self.start is not None:
            object.__setattr__(self, "start", frozen(self.start, "start", shape))
            check_range("start", self.start, 1 - _LIMIT, _LIMIT - 1)
            if self.threshold is not None and self.remembers and (self.start >= self.threshold).any():
                raise ValueError(f"start must be below the threshold of neurons with {self.neuron.label}, not above it")
        if self.current_start is not None:
            if self.current_decay is None:
                raise ValueError("current_decay with current_start must be given, not none")
            object.__setattr__(self, "current_start", frozen(self.current_start, "current_start", shape))
            check_range("current_start", self.current_start, 1 - _LIMIT, _LIMIT - 1)
        if self.floor is not None:
            object.__setattr__(self, "floor", frozen(self.floor, "floor", shape))
            check_range("floor", self.floor, 1 - _LIMIT, 0)
        if self.delays is not None:
            object.__setattr__(self, "delays", frozen(self.delays, "delays", shape))
            check_range("delays", self.delays, 0, MAX_DELAY)
        if self.onward is not None:
            object.__setattr__(self, "onward", frozen(self.onward, "onward", shape))
            check_range("onward", self.onward, 0, MAX_DELAY)
        if self.rates is not None:
            object.__setattr__(self, "rates", frozen(self.rates, "rates", (self.axons,)))
            check_range("rates", self.rates, 0, RATE_UNIT)

    @property
    def recurrent(self) -> bool:
        return self.delays is not None

    def _check_counts(self, threshold: IntArray) -> None:
        """Raise a ValueError unless several spikes in a step can be counted."""
        if (odd := np.flatnonzero(threshold & (threshold - 1))).size:
            raise ValueError(
                f"threshold must be powers of two where neurons send several spikes in a step, not "
                f"{threshold[odd[0]]} (at {odd[0]})"
            )

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

    def bounds(self, timesteps: int) -> Bounds:
        """Ranges over all neurons, see `neuron_bounds`."""
        of = self.neuron_bounds(timesteps)
        return Bounds(
            state=(int(of.state_low.min()), int(of.state_high.max())),
            membrane=(int(of.membrane_low.min()), int(of.membrane_high.max())),
            after_reset=(int(of.after_low.min()), int(of.after_high.max())),
        )

    def neuron_bounds(self, timesteps: int) -> NeuronBounds:
        """Interval arithmetic over at most `timesteps` steps from v = start.

        Sums, and what a step leaves of them and carries over, are monotone, so the range of the membrane after a step
        follows from its range before. It grows from {start} to a fixed point, which a leaky neuron reaches after a few
        steps; iterating no further than `timesteps` bounds a neuron without leak too.

        Raises
        ------
        ValueError
            If a membrane could reach 2**46, so that a leak or a score might exceed 64 bits.
        """
        nothing = np.zeros(self.neurons, dtype=np.int64)
        low_in, high_in = self.step_input()
        # Of everything that is kept, from one step to the next and at any moment: it starts at 0, or where it says.
        after = nothing, nothing
        of_current = self.current_leak
        current_first = nothing
        if of_current is not None and self.current_start is not None:
            current_first = of_current(self.current_start)
        current = current_first, current_first
        first = nothing if self.start is None else self.leak(self.start)
        carried = first, first
        begins = self.bias + (first if of_current is None else current_first)
        membrane = state = _joined((nothing, nothing), (begins, begins))
        compared = np.full(self.neurons, -_MEMBRANE_LIMIT)
        before = np.zeros(self.neurons, dtype=np.bool_)
        for _ in range(timesteps):
            drive = current[0] + self.bias + low_in, current[1] + self.bias + high_in
            u = carried[0] + drive[0], carried[1] + drive[1]
            membrane, state = _joined(membrane, u), _joined(state, u if self.current_decay is None else drive)
            compared = np.maximum(compared, u[1])
            largest = max(int(np.abs(end).max()) for end in (*membrane, *state))
            if largest >= _MEMBRANE_LIMIT:
                raise ValueError(f"membrane must stay below {_MEMBRANE_LIMIT}, not reach {largest}")
            left, over, remembered = self._left(*u, before)
            after, next_carried, next_current = _joined(after, left), _joined(carried, over), current
            if of_current is not None:
                next_current = _joined(current, (of_current(drive[0]), of_current(drive[1])))
            same = _same(next_carried, carried) and _same(next_current, current)
            if same and not (remembered & ~before).any():
                break
            carried, current, before = next_carried, next_current, before | remembered
        start = carried if self.current_decay is None else current
        begin = start[0] + self.bias, start[1] + self.bias
        if self.current_decay is not None:
            membrane = _joined(membrane, carried)
        return NeuronBounds(*state, *begin, *carried, *membrane, *after, compared)

    def _left(self, low: IntArray, high: IntArray, before: Flags) -> tuple[_Range, _Range, Flags]:
        """What becomes of sums within `low` and `high`, of neurons that may have kept a bit where `before`.

        Ranges of what is left and of what is carried over, and where a bit may be kept.
        """
        if self.threshold is None:
            low, high = self.clipped(low), self.clipped(high)
            return (low, high), (self.leak(low), self.leak(high)), before
        found = self._left_after(low, high, 0)
        if before.any():
            also = self._left_after(low, high, 1)
            found = tuple(
                (np.where(before, np.minimum(a[0], b[0]), a[0]), np.where(before, np.maximum(a[1], b[1]), a[1]))
                for a, b in zip(found, also, strict=True)
            )
        left, carried, remembered = found
        return left, carried, remembered[1] > 0

    def _left_after(self, low: IntArray, high: IntArray, before: int) -> tuple[_Range, ...]:
        """Ranges of what is left, of what is carried over, and of the bit that is kept."""
        assert self.threshold is not None
        neuron, threshold = self.neuron, self.threshold
        first = neuron.fires_from(threshold, before)
        silent = [self.clipped(neuron.at_rest(np.minimum(end, first - 1), threshold, before)) for end in (low, high)]
        fired = list(neuron.left_after(np.maximum(low, first), np.maximum(high, first), threshold))
        # Of a neuron that always fires, what a silent one would keep is nothing that can be; likewise of one that never
        # does.
        always, never = low >= first, high < first

        def joined(silent: list[IntArray], fired: list[IntArray]) -> _Range:
            lowest, highest = np.minimum(silent[0], fired[0]), np.maximum(silent[1], fired[1])
            return (
                np.where(always, fired[0], np.where(never, silent[0], lowest)),
                np.where(always, fired[1], np.where(never, silent[1], highest)),
            )

        rules: tuple[Callable[[IntArray, int], IntArray], ...] = (
            lambda v, s: v,
            lambda v, s: neuron.carried(v, s, threshold, self.leak),
            lambda v, s: neuron.remembered(v, s, threshold),
        )
        return tuple(joined([rule(v, 0) for v in silent], [rule(v, 1) for v in fired]) for rule in rules)


def _joined(one: _Range, other: _Range) -> _Range:
    return np.minimum(one[0], other[0]), np.maximum(one[1], other[1])


def _same(one: _Range, other: _Range) -> bool:
    return np.array_equal(one[0], other[0]) and np.array_equal(one[1], other[1])


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class NetworkSpec(Shown):
    """An integer network: spiking layers in sequence, then one read-out.

    Parameters
    ----------
    layers : tuple of LayerSpec
        At least one; the last is the read-out, the others fire. Layer k+1 has as many inputs as layer k has neurons.
    timesteps : int
        1 .. 65535: most steps of a sample.
    readout : "sum", "max" or "last"
        Score of class c: the sum of its membranes over the steps, the highest of them, or that of the last step. The
        class is the lowest index of a highest score.

    Raises
    ------
    ValueError
        If the layers do not fit together, or a membrane has no bound of 46 bits.
    """

    layers: tuple[LayerSpec, ...]
    timesteps: int
    readout: str = "sum"

    def __post_init__(self) -> None:
        if not self.layers:
            raise ValueError("layers must hold at least a read-out, not 0 layers")
        if not 1 <= self.timesteps < 1 << 16:
            raise ValueError(f"timesteps must be 1 .. {(1 << 16) - 1}, not {self.timesteps}")
        if self.readout not in DECISIONS:
            raise ValueError(f"readout must be one of {', '.join(DECISIONS)}, not {self.readout!r:.60}")
        for index, layer in enumerate(self.layers):
            if layer.readout != (index == len(self.layers) - 1):
                raise ValueError(
                    f"layer {index} must {'not ' if layer.readout else ''}be the read-out: the last one is"
                )
            if index and layer.inputs != self.layers[index - 1].neurons:
                neurons = self.layers[index - 1].neurons
                raise ValueError(
                    f"layer {index} must have {neurons} inputs, one per neuron of layer {index - 1}, not {layer.inputs}"
                )
            if index and layer.value_bits != self.layers[index - 1].count_bits:
                bits = self.layers[index - 1].count_bits
                raise ValueError(
                    f"layer {index} value_bits must be {bits}, as its inputs are spikes, not {layer.value_bits}"
                )
            try:
                layer.bounds(self.timesteps)
            except ValueError as error:
                raise ValueError(f"layer {index}: {error}") from None

    @property
    def inputs(self) -> int:
        return self.layers[0].inputs

    @property
    def classes(self) -> int:
        return self.layers[-1].neurons

    @property
    def value_bits(self) -> int:
        return self.layers[0].value_bits

    def title(self) -> str:
        shape = "-".join(map(str, (self.inputs, *(layer.neurons for layer in self.layers))))
        synapses = sum(layer.synapses for layer in self.layers)
        zeros = percent(1 - synapses / sum(layer.weights.size for layer in self.layers))
        name = f"{type(self).__name__} {shape}, {self.timesteps} steps of {self.value_bits}-bit values"
        return f"{name}, {thousands(synapses)} synapses, {zeros} of the weights zero"

    def facts(self) -> Facts:
        return [(f"layer {index}", layer.described()) for index, layer in enumerate(self.layers)]

    @property
    def score_bounds(self) -> tuple[int, int]:
        """Range of every score over a whole sample."""
        return self.decision.bounds(*self.layers[-1].bounds(self.timesteps).after_reset, self.timesteps)

    @property
    def decision(self) -> Decision:
        """What `readout` names."""
        return DECISIONS[self.readout]
