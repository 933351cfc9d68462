"""Cologne Chip GateMate."""

from __future__ import annotations

from spikewright_boards.families import Cells

FAMILY = Cells(
    synth="synth_gatemate -noiopad -noclkbuf",
    memories="map_bram",
    luts=("CC_LUT", "CC_L2T", "CC_MX", "CC_ADDF"),
    ffs=("CC_DFF",),
    block_rams=("CC_BRAM",),
    dsps=("CC_MULT",),
)
