"""Intel Cyclone V."""

from __future__ import annotations

from spikewright_boards.families import Cells

FAMILY = Cells(
    synth="synth_intel_alm -family cyclonev -noiopad -noclkbuf",
    memories="map_bram",
    luts=("MISTRAL_ALUT", "MISTRAL_NOT"),
    ffs=("MISTRAL_FF",),
    block_rams=("MISTRAL_M10K",),
    distributed_rams=("MISTRAL_MLAB",),
    dsps=("MISTRAL_MUL",),
)
