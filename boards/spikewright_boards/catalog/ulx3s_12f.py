"""ULX3S 12F, sold as the smallest, and the same die as that of 25F."""

from __future__ import annotations

from spikewright_boards.catalog._ulx3s import ulx3s

BOARD = ulx3s("12F")
