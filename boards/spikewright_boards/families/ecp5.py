"""Lattice ECP5."""

from __future__ import annotations

from spikewright_boards.families import Cells

FAMILY = Cells(
    synth="synth_ecp5 -abc9",
    luts=("LUT4", "CCU2C"),
    ffs=("TRELLIS_FF",),
    block_rams=("DP16KD", "PDPW16KD"),
    distributed_rams=("TRELLIS_DPR16X4",),
    dsps=("MULT",),
)
