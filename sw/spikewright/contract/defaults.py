"""Defaults of what users choose, of the commands and of the calls alike; loaded without anything heavy."""

BOARD = "ulx3s-85f"
LANES = 8
MARGIN = 0.25
"""Capacity of a core that is loaded at run time beyond what its networks need, as a share of that."""
EXPLORED_SAMPLES = 64
SIMULATED_SAMPLES = 20
VIEWED_SAMPLES = 12
VIEW = "view.html"
WEIGHT_BITS = 8
EXPLORED_BITS = (8, 6, 4)
