"""UPduino 3: red is an error, green readiness. Its jumper OSC must be closed, which brings the clock of 12 MHz.

The oscillator inside of the FPGA, which it runs on otherwise, is too inexact for a serial line.
"""

from __future__ import annotations

from typing import Any

from spikewright.contract.devices import DEVICES
from spikewright_boards.catalog import FullBoard, Lights
from spikewright_boards.catalog._lights import add_colours


def _platform() -> Any:
    from amaranth.build import Attrs
    from amaranth_boards.resources import UARTResource
    from amaranth_boards.upduino_v3 import UpduinoV3Platform

    class Platform(UpduinoV3Platform):
        default_clk = "clk12"

    platform = Platform()
    volts = Attrs(IO_STANDARD="SB_LVCMOS")
    # The wires of the flash, which its pull-up keeps silent after configuration.
    platform.add_resources([UARTResource(0, rx="15", tx="14", attrs=volts)])
    add_colours(platform, volts, r="41", g="39", b="40")
    return platform


BOARD = FullBoard(
    name="upduino-3",
    device=DEVICES["iCE40UP5K"],
    clock_mhz=12,
    queue_depth=256,
    oscillator_mhz=12,
    nextpnr_options=("--package", "sg48"),
    platform=_platform,
    lights=Lights(error=("led_r", 0), ready=("led_g", 0)),
    program=("iceprog", "-d", "i:0x0403:0x6014", "{bitstream}"),
    serial="USB, its FT232H",
)
