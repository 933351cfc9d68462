"""An index is the row."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from spikewright.contract.encoding import Encoding
from spikewright.contract.integers import IntArray, unsigned_bits


class Absolute(Encoding):
    """Widths depend on nothing but the number of rows: memories that are loaded at run time have this encoding."""

    def encode(self, present: npt.NDArray[np.bool_]) -> IntArray:
        return np.nonzero(present)[2]

    def decode(self, extents: npt.NDArray[Any], indices: IntArray, rows: int) -> IntArray:
        return indices

    def index_bits(self, rows: int, highest: int) -> int:
        return unsigned_bits(rows - 1)
