"""Tang Nano 20K, a GW2AR-18C.

Pins as in the public drawings, https://wiki.sipeed.com/hardware/en/tang/tang-nano-20k/nano-20k.html.
"""

from __future__ import annotations

from typing import Any

from spikewright_boards.catalog._tang_nano import tang_nano

PART = "GW2AR-LV18QN88C8/I7"


def _platform() -> Any:
    from amaranth.build import Attrs, Clock, Pins, Resource
    from amaranth.vendor import GowinPlatform
    from amaranth_boards.resources import LEDResources, UARTResource

    volts = Attrs(IO_TYPE="LVCMOS33")

    class Platform(GowinPlatform):
        part, family = PART, "GW2AR-18C"
        default_clk = "clk27"
        resources = [
            Resource("clk27", 0, Pins("4", dir="i"), Clock(27e6), volts),
            *LEDResources(pins="15 16 17 18 19 20", invert=True, attrs=volts),
            UARTResource(0, rx="70", tx="69", attrs=volts),
        ]
        connectors: list[Any] = []

    return Platform()


BOARD = tang_nano("20k", "GW2AR-18C", PART, _platform)
