"""An extent has a bit for every row, row 0 lowest; indices are 0 and not stored."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from spikewright.contract.encoding import Encoding
from spikewright.contract.integers import IntArray, unsigned_bits

ROWS = 64
"""Most rows of a lane: each is a bit in the logic that finds the next synapse."""


class Bitmap(Encoding):
    """The synapse memory holds no more than weights."""

    def encode(self, present: npt.NDArray[np.bool_]) -> IntArray:
        return np.zeros(np.count_nonzero(present), dtype=np.int64)

    def decode(self, extents: npt.NDArray[Any], indices: IntArray, rows: int) -> IntArray:
        return np.nonzero(extents[:, None] >> np.arange(rows, dtype=np.uint64) & np.uint64(1))[1]

    def extents(self, present: npt.NDArray[np.bool_]) -> npt.NDArray[Any]:
        bits: npt.NDArray[np.uint64] = np.uint64(1) << np.arange(present.shape[2], dtype=np.uint64)
        extents: npt.NDArray[np.uint64] = (present * bits).sum(axis=2, dtype=np.uint64)
        return extents

    def lengths(self, extents: npt.NDArray[Any]) -> IntArray:
        lengths: IntArray = np.bitwise_count(extents).astype(np.int64)
        return lengths

    def extent_bits(self, rows: int, length_bits: int) -> int:
        return rows

    def refusal(self, rows: int) -> str | None:
        return f"rows of a lane must be at most {ROWS} for bitmaps, not {rows}" if rows > ROWS else None

    def walk_cost(self, rows: int, length_bits: int, index_bits: int) -> tuple[int, int]:
        # Choose, decrement, clear, find; the bits themselves twice, what is found, no row of the synapse.
        return 4 * rows - 2 * length_bits, 2 * rows + 2 + unsigned_bits(rows - 1) - length_bits
