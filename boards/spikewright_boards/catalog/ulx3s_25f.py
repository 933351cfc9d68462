"""ULX3S 25F, with 24,288 LUTs."""

from __future__ import annotations

from spikewright_boards.catalog._ulx3s import ulx3s

BOARD = ulx3s("25F")
