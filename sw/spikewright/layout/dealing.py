"""Dealing: which neuron of a layer sits in which lane and row."""

from __future__ import annotations

import numpy as np

from spikewright.contract.integers import IntArray
from spikewright.contract.layer import RATE_UNIT, LayerSpec

_SHARES = 1 << 20
"""A load of all neurons of a layer together, in the units in which loads are compared."""
_STORED = 5
"""Weight of the synapses that a lane stores, beside its operations: lanes of unequal sizes take longer pointers."""


def balanced_order(spec: LayerSpec, lanes: int) -> IntArray:
    """Neuron at each hardware position, so that the lanes hold equally much, and have equally much to do at any time.

    The neurons of a row should have the same delays, as they are then looked up at once: rows are filled by rising
    delay, and among equals by that of the way onward. Within rows, neurons are exchanged as long as the sum of squares
    of the loads of all lanes gets smaller. A read-out keeps the order of its classes, as its scores are sent in that
    order.

    Parameters
    ----------
    spec : LayerSpec
        The `rates` of its axons count; where they are not known, every axon is taken to have as many events.
    lanes : int
    """
    if spec.readout:
        return np.arange(spec.neurons)
    nothing = np.zeros(spec.neurons, dtype=np.int64)
    delays, onward = (nothing if of is None else of for of in (spec.delays, spec.onward))
    by_delay = np.lexsort((onward, delays))
    # Empty positions, all in one row, complete the grid.
    rows = -(-spec.neurons // lanes)
    positions = np.full(rows * lanes, -1, dtype=np.int64)
    positions[: spec.neurons] = by_delay
    grid: IntArray = positions.reshape(rows, lanes)
    synapses = np.append(np.count_nonzero(spec.weights, axis=1), 0)
    total = np.zeros(lanes, dtype=np.int64)
    for row in grid:
        heaviest = row[np.argsort(-synapses[row], kind="stable")]
        row[np.argsort(total, kind="stable")] = heaviest
        total += synapses[row]
    if lanes > 1:
        _even_out(grid, spec)
    # Empty positions must be the last.
    grid = grid[:, np.argsort(grid[-1] < 0, kind="stable")]
    order: IntArray = grid.reshape(-1)[: spec.neurons]
    return order


def _even_out(grid: IntArray, spec: LayerSpec) -> None:
    """Exchange neurons of a row between lanes: always the two with which the sum of squares of loads falls most.

    If events come independently of each other, the expected square of the synaptic operations of a lane in a step is
    the square of their mean, plus rate times the square of the synapses in the lane, summed over the axons. To it
    comes the square of the synapses that the lane stores. Both loads count as shares of those of the layer. All are
    integers, so that every computer finds the same order.
    """
    rows, lanes = grid.shape
    present = np.append(spec.weights != 0, np.zeros((1, spec.axons), dtype=np.bool_), axis=0).astype(np.int64)
    rates = np.full(spec.axons, RATE_UNIT // 16) if spec.rates is None else spec.rates
    weighted = present * rates  # (neurons + 1, axons)
    loads = np.stack([weighted.sum(axis=1), present.sum(axis=1)], axis=1)
    scale = np.array([_SHARES, _STORED * _SHARES]) / np.maximum(1, loads.sum(axis=0))
    shares = np.rint(loads * scale).astype(np.int64)  # (neurons + 1, operations and synapses)
    overlap = int(RATE_UNIT * scale[0] ** 2)
    # Products of matrices are fast in floating point, and exact, as no sum is near 2**53.
    shared = (weighted.astype(np.float64) @ present.T.astype(np.float64)).astype(np.int64)  # between two neurons
    with_lanes = np.stack([shared[:, lane].sum(axis=1) for lane in grid.T], axis=1)  # (neurons + 1, lanes)
    total = shares[grid].sum(axis=0)
    for _ in range(8 * grid.size):
        of_rows = shared[grid[:, :, None], grid[:, None, :]]
        others = (
            with_lanes[grid] - of_rows
        )  # (rows, lanes, lanes) what the neuron here shares with the rest of lane there
        own = np.diagonal(others, axis1=1, axis2=2)
        grows = overlap * (others + others.transpose(0, 2, 1) - own[:, :, None] - own[:, None, :])
        moved = shares[grid][:, :, None] - shares[grid][:, None, :]
        grows += (moved * (moved - total[:, None] + total)).sum(axis=3)
        best = int(np.argmin(grows))
        row, one, other = np.unravel_index(best, grows.shape)
        if grows[row, one, other] >= 0:
            return
        share = moved[row, one, other]
        total[one] -= share
        total[other] += share
        shift = shared[:, grid[row, other]] - shared[:, grid[row, one]]
        with_lanes[:, one] += shift
        with_lanes[:, other] -= shift
        grid[row, [one, other]] = grid[row, [other, one]]
