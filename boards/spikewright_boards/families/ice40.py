"""Lattice iCE40 UltraPlus."""

from __future__ import annotations

from spikewright_boards.families import Cells

FAMILY = Cells(
    synth="synth_ice40 -device u -dsp -abc9",
    luts=("SB_LUT4",),
    ffs=("SB_DFF",),
    block_rams=("SB_RAM40", "SB_SPRAM"),
    dsps=("SB_MAC16",),
)
