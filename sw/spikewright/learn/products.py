"""Products of a matrix with sequences most of whose values are 0, as spikes and events are; compiled, for CPUs.

A dense product multiplies by every zero. Here the values of a step that are not 0 are found first, and a row of the
weights is added for each: a tenth of the neurons firing, that is more than twice as fast.

The sums are those of a dense product, to the last bit where that adds up in this order (as MKL does on processors
with AVX-512): in the order of the summed index, a fused multiplication and addition each, in blocks whose sums are
then added.

numba keeps what it compiled until this file changes, also where `compiled` did; so change both together.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from spikewright.support.compiled import compiled, compiles, divided, fma, trailing_zeros, transpose16

Array = np.ndarray[Any, Any]

DENSEST = 0.35
"""Share of values that are not 0 above which a dense product is faster."""
_FEWEST = 16
"""Samples below which a dense product is as fast."""
_NARROWEST = 64
"""Likewise neurons."""
_TILE = 16
_SAMPLED = 8
_BLOCK = 192


def sparse(x: Tensor, neurons: int) -> bool:
    """Whether these products are the faster ones for sequences (T, I, B) into so many neurons."""
    if x.device.type != "cpu" or x.dtype != torch.float32 or not compiles():
        return False
    if x.shape[2] < _FEWEST or neurons < _NARROWEST:
        return False
    part = x[::_SAMPLED]
    return int(torch.count_nonzero(part)) < DENSEST * part.numel()


def block_of(length: int) -> int:
    """Length of the blocks in which a sum over `length` products is added up."""
    if length <= _BLOCK:
        return max(1, length)
    return -(-length // 2) if length <= 2 * _BLOCK else _BLOCK


def product(x: Tensor, weight: Tensor, mask: Tensor | None = None) -> Tensor:
    """`weight @ (x[t] * mask)` of all steps: (T, N, B) of (T, I, B), (N, I) and (I, B)."""
    out = x.new_empty(x.shape[0], weight.shape[0], x.shape[2])
    arrays = _arrays(x, _factors(x, mask), weight.t())
    divided(_product, (*arrays, block_of(x.shape[1]), out.numpy()), len(x), torch.get_num_threads())
    return out


def outer_sum(left: Tensor, x: Tensor, mask: Tensor | None = None) -> Tensor:
    """Sum over t of `left[t] @ (x[t] * mask).T`: (N, I) of (T, N, B), (T, I, B) and (I, B); `x` has the zeros."""
    total = left.new_zeros(x.shape[1], left.shape[1])
    arrays = _arrays(x, _factors(x, mask), left)
    divided(_outer, (*arrays, block_of(x.shape[2]), total.numpy()), left.shape[1], torch.get_num_threads())
    return total.t()


def _factors(x: Tensor, mask: Tensor | None) -> Tensor:
    return torch.ones_like(x[0]) if mask is None else mask


def _arrays(*tensors: Tensor) -> tuple[Array, ...]:
    return tuple(tensor.detach().contiguous().numpy() for tensor in tensors)


@compiled
def _mark(step: Array, flags: Array, bits: Array) -> None:
    """Set bit b of row i of `bits` where the value of a step (I, B) is not 0; `flags` has a byte for each."""
    for i in range(step.shape[0]):
        for b in range(step.shape[1]):
            flags[i, b] = step[i, b] != 0
    bytes_ = flags.view(np.uint64)
    for i in range(step.shape[0]):
        for w in range(bits.shape[1]):
            word = np.uint64(0)
            for part in range(8):
                # The product gathers the lowest bits of eight bytes in the highest byte.
                gathered = (bytes_[i, 8 * w + part] * np.uint64(0x0102040810204080)) >> np.uint64(56)
                word |= gathered << np.uint64(8 * part)
            bits[i, w] = word


@compiled
def _add_rows(values: Array, rows: Array, order: Array, first: int, last: int, total: Array) -> None:
    """Add `values[k] * rows[order[k]]` to `total`, for k from `first` to `last` in this order."""
    k = first
    while k + 4 <= last:
        x0, x1, x2, x3 = values[k], values[k + 1], values[k + 2], values[k + 3]
        r0, r1, r2, r3 = rows[order[k]], rows[order[k + 1]], rows[order[k + 2]], rows[order[k + 3]]
        for n in range(total.shape[0]):
            total[n] = fma(x3, r3[n], fma(x2, r2[n], fma(x1, r1[n], fma(x0, r0[n], total[n]))))
        k += 4
    while k < last:
        x0, r0 = values[k], rows[order[k]]
        for n in range(total.shape[0]):
            total[n] = fma(x0, r0[n], total[n])
        k += 1


@compiled
def _add_blocks(values: Array, rows: Array, order: Array, count: int, block: int, part: Array, total: Array) -> None:
    """As `_add_rows` from 0 to `count`, the indices in `order` rising: rows of each block first, then their sums."""
    end = 0
    limit = block
    while end < count:
        first = end
        while end < count and order[end] < limit:
            end += 1
        limit += block
        if end == first:
            continue
        part[:] = 0
        _add_rows(values, rows, order, first, end, part)
        for n in range(part.shape[0]):
            total[n] += part[n]


@compiled
def _transpose(source: Array, target: Array, rows: int, columns: int, column: int) -> None:
    """`target[c, column + r] = source[r, c]` for all r below `rows` and c below `columns`."""
    for r in range(0, rows, 16):
        for c in range(0, columns, 16):
            if r + 16 <= rows and c + 16 <= columns:
                transpose16(source, r, c, target, c, column + r)
            else:
                for i in range(r, min(rows, r + 16)):
                    for j in range(c, min(columns, c + 16)):
                        target[j, column + i] = source[i, j]


@compiled
def _product(x: Array, factors: Array, rows: Array, block: int, out: Array, low: int, high: int) -> None:
    """`out[t, :, b]` = sum over i of `x[t, i, b] * factors[i, b] * rows[i]`, for the steps from `low` to `high`."""
    inputs, batch = x.shape[1], x.shape[2]
    size = rows.shape[1]
    flags = np.zeros((inputs, (batch + 63) // 64 * 64), np.uint8)
    bits = np.empty((inputs, flags.shape[1] // 64), np.uint64)
    order = np.empty((batch, inputs), np.int32)
    values = np.empty((batch, inputs), x.dtype)
    counts = np.empty(batch, np.int64)
    sums = np.empty((_TILE, size), x.dtype)
    part = np.empty(size, x.dtype)
    for t in range(low, high):
        _mark(x[t], flags, bits)
        counts[:] = 0
        for i in range(inputs):
            for w in range(bits.shape[1]):
                word = bits[i, w]
                while word != 0:
                    b = 64 * w + trailing_zeros(word)
                    count = counts[b]
                    order[b, count] = i
                    values[b, count] = x[t, i, b] * factors[i, b]
                    counts[b] = count + 1
                    word &= word - np.uint64(1)
        for start in range(0, batch, _TILE):
            width = min(_TILE, batch - start)
            sums[:] = 0
            for b in range(width):
                _add_blocks(values[start + b], rows, order[start + b], counts[start + b], block, part, sums[b])
            _transpose(sums, out[t], width, size, start)


@compiled
def _outer(x: Array, factors: Array, left: Array, block: int, total: Array, low: int, high: int) -> None:
    """Add `x[t, i, b] * factors[i, b] * left[t, n, b]`, over all t and b, to `total[i, n]`; n from `low` to `high`."""
    inputs, batch = x.shape[1], x.shape[2]
    size = high - low
    flags = np.zeros((inputs, (batch + 63) // 64 * 64), np.uint8)
    bits = np.empty((inputs, flags.shape[1] // 64), np.uint64)
    rows = np.empty((batch, size), x.dtype)
    order = np.empty(batch, np.int32)
    values = np.empty(batch, x.dtype)
    part = np.empty(size, x.dtype)
    for t in range(left.shape[0]):
        _transpose(left[t, low:high], rows, size, batch, 0)
        _mark(x[t], flags, bits)
        for i in range(inputs):
            count = 0
            for w in range(bits.shape[1]):
                word = bits[i, w]
                while word != 0:
                    b = 64 * w + trailing_zeros(word)
                    order[count] = b
                    values[count] = x[t, i, b] * factors[i, b]
                    count += 1
                    word &= word - np.uint64(1)
            _add_blocks(values, rows, order, count, block, part, total[i, low:high])
