"""Colorlight i9, an ECP5-45F on a receiver card for LED walls."""

from __future__ import annotations

from spikewright_boards.catalog._colorlight import colorlight

BOARD = colorlight("colorlight-i9", "LFE5U-45F", led="L2")
