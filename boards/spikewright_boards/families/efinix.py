"""Efinix Trion."""

from __future__ import annotations

from spikewright_boards.families import Cells

FAMILY = Cells(
    synth="synth_efinix",
    luts=("EFX_LUT4", "EFX_ADD"),
    ffs=("EFX_FF",),
    block_rams=("EFX_RAM",),
    dsps=("EFX_MULT",),
)
