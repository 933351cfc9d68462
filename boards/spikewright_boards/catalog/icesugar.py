"""iCESugar: the red light shows an error, the green one readiness."""

from __future__ import annotations

from typing import Any

from spikewright.contract.devices import DEVICES
from spikewright_boards.catalog import FullBoard, Lights


def _platform() -> Any:
    from amaranth_boards.icesugar import ICESugarPlatform

    return ICESugarPlatform()


BOARD = FullBoard(
    name="icesugar",
    device=DEVICES["iCE40UP5K"],
    clock_mhz=12,
    queue_depth=256,
    oscillator_mhz=12,
    nextpnr_options=("--package", "sg48"),
    platform=_platform,
    lights=Lights(error=("led_r", 0), ready=("led_g", 0)),
    program=("icesprog", "{bitstream}"),
    serial="USB, its iCELink",
)
