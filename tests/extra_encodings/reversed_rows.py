"""An encoding that the product lacks, with its walk: rows are counted from the last row of the lane."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from amaranth.hdl import Module

from spikewright.contract.encoding import Encoding
from spikewright.contract.integers import IntArray, unsigned_bits
from spikewright_hw.walks.absolute import AbsoluteWalk


class ReversedRows(Encoding):
    def encode(self, present: npt.NDArray[np.bool_]) -> IntArray:
        return present.shape[2] - 1 - np.nonzero(present)[2]

    def decode(self, extents: npt.NDArray[Any], indices: IntArray, rows: int) -> IntArray:
        return rows - 1 - indices

    def index_bits(self, rows: int, highest: int) -> int:
        return unsigned_bits(rows - 1)

    def refusal(self, rows: int) -> str | None:
        return f"rows of a lane must be at most 100 to be reversed, not {rows}" if rows > 100 else None

    def walk_cost(self, rows: int, length_bits: int, index_bits: int) -> tuple[int, int]:
        return index_bits, 0


class ReversedRowsWalk(AbsoluteWalk):
    def _find_row(self, m: Module) -> None:
        m.d.comb += self.row.eq(self._image.rows - 1 - self.index)
