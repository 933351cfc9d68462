"""ULX3S 45F, with 43,848 LUTs."""

from __future__ import annotations

from spikewright_boards.catalog._ulx3s import ulx3s

BOARD = ulx3s("45F")
