"""OrangeCrab r0.2 with an ECP5-25F: red is an error, green readiness; the serial line is at the pins 0 and 1."""

from __future__ import annotations

from typing import Any

from spikewright.contract.devices import DEVICES
from spikewright_boards.catalog import FullBoard, Lights
from spikewright_boards.catalog._lights import add_colours


def _platform() -> Any:
    from amaranth.build import Attrs
    from amaranth_boards.orangecrab_r0_2 import OrangeCrabR0_2_25FPlatform
    from amaranth_boards.resources import UARTResource

    platform = OrangeCrabR0_2_25FPlatform()
    # There is no USB serial chip: these are the pins that a Feather has for a serial line.
    platform.add_resources([UARTResource(0, rx="N17", tx="M18", attrs=Attrs(IO_TYPE="LVCMOS33", PULLMODE="UP"))])
    add_colours(platform, Attrs(IO_TYPE="LVCMOS33"), r="K4", g="M3", b="J3")
    return platform


BOARD = FullBoard(
    name="orangecrab-25f",
    device=DEVICES["LFE5U-25F"],
    clock_mhz=80,
    queue_depth=1024,
    oscillator_mhz=48,
    pll=True,
    nextpnr_options=("--package", "CSFBGA285", "--speed", "8"),
    platform=_platform,
    lights=Lights(error=("led_r", 0), ready=("led_g", 0)),
    program=("dfu-util", "-d", "1209:5af0", "-a", "0", "-D", "{bitstream}"),
    serial="pins 0 (to the board) and 1 (from it), with an adapter of 3.3 V",
)
