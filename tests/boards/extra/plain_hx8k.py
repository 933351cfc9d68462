"""A board that the product does not know: an iCE40 without multipliers and large memories, and without lights."""

from __future__ import annotations

from typing import Any

from spikewright.contract.devices import Device
from spikewright_boards.catalog import FullBoard


def _platform() -> Any:
    from amaranth_boards.ice40_hx8k_b_evn import ICE40HX8KBEVNPlatform

    return ICE40HX8KBEVNPlatform()


BOARD = FullBoard(
    name="plain-hx8k",
    device=Device(
        name="iCE40HX8K",
        family="ice40",
        luts=7680,
        ffs=7680,
        brams=32,
        dsps=0,
        synth_options="-device hx",
        nextpnr_option="--hx8k",
    ),
    clock_mhz=12,
    queue_depth=256,
    oscillator_mhz=12,
    nextpnr_options=("--package", "ct256"),
    platform=_platform,
)
