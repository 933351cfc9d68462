"""What the Colorlight receiver cards i5 and i9 share, on the extension board with the serial line.

Pins as in the public drawings of the extension board, https://github.com/wuxx/Colorlight-FPGA-Projects.
"""

from __future__ import annotations

from typing import Any

from spikewright.contract.devices import DEVICES
from spikewright_boards.catalog import FullBoard, Lights


def colorlight(name: str, part: str, led: str) -> FullBoard:
    """The card of a name such as `colorlight-i5`, whose one light is at the ball `led`: on after an error."""

    def platform() -> Any:
        from amaranth.build import Attrs, Clock, Pins, Resource
        from amaranth.vendor import LatticeECP5Platform
        from amaranth_boards.resources import LEDResources, UARTResource

        volts = Attrs(IO_TYPE="LVCMOS33")

        class Platform(LatticeECP5Platform):
            device, package, speed = part, "BG381", "6"
            default_clk = "clk25"
            resources = [
                Resource("clk25", 0, Pins("P3", dir="i"), Clock(25e6), volts),
                *LEDResources(pins=led, invert=True, attrs=volts),
                UARTResource(0, rx="H18", tx="J17", attrs=volts),
            ]
            connectors: list[Any] = []

        return Platform()

    return FullBoard(
        name=name,
        device=DEVICES[part],
        clock_mhz=80,
        queue_depth=1024,
        oscillator_mhz=25,
        pll=True,
        nextpnr_options=("--package", "CABGA381", "--speed", "6"),
        platform=platform,
        lights=Lights(error=("led", 0)),
        program=("openFPGALoader", "-b", name, "{bitstream}"),
        serial="USB of the extension board, its DAPLink",
    )
