"""Neurons over whole sequences, compiled for CPUs: every value is read and written once.

A few neurons go through all steps before the next ones do, so that what is left of their membranes stays in the cache
of the processor. Rounding is that of the steps in `neuron`, one by one.

numba keeps what it compiled until this file changes, also where `compiled` did; so change both together.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from spikewright.learn.neuron import Loop, Neuron
from spikewright.support.compiled import compiled, compiles, divided, fma, quotient

Array = np.ndarray[Any, Any]
Rule = tuple[Any, Any, bool, bool, Any, Any]
"""Decay, threshold, strict, hard, and what is subtracted after a spike and a step later."""
Surrogate = tuple[bool, Any, Any]
"""Whether it is the arc tangent, its height and its steepness."""

_CHUNK = 2048
"""Neurons, counted for every sample, that go through the steps together."""


def loop_of(neuron: Neuron, like: Tensor) -> Loop | None:
    """The constants with which the functions below compute `neuron`; None if it has another rule or place."""
    known = like.device.type == "cpu" and like.dtype in (torch.float32, torch.float64) and compiles()
    own = neuron.leak is not None or neuron.start is not None or neuron.floor is not None
    return neuron.loop() if known and not own and not neuron.current_decay else None


def forward(membranes: Tensor, neuron: Neuron, loop: Loop) -> Tensor:
    """Spikes (T, N, B) of contiguous currents, the membranes starting at 0.

    The membranes before each reset take the place of the currents in `membranes`.
    """
    spikes = torch.empty_like(membranes)
    arguments = (_flat(membranes), _rule(membranes, neuron, loop), _flat(spikes))
    divided(_forward, arguments, membranes[0].numel(), torch.get_num_threads())
    return spikes


def backward(membranes: Tensor, grad: Tensor, neuron: Neuron, loop: Loop) -> Tensor:
    """Gradient of the current, from that of the spikes, all (T, N, B) and contiguous."""
    out = torch.empty_like(membranes)
    rule = _rule(membranes, neuron, loop), _surrogate(membranes, neuron)
    arguments = (_flat(membranes), _flat(grad), *rule, _flat(out))
    divided(_backward, arguments, membranes[0].numel(), torch.get_num_threads())
    return out


class Recurrence:
    """A layer with delayed recurrence, step by step: what `forward` and `backward` do for one without.

    A spike of neuron n arrives l steps later with the weight `kernel[n, l - 1]`, and the other way round a gradient.

    Parameters
    ----------
    kernel : (N, L)
    block : int
        Arrivals of a block of steps are summed in two parts, from before the block and from within, as rounding tells
        the difference.
    """

    def __init__(self, kernel: Tensor, block: int) -> None:
        self.kernel = kernel.detach().contiguous().numpy()
        present = self.kernel != 0
        # The lowest and the highest lag of each neuron; a neuron without any has none between them.
        low = np.where(present.any(axis=1), present.argmax(axis=1) + 1, kernel.shape[1] + 1)
        high = np.where(present.any(axis=1), kernel.shape[1] - present[:, ::-1].argmax(axis=1), 0)
        self.lags = np.stack([low, high], axis=1).astype(np.int64)
        self.block = block

    def forward(
        self, membranes: Tensor, weight: Tensor, drop: Tensor | None, neuron: Neuron, loop: Loop
    ) -> tuple[Tensor, Tensor]:
        """Spikes, and what arrived of them before the weights, (T, N, B); see `forward` and `recurrent_neurons`."""
        spikes, delayed = torch.empty_like(membranes), torch.empty_like(membranes)
        delayed[0] = 0.0
        left = torch.zeros_like(membranes[0]).numpy()
        state = _arrays(membranes, spikes, delayed), left, _rule(membranes, neuron, loop)
        for t in range(len(membranes)):
            u = membranes[t]
            if t and drop is None:
                u.addmm_(weight, delayed[t])
            elif t and drop is not None:
                u.addcmul_(torch.mm(weight, delayed[t]), drop)
            _advance(t, *state, self.kernel, self.lags, self.block)
        return spikes, delayed

    def backward(
        self, membranes: Tensor, grad: Tensor, weight: Tensor, drop: Tensor | None, neuron: Neuron, loop: Loop
    ) -> tuple[Tensor, Tensor]:
        """Gradients of the current, and, the last step first, of what arrived, both (T, N, B)."""
        out, reverse = torch.empty_like(membranes), torch.empty_like(membranes)
        reverse[-1] = 0.0
        scratch = torch.zeros(2, *membranes.shape[1:], dtype=membranes.dtype).numpy()
        rule = _rule(membranes, neuron, loop), _surrogate(membranes, neuron)
        state = _arrays(membranes, grad, reverse, out), scratch, rule
        for t in range(len(membranes) - 1, -1, -1):
            _retreat(t, *state, self.kernel, self.lags, self.block)
            if t:
                g = out[t] if drop is None else out[t] * drop
                torch.mm(weight.t(), g, out=reverse[len(membranes) - 1 - t])
        return out, reverse


def _arrays(*tensors: Tensor) -> tuple[Array, ...]:
    return tuple(tensor.detach().numpy() for tensor in tensors)


def _surrogate(like: Tensor, neuron: Neuron) -> Surrogate:
    kind = like.detach().numpy().dtype.type
    atan = neuron.surrogate == "atan"
    return atan, kind(neuron.alpha / (2 if atan else 5)), kind(math.pi / 2 * neuron.alpha)


def _rule(like: Tensor, neuron: Neuron, loop: Loop) -> Rule:
    kind = like.detach().numpy().dtype.type
    soft, late = (kind(neuron.threshold if taken else 0.0) for taken in (loop.taken, loop.taken_late))
    return kind(neuron.decay), kind(neuron.threshold), loop.strict, loop.to_zero, soft, late


def _flat(sequence: Tensor) -> Array:
    """(T, N * B), as one neuron of one sample is like another."""
    flat: Array = sequence.detach().numpy().reshape(len(sequence), -1)
    return flat


@compiled
def _charge(u: Array, before: Array, left: Array, rule: Rule, s: Array) -> None:
    """Turn the currents `u` of one step into membranes, and spikes `s`.

    `left` is what was left of the membranes, and then what is; `before` are the spikes of the step before. Currents and
    membranes are one array, as a loop over two that may be the same does not become vector instructions.
    """
    decay, threshold, strict, hard, soft, late = rule
    nothing = threshold - threshold  # of the type of the arrays
    for k in range(u.shape[0]):
        v = fma(left[k], decay, u[k]) - late * before[k]
        fired = v > threshold if strict else v >= threshold
        u[k] = v
        s[k] = fired
        left[k] = nothing if fired and hard else (v - soft if fired else v)


@compiled
def _forward(u: Array, rule: Rule, spikes: Array, low: int, high: int) -> None:
    left = np.empty(_CHUNK, u.dtype)
    silent = np.zeros(_CHUNK, u.dtype)
    for start in range(low, high, _CHUNK):
        stop = min(high, start + _CHUNK)
        left[:] = 0
        for t in range(u.shape[0]):
            before = spikes[t - 1, start:stop] if t > 0 else silent
            _charge(u[t, start:stop], before, left, rule, spikes[t, start:stop])


@compiled
def _return(u: Array, grad: Array, carry: Array, rule: Rule, surrogate: Surrogate, out: Array) -> None:
    """Gradient `out` of the current of one step; `carry` is that of the step after, and then of this."""
    decay, threshold, strict, hard, _, _ = rule
    atan, height, steep = surrogate
    one = height / height  # of the type of the arrays
    nothing = one - one
    for k in range(u.shape[0]):
        x = u[k] - threshold
        if atan:
            x *= steep
            slope = quotient(one, x * x + one) * height
        else:
            slope = max(one - abs(x), nothing) * height
        # d u[t+1] / d u[t], the reset detached.
        fired = u[k] > threshold if strict else u[k] >= threshold
        carry[k] = fma(carry[k], nothing if fired and hard else decay, slope * grad[k])
        out[k] = carry[k]


@compiled
def _backward(u: Array, grad: Array, rule: Rule, surrogate: Surrogate, out: Array, low: int, high: int) -> None:
    carry = np.empty(_CHUNK, u.dtype)
    for start in range(low, high, _CHUNK):
        stop = min(high, start + _CHUNK)
        carry[:] = 0
        for t in range(u.shape[0] - 1, -1, -1):
            charged, of_spike, g = u[t, start:stop], grad[t, start:stop], out[t, start:stop]
            _return(charged, of_spike, carry, rule, surrogate, g)


@compiled
def _arrive(history: Array, step: int, kernel: Array, lags: Array, block: int, inner: Array, out: Array) -> None:
    """What arrives at a step, (N, B), of the `history` (T, N, B) of the steps before."""
    within = step % block
    for n in range(out.shape[0]):
        row = out[n]
        row[:] = 0
        low, high = lags[n, 0], min(step, lags[n, 1])
        for lag in range(high, max(low - 1, within), -1):
            weight, source = kernel[n, lag - 1], history[step - lag, n]
            for b in range(row.shape[0]):
                row[b] = fma(weight, source[b], row[b])
        if low <= min(within, high):
            inner[:] = 0
            for lag in range(min(within, high), low - 1, -1):
                weight, source = kernel[n, lag - 1], history[step - lag, n]
                for b in range(row.shape[0]):
                    inner[b] = fma(weight, source[b], inner[b])
            for b in range(row.shape[0]):
                row[b] += inner[b]


@compiled
def _advance(
    t: int, arrays: tuple[Array, ...], left: Array, rule: Rule, kernel: Array, lags: Array, block: int
) -> None:
    """Step t, whose currents stand in the membranes' place, and what arrives at the next."""
    u, spikes, delayed = arrays
    flat = left.reshape(-1)
    before = spikes[max(0, t - 1)].reshape(-1)
    if t == 0:
        before[:] = 0
    _charge(u[t].reshape(-1), before, flat, rule, spikes[t].reshape(-1))
    if t + 1 < u.shape[0]:
        _arrive(spikes, t + 1, kernel, lags, block, np.empty(u.shape[2], u.dtype), delayed[t + 1])


@compiled
def _retreat(
    t: int,
    arrays: tuple[Array, ...],
    scratch: Array,
    rule: tuple[Rule, Surrogate],
    kernel: Array,
    lags: Array,
    block: int,
) -> None:
    """Step t backwards, with what the later ones return to it."""
    u, grad, reverse, out = arrays
    returned, carry = scratch[0], scratch[1].reshape(-1)
    _arrive(reverse, u.shape[0] - 1 - t, kernel, lags, block, np.empty(u.shape[2], u.dtype), returned)
    of_spike = returned.reshape(-1)
    direct = grad[t].reshape(-1)
    for k in range(of_spike.shape[0]):
        of_spike[k] += direct[k]
    flat = u[t].reshape(-1)
    _return(flat, of_spike, carry, rule[0], rule[1], out[t].reshape(-1))
