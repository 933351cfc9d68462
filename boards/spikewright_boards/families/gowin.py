"""Gowin GW1N and GW2A."""

from __future__ import annotations

from spikewright_boards.families import Cells

FAMILY = Cells(
    synth="synth_gowin -noiopads",
    luts=("LUT", "ALU"),
    ffs=("DFF",),
    block_rams=("DP", "SDP", "SP", "pROM"),
    distributed_rams=("RAM16",),
    dsps=("MULT",),
)
