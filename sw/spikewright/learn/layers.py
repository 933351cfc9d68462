"""Layers over whole sequences with hand-written backward passes.

Tensors are (T, N, B): steps, neurons, samples. The sample is the innermost axis, so that a step of a layer is one
matrix product `W @ x[t]` over contiguous memory and nothing is ever transposed.

The recurrent layer delays spikes before it multiplies them by the weights. For axonal delays that equals the
delayed currents of the reference (Queant et al. 2025, DelRec), at one product per step instead of one per delay.

Where `sequences` and `products` have compiled loops for them, these are used; they are loaded when first needed, as
the compiler takes long to load.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from spikewright.learn.neuron import Loop, Neuron, surrogate_gradient

# Steps whose delayed spikes are gathered in one batched product.
_BLOCK = 8


class _TimeLinear(torch.autograd.Function):
    """`out[t] = weight @ (x[t] * mask)` for all steps; the weight's gradient needs no copy of the sequences."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, mask: Tensor | None) -> Tensor:
        from spikewright.learn import products

        ctx.sparse = products.sparse(x, len(weight))
        if not ctx.sparse and mask is not None:
            x = x * mask
        ctx.save_for_backward(x, weight, mask)
        if ctx.sparse:
            return products.product(x, weight, mask)
        return torch.bmm(weight.expand(x.shape[0], *weight.shape), x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        from spikewright.learn import products

        x, weight, mask = ctx.saved_tensors
        grad = grads[0].contiguous()
        grad_x = grad_weight = None
        if ctx.needs_input_grad[0]:
            grad_x = torch.bmm(weight.t().expand(x.shape[0], *weight.t().shape), grad)
            if mask is not None:
                grad_x.mul_(mask)
        if ctx.needs_input_grad[1]:
            grad_weight = products.outer_sum(grad, x, mask) if ctx.sparse else _outer_sum(grad, x)
        return grad_x, grad_weight, None


def _outer_sum(left: Tensor, right: Tensor) -> Tensor:
    """Sum over t of `left[t] @ right[t].T`: (N, M) from (T, N, B) and (T, M, B)."""
    if left.device.type != "cpu":
        return torch.bmm(left, right.transpose(1, 2)).sum(dim=0)
    total = left.new_zeros(left.shape[1], right.shape[1])
    for a, b in zip(left, right, strict=True):
        total.addmm_(a, b.t())
    return total


def time_linear(x: Tensor, weight: Tensor, mask: Tensor | None = None) -> Tensor:
    """Multiply every step of a sequence by one matrix.

    Parameters
    ----------
    x : (T, I, B)
    weight : (N, I)
    mask : (I, B), optional
        Factors on the values, the same at every step; without a gradient.

    Returns
    -------
    (T, N, B)
    """
    out: Tensor = _TimeLinear.apply(x, weight, mask)  # type: ignore[no-untyped-call]
    return out


def delay_kernel(delays: Tensor, spread: Tensor | float, timesteps: int, lags: int | None = None) -> Tensor:
    """Weights with which a spike arrives 1, 2, ... steps later: the triangle around 1 + delay.

    Parameters
    ----------
    delays : (N,)
        Axonal delays in steps, at least 0.
    spread : float or (N,)
        Half-width of the triangle, 1 + sigma: at least 1. At 1 the triangle interpolates linearly between the two
        neighbouring steps, and an integer delay has a single tap of 1.
    timesteps : int
        Length of the sequences; later arrivals do not matter.
    lags : int, optional
        L, if it is not to follow from the delays; those that reach beyond it are cut off.

    Returns
    -------
    (N, L)
        Column l - 1 is the weight of lag l = 1 .. L; L is as short as the delays allow.
    """
    if not isinstance(spread, Tensor):
        spread = delays.new_full((), spread)  # a kernel, not a copy from the host, which no graph can have
    if lags is None:
        # A triangle reaches lags below 1 + delay + spread.
        lags = int((1.0 + delays.detach() + spread.detach()).max().ceil().item())
    lag = torch.arange(1, max(1, min(lags, timesteps - 1)) + 1, dtype=delays.dtype, device=delays.device)
    width = spread.reshape(-1, 1)
    return torch.relu(width - torch.abs(lag - (1.0 + delays.unsqueeze(1)))) / (width * width)


class _DelayLine:
    """Delayed copies of a signal that becomes known step by step.

    `out[t] = sum over l of kernel[:, l-1] * history[t-l]`. Once per block of steps, everything that was written
    before the block is gathered by one batched product; only neurons with lags shorter than the block need more. If it
    is to be `fixed`, all are taken for such neurons, and no shape depends on a value.
    """

    def __init__(self, kernel: Tensor, history: Tensor, fixed: bool) -> None:
        self.history = history  # (T, N, B), filled by the caller before the next step is read
        neurons, self.length = kernel.shape
        self.block = min(_BLOCK, history.shape[0])
        padded = torch.cat([kernel.new_zeros(neurons, self.block - 1), kernel.flip(1)], dim=1)
        # gather[n, k, h]: weight of history[t0 - length + h] at step t0 + k.
        self.gather = padded.unfold(1, self.length, 1).flip(1).contiguous()
        if fixed:
            self.early = torch.arange(neurons, device=kernel.device)
        else:
            self.early = torch.nonzero(kernel[:, : self.block - 1].abs().sum(dim=1)).flatten()
        self.short = kernel[self.early, : self.block - 1].t().unsqueeze(2).contiguous()  # (lags, E, 1)
        self.delayed: Tensor | None = None
        self.inner: Tensor | None = None

    def read(self, t: int) -> Tensor | None:
        """(N, B) at step t; None while nothing can have arrived."""
        k = t % self.block
        if k == 0:
            first = max(0, t - self.length)
            self.delayed = None
            if t:
                window = self.history[first:t].permute(1, 0, 2)  # (N, h, B)
                gathered = torch.bmm(self.gather[:, :, self.length - (t - first) :], window)
                self.delayed = gathered.permute(1, 0, 2).contiguous()
            self.inner = None
        elif len(self.early):
            if self.inner is None:
                self.inner = self.history.new_zeros(self.block, len(self.early), self.history.shape[2])
            lags = min(self.block - k, len(self.short))
            self.inner[k : k + lags].addcmul_(self.short[:lags], self.history[t - 1].index_select(0, self.early))
            if self.delayed is None:
                self.delayed = self.history.new_zeros(self.block, *self.history.shape[1:])
            self.delayed[k].index_add_(0, self.early, self.inner[k])
        return None if self.delayed is None else self.delayed[k]


class _Neurons(torch.autograd.Function):
    """A layer of neurons over a sequence, with or without delayed recurrence."""

    @staticmethod
    def forward(
        ctx: Any,
        current: Tensor,
        weight: Tensor | None,
        kernel: Tensor | None,
        drop: Tensor | None,
        neuron: Neuron,
        fixed: bool,
    ) -> Tensor:
        u = torch.empty_like(current)
        spikes = torch.empty_like(current)
        delayed = torch.zeros_like(current) if weight is not None else None
        line = None if kernel is None else _DelayLine(kernel, spikes, fixed)
        v = neuron.first(current[0])
        synaptic = neuron.first_current(v)
        for t in range(current.shape[0]):
            drive = current[t]
            arrived = None if line is None else line.read(t)
            if arrived is not None and weight is not None and delayed is not None:
                delayed[t] = arrived
                if drop is None:
                    drive = torch.addmm(drive, weight, arrived)
                else:
                    drive = torch.addcmul(drive, torch.mm(weight, arrived), drop)
            if neuron.current_decay:
                drive = synaptic = _with_share(drive, synaptic, neuron)
            neuron.charge(drive, v, spikes[t - 1] if t else None, out=u[t])
            neuron.fires(u[t], out=spikes[t])
            neuron.left(u[t], spikes[t], v, out=v)
        ctx.neuron, ctx.fixed = neuron, fixed
        ctx.save_for_backward(u, spikes, delayed, weight, kernel, drop)
        return spikes

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        u, spikes, delayed, weight, kernel, drop = ctx.saved_tensors
        neuron: Neuron = ctx.neuron
        grad = grads[0]
        steps = grad.shape[0]
        # Starts as d s / d u; u is needed for nothing after these two.
        grad_current = surrogate_gradient(u, neuron)
        keep = neuron.passed(u, spikes)
        taken = neuron.taken(spikes)
        # The delayed gradient runs backwards in time, so its history is stored in reverse.
        reverse = torch.zeros_like(grad_current) if weight is not None else None
        line = None if kernel is None or reverse is None else _DelayLine(kernel, reverse, ctx.fixed)
        carry: Tensor | None = None
        synaptic: Tensor | None = None
        for t in range(steps - 1, -1, -1):
            back = steps - 1 - t
            returned = None if line is None else line.read(back)
            grad_spike = grad[t] if returned is None else grad[t] + returned
            g = grad_current[t]
            g.mul_(grad_spike)
            if carry is not None:
                # d u[t+1] / d u[t], the reset detached.
                if keep is None:
                    g.add_(carry, alpha=neuron.decay)
                else:
                    g.addcmul_(carry, keep[t])
            if taken is not None and t:
                g.mul_(taken[t - 1])
            carry = g
            if neuron.current_decay:
                # From here on of the input of the current, which is left in later steps too.
                carry = g.clone()
                if synaptic is not None:
                    g.copy_(_with_share(g, synaptic, neuron))
                synaptic = g
            if reverse is not None and t:
                torch.mm(weight.t(), g if drop is None else g * drop, out=reverse[back])
        grad_weight = grad_kernel = None
        if weight is not None and reverse is not None:
            if ctx.needs_input_grad[1]:
                grad_weight = _outer_sum(grad_current if drop is None else grad_current * drop, delayed)
            if ctx.needs_input_grad[2]:
                grad_kernel = _lagged_products(reverse, spikes, kernel.shape[1])
        return grad_current, grad_weight, grad_kernel, None, None, None


def _with_share(drive: Tensor, synaptic: Tensor, neuron: Neuron) -> Tensor:
    """A current, and what is left of the one before."""
    if neuron.current_leak is not None:
        return torch.addcmul(drive, synaptic, neuron.current_leak)
    return torch.add(drive, synaptic, alpha=neuron.current_decay)


def _lagged_products(reverse: Tensor, spikes: Tensor, lags: int) -> Tensor:
    """Sum over steps and samples of `g[t] * s[t - l]`: (N, lags) for l = 1 .. lags, with g stored in reverse."""
    steps = spikes.shape[0]
    # products[n, i, j]: steps t = T-1-i and j. Lag t - j = T-1-(i+j) is constant along anti-diagonals,
    # which become columns when rows of 2T are read as rows of 2T - 1.
    products = reverse.new_empty(spikes.shape[1], steps, 2 * steps)
    products[:, :, steps:] = 0.0
    torch.bmm(reverse.permute(1, 0, 2), spikes.permute(1, 2, 0), out=products[:, :, :steps])
    wide = products.flatten(1)[:, : steps * (2 * steps - 1)]
    by_sum = wide.reshape(-1, steps, 2 * steps - 1).sum(dim=1)  # (N, i + j)
    return by_sum[:, : steps - 1].flip(1)[:, :lags].contiguous()


class _Compiled(torch.autograd.Function):
    """As `_Neurons`, by the compiled loops."""

    @staticmethod
    def forward(
        ctx: Any,
        current: Tensor,
        weight: Tensor | None,
        kernel: Tensor | None,
        drop: Tensor | None,
        neuron: Neuron,
        loop: Loop,
        overwrite: bool,
    ) -> Tensor:
        from spikewright.learn import sequences

        membranes = current.detach().contiguous()
        if not overwrite and membranes.data_ptr() == current.data_ptr():
            membranes = membranes.clone()
        ctx.neuron, ctx.loop = neuron, loop
        if weight is None or kernel is None:
            spikes = sequences.forward(membranes, neuron, loop)
            ctx.save_for_backward(membranes)
            return spikes
        recurrence = sequences.Recurrence(kernel, min(_BLOCK, len(membranes)))
        spikes, delayed = recurrence.forward(membranes, weight, drop, neuron, loop)
        ctx.save_for_backward(membranes, spikes, delayed, weight, kernel, drop)
        return spikes

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        from spikewright.learn import products, sequences

        membranes, *recurrent = ctx.saved_tensors
        grad = grads[0].contiguous()
        nothing = (None,) * 4
        if not recurrent:
            return sequences.backward(membranes, grad, ctx.neuron, ctx.loop), None, None, *nothing
        spikes, delayed, weight, kernel, drop = recurrent
        recurrence = sequences.Recurrence(kernel, min(_BLOCK, len(grad)))
        grad_current, reverse = recurrence.backward(membranes, grad, weight, drop, ctx.neuron, ctx.loop)
        grad_weight = grad_kernel = None
        if ctx.needs_input_grad[1]:
            of_current = grad_current if drop is None else grad_current * drop
            sparse = products.sparse(delayed, len(weight))
            grad_weight = (products.outer_sum if sparse else _outer_sum)(of_current, delayed)
        if ctx.needs_input_grad[2]:
            grad_kernel = _lagged_products(reverse, spikes, kernel.shape[1])
        return grad_current, grad_weight, grad_kernel, *nothing


def neurons(current: Tensor, neuron: Neuron, overwrite: bool = False) -> Tensor:
    """Spikes (T, N, B) of neurons driven by `current` (T, N, B), the membranes starting at 0.

    With `overwrite`, `current` is left with anything in it: for one that nobody else reads, as that saves memory.
    """
    from spikewright.learn.sequences import loop_of

    loop = loop_of(neuron, current)
    spikes: Tensor
    if loop is not None:
        spikes = _Compiled.apply(current, None, None, None, neuron, loop, overwrite)  # type: ignore[no-untyped-call]
    else:
        spikes = _Neurons.apply(current, None, None, None, neuron, False)  # type: ignore[no-untyped-call]
    return spikes


def recurrent_neurons(
    current: Tensor,
    weight: Tensor,
    kernel: Tensor,
    neuron: Neuron,
    drop: Tensor | None = None,
    overwrite: bool = False,
    fixed: bool = False,
) -> Tensor:
    """Spikes of a layer with delayed recurrence, `I[t] = current[t] + weight @ delayed[t]`.

    Parameters
    ----------
    current : (T, N, B)
        Feed-forward current.
    weight : (N, N)
        `weight[post, pre]`.
    kernel : (N, L)
        Arrival weights of each presynaptic neuron's spikes at lags 1 .. L (`delay_kernel`).
    neuron : Neuron
    drop : (N, B), optional
        Factor on the recurrent current (dropout), the same at every step.
    overwrite : bool
        See `neurons`.
    fixed : bool
        Whether nothing may depend on a value but values, as a CUDA graph demands. That is slower on CPUs.

    Returns
    -------
    (T, N, B)
        Spikes, 0 or 1.
    """
    from spikewright.learn.sequences import loop_of

    loop = loop_of(neuron, current)
    spikes: Tensor
    if loop is not None and not fixed:
        of_layer = weight, kernel, drop, neuron
        spikes = _Compiled.apply(current, *of_layer, loop, overwrite)  # type: ignore[no-untyped-call]
    else:
        spikes = _Neurons.apply(current, weight, kernel, drop, neuron, fixed)  # type: ignore[no-untyped-call]
    return spikes
