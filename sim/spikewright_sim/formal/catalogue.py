"""All proofs, in the order of the data path."""

from __future__ import annotations

from functools import partial

from .prove import Proof
from .queues import queue, ram_queue
from .streams import guard, merge

PROOFS = (
    Proof("Queue, depth 2", partial(queue, 2), "induction", 2, 12, quick=True),
    Proof("Queue, depth 3", partial(queue, 3), "induction", 2, 14),
    Proof("Queue, depth 4", partial(queue, 4), "induction", 2, 16),
    Proof("RamQueue, depth 3", partial(ram_queue, 3, 4), "induction", 2, 14, quick=True),
    Proof("RamQueue, depth 4", partial(ram_queue, 4, 4), "induction", 2, 16),
    Proof("InputGuard, 3 inputs, 2 steps", partial(guard, 3, 2), "induction", 2, 12, quick=True),
    Proof("InputGuard, 5 inputs, 3 steps", partial(guard, 5, 3), "induction", 2, 12),
    Proof("EventMerge", merge, "induction", 2, 8, quick=True),
)
