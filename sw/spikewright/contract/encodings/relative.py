"""An index counts the rows that are skipped since the synapse before, or since the start of the lane."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from spikewright.contract.encoding import Encoding
from spikewright.contract.integers import IntArray, unsigned_bits


class Relative(Encoding):
    """Indices are short where there are many synapses."""

    def encode(self, present: npt.NDArray[np.bool_]) -> IntArray:
        axon, lane, row = np.nonzero(present)
        before = np.append(-1, row[:-1])
        before[np.append(True, (axon[1:] != axon[:-1]) | (lane[1:] != lane[:-1]))[: len(row)]] = -1
        skipped: IntArray = row - before[: len(row)] - 1
        return skipped

    def decode(self, extents: npt.NDArray[Any], indices: IntArray, rows: int) -> IntArray:
        row: IntArray = np.cumsum(indices + 1)
        # Every run starts anew.
        row -= np.repeat(np.append(0, row)[np.cumsum(extents) - extents], extents) + 1
        return row

    def walk_cost(self, rows: int, length_bits: int, index_bits: int) -> tuple[int, int]:
        return 2 * unsigned_bits(rows - 1), index_bits + 2
