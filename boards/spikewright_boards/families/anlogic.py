"""Anlogic EG4."""

from __future__ import annotations

from spikewright_boards.families import Cells

FAMILY = Cells(
    synth="synth_anlogic",
    luts=("AL_MAP_LUT", "AL_MAP_ADDER"),
    ffs=("AL_MAP_SEQ",),
    block_rams=("EG_PHY_BRAM",),
    distributed_rams=("EG_LOGIC_DRAM16X4",),
    dsps=("EG_PHY_MULT",),
)
