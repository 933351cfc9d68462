"""Tang Nano 9K, a GW1NR-9C."""

from __future__ import annotations

from typing import Any

from spikewright_boards.catalog._tang_nano import tang_nano


def _platform() -> Any:
    from amaranth_boards.tang_nano_9k import TangNano9kPlatform

    return TangNano9kPlatform()


BOARD = tang_nano("9k", "GW1NR-9C", "GW1NR-LV9QN88PC6/I5", _platform)
