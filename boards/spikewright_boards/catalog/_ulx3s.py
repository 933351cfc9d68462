"""What the ULX3S of all sizes share: lights 0 .. 6 show the class, light 6 a loaded network, light 7 an error."""

from __future__ import annotations

from typing import Any

from spikewright.contract.devices import DEVICES
from spikewright_boards.catalog import FullBoard, Lights


def ulx3s(size: str) -> FullBoard:
    """The board with an ECP5 of a size such as `85F`."""

    def platform() -> Any:
        from amaranth_boards import ulx3s as boards

        return getattr(boards, f"ULX3S_{size}_Platform")()

    return FullBoard(
        name=f"ulx3s-{size.lower()}",
        device=DEVICES[f"LFE5U-{size}"],
        clock_mhz=80,
        queue_depth=1024,
        oscillator_mhz=25,
        pll=True,
        nextpnr_options=("--package", "CABGA381", "--speed", "6"),
        platform=platform,
        lights=Lights(label=tuple(("led", number) for number in range(7)), error=("led", 7), ready=("led", 6)),
        program=("openFPGALoader", "-b", "ulx3s", "{bitstream}"),
        serial="USB, its FT231X",
    )
