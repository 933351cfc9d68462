"""AMD's 7 series."""

from __future__ import annotations

from spikewright_boards.families import Cells

FAMILY = Cells(
    synth="synth_xilinx -family xc7 -noiopad -noclkbuf",
    memories="map_memory",
    luts=("LUT", "CARRY4"),
    ffs=("FD",),
    block_rams=("RAMB",),
    distributed_rams=("RAM16", "RAM32", "RAM64", "RAM128", "RAM256"),
    dsps=("DSP48",),
)
