"""Lattice MachXO2."""

from __future__ import annotations

from spikewright_boards.families import Cells

FAMILY = Cells(
    synth="synth_lattice -family xo2 -noiopad",
    luts=("LUT4", "CCU2D"),
    ffs=("TRELLIS_FF",),
    block_rams=("DP8KC", "PDPW8KC", "SP8KC"),
    distributed_rams=("TRELLIS_DPR16X4",),
)
