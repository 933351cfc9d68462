"""Ranges that no membrane leaves: interval arithmetic over the steps of a layer, for any input within its limits."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spikewright.contract.integers import IntArray, signed_bits
from spikewright.contract.layer import MEMBRANE_LIMIT, LayerSpec

_Range = tuple[IntArray, IntArray]
_Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Bounds:
    """Ranges that no input within the declared limits can leave; see `layer_bounds`.

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


def layer_bounds(layer: LayerSpec, timesteps: int) -> Bounds:
    """Ranges over all neurons, see `neuron_bounds`."""
    of = neuron_bounds(layer, timesteps)
    return Bounds(
        state=(int(of.state_low.min()), int(of.state_high.max())),
        membrane=(int(of.membrane_low.min()), int(of.membrane_high.max())),
        after_reset=(int(of.after_low.min()), int(of.after_high.max())),
    )


def neuron_bounds(layer: LayerSpec, timesteps: int) -> NeuronBounds:
    """Interval arithmetic over at most `timesteps` steps from v = start.

    Sums, and what a step leaves of them and carries over, are monotone, so the range of the membrane after a step
    follows from its range before. It grows from {start} to a fixed point, which a leaky neuron reaches after a few
    steps; iterating no further than `timesteps` bounds a neuron without leak too.

    Raises
    ------
    ValueError
        If a membrane could reach 2**46, so that a leak or a score might exceed 64 bits.
    """
    nothing = np.zeros(layer.neurons, dtype=np.int64)
    low_in, high_in = layer.step_input()
    # Of everything that is kept, from one step to the next and at any moment: it starts at 0, or where it says.
    after = nothing, nothing
    of_current = layer.current_leak
    current_first = nothing
    if of_current is not None and layer.current_start is not None:
        current_first = of_current(layer.current_start)
    current = current_first, current_first
    first = nothing if layer.start is None else layer.leak(layer.start)
    carried = first, first
    begins = layer.bias + (first if of_current is None else current_first)
    membrane = state = _joined((nothing, nothing), (begins, begins))
    compared = np.full(layer.neurons, -MEMBRANE_LIMIT)
    before = np.zeros(layer.neurons, dtype=np.bool_)
    for _ in range(timesteps):
        drive = current[0] + layer.bias + low_in, current[1] + layer.bias + high_in
        u = carried[0] + drive[0], carried[1] + drive[1]
        membrane, state = _joined(membrane, u), _joined(state, u if layer.current_decay is None else drive)
        compared = np.maximum(compared, u[1])
        largest = max(int(np.abs(end).max()) for end in (*membrane, *state))
        if largest >= MEMBRANE_LIMIT:
            raise ValueError(f"membrane must stay below {MEMBRANE_LIMIT}, not reach {largest}")
        left, over, remembered = _left(layer, *u, before)
        after, next_carried, next_current = _joined(after, left), _joined(carried, over), current
        if of_current is not None:
            next_current = _joined(current, (of_current(drive[0]), of_current(drive[1])))
        same = _same(next_carried, carried) and _same(next_current, current)
        if same and not (remembered & ~before).any():
            break
        carried, current, before = next_carried, next_current, before | remembered
    start = carried if layer.current_decay is None else current
    begin = start[0] + layer.bias, start[1] + layer.bias
    if layer.current_decay is not None:
        membrane = _joined(membrane, carried)
    return NeuronBounds(*state, *begin, *carried, *membrane, *after, compared)


def _left(layer: LayerSpec, low: IntArray, high: IntArray, before: _Flags) -> tuple[_Range, _Range, _Flags]:
    """What becomes of sums within `low` and `high`, of neurons that may have kept a bit where `before`.

    Ranges of what is left and of what is carried over, and where a bit may be kept.
    """
    if layer.threshold is None:
        low, high = layer.clipped(low), layer.clipped(high)
        return (low, high), (layer.leak(low), layer.leak(high)), before
    found = _left_after(layer, low, high, 0)
    if before.any():
        also = _left_after(layer, low, high, 1)
        found = tuple(
            (np.where(before, np.minimum(a[0], b[0]), a[0]), np.where(before, np.maximum(a[1], b[1]), a[1]))
            for a, b in zip(found, also, strict=True)
        )
    left, carried, remembered = found
    return left, carried, remembered[1] > 0


def _left_after(layer: LayerSpec, low: IntArray, high: IntArray, before: int) -> tuple[_Range, ...]:
    """Ranges of what is left, of what is carried over, and of the bit that is kept."""
    assert layer.threshold is not None
    neuron, threshold = layer.neuron, layer.threshold
    first = neuron.fires_from(threshold, before)
    silent = [layer.clipped(neuron.at_rest(np.minimum(end, first - 1), threshold, before)) for end in (low, high)]
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
        lambda v, s: neuron.carried(v, s, threshold, layer.leak),
        lambda v, s: neuron.remembered(v, s, threshold),
    )
    return tuple(joined([rule(v, 0) for v in silent], [rule(v, 1) for v in fired]) for rule in rules)


def _joined(one: _Range, other: _Range) -> _Range:
    return np.minimum(one[0], other[0]), np.maximum(one[1], other[1])


def _same(one: _Range, other: _Range) -> bool:
    return np.array_equal(one[0], other[0]) and np.array_equal(one[1], other[1])
