"""ULX3S 85F, with the largest ECP5."""

from __future__ import annotations

from spikewright_boards.catalog._ulx3s import ulx3s

BOARD = ulx3s("85F")
