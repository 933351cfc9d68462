"""ULX3S with the largest ECP5: lights 0 .. 6 show the class, light 6 a loaded network, light 7 an error."""

from __future__ import annotations

from typing import Any

from spikewright.contract.devices import DEVICES
from spikewright_boards.catalog import FullBoard, Lights


def _platform() -> Any:
    from amaranth_boards.ulx3s import ULX3S_85F_Platform

    return ULX3S_85F_Platform()


BOARD = FullBoard(
    name="ulx3s-85f",
    device=DEVICES["LFE5U-85F"],
    clock_mhz=80,
    queue_depth=1024,
    oscillator_mhz=25,
    pll=True,
    nextpnr_options=("--package", "CABGA381", "--speed", "6"),
    platform=_platform,
    lights=Lights(label=tuple(("led", number) for number in range(7)), error=("led", 7), ready=("led", 6)),
    program=("openFPGALoader", "-b", "ulx3s", "{bitstream}"),
    serial="USB, its FT231X",
)
