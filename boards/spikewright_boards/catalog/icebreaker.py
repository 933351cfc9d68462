"""iCEBreaker: the five lights of its break-off part show the class, the red one an error, the green one readiness."""

from __future__ import annotations

from typing import Any

from spikewright.contract.devices import DEVICES
from spikewright_boards.catalog import FullBoard, Lights


def _platform() -> Any:
    from amaranth_boards.icebreaker import ICEBreakerPlatform

    platform = ICEBreakerPlatform()
    platform.add_resources(platform.break_off_pmod)
    return platform


BOARD = FullBoard(
    name="icebreaker",
    device=DEVICES["iCE40UP5K"],
    clock_mhz=12,
    queue_depth=256,
    oscillator_mhz=12,
    nextpnr_options=("--package", "sg48"),
    platform=_platform,
    lights=Lights(label=tuple(("led", number) for number in range(2, 7)), error=("led_r", 0), ready=("led_g", 0)),
    program=("openFPGALoader", "-b", "ice40_generic", "{bitstream}"),
    serial="USB, the second port of its FT2232H",
)
