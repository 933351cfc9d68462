"""Colorlight i5, an ECP5-25F on a receiver card for LED walls."""

from __future__ import annotations

from spikewright_boards.catalog._colorlight import colorlight

BOARD = colorlight("colorlight-i5", "LFE5U-25F", led="U16")
