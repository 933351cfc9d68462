"""What the Tang Nano boards share: lights 0 .. 4 show the class, 4 a loaded network, 5 an error."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from spikewright.contract.devices import DEVICES
from spikewright_boards.catalog import FullBoard, Lights


def tang_nano(size: str, device: str, part: str, platform: Callable[[], Any]) -> FullBoard:
    """The board of a size such as `9k`, with a part as Gowin orders it."""
    return FullBoard(
        name=f"tangnano{size}",
        device=DEVICES[device],
        clock_mhz=27,
        queue_depth=1024,
        oscillator_mhz=27,
        nextpnr_options=("--device", part),
        platform=platform,
        lights=Lights(label=tuple(("led", number) for number in range(5)), error=("led", 5), ready=("led", 4)),
        program=("openFPGALoader", "-b", f"tangnano{size}", "{bitstream}"),
        serial="USB, the second port of its BL616 or BL702",
    )
