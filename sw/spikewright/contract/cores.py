"""The types of cores."""

from __future__ import annotations

from spikewright.contract.layout import CoreSpec, ParallelCore, SharedCore
from spikewright.contract.names import LAYERS, Layers
from spikewright.contract.slots import SlottedCore

CORES: dict[Layers, type[CoreSpec]] = dict(zip(LAYERS, (ParallelCore, SharedCore, SlottedCore), strict=True))
"""Those that there are, by their `kind`."""
