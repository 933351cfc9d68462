"""Lattice Nexus: CrossLink-NX, Certus-NX, CertusPro-NX."""

from __future__ import annotations

from spikewright_boards.families import Cells

FAMILY = Cells(
    synth="synth_nexus -noiopad",
    luts=("LUT4", "CCU2"),
    ffs=("FD1P",),
    block_rams=("DP16K", "PDP16K", "PDPSC16K", "SP16K"),
    distributed_rams=("DPR16X4",),
    dsps=("MULT",),
)
