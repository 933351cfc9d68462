"""A board that the product does not know: a small ECP5 with an oscillator, two lights and a serial line."""

from __future__ import annotations

from typing import Any

from spikewright.contract.devices import Device
from spikewright_boards.catalog import FullBoard, Lights


def _platform() -> Any:
    from amaranth.build import Clock, Resource
    from amaranth.vendor import LatticeECP5Platform
    from amaranth_boards.resources import LEDResources, UARTResource

    class Platform(LatticeECP5Platform):
        device, package, speed = "LFE5U-25F", "BG256", "6"
        default_clk = "clk40"
        resources = [
            Resource("clk40", 0, _pin("P6", "i"), Clock(40e6)),
            *LEDResources(pins="T6 R5"),
            UARTResource(0, rx="A2", tx="B1"),
        ]
        connectors = []

    return Platform()


def _pin(name: str, direction: str) -> Any:
    from amaranth.build import Pins

    return Pins(name, dir=direction)


BOARD = FullBoard(
    name="tiny25f",
    device=Device(name="LFE5U-25F", family="ecp5", luts=24288, ffs=24288, brams=56, dsps=28, nextpnr_option="--25k"),
    clock_mhz=40,
    queue_depth=512,
    oscillator_mhz=40,
    nextpnr_options=("--package", "CABGA256", "--speed", "6"),
    platform=_platform,
    lights=Lights(label=(("led", 0),), error=("led", 1)),
)
