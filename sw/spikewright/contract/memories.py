"""What becomes of a memory by its size, as the gateware decides it and the estimate of resources has to know."""

from __future__ import annotations


def in_registers(words: int, width: int) -> bool:
    """Whether a writable memory is made of registers, as it would waste a RAM."""
    return words <= 4 or words * width <= 128
