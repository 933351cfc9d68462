"""All proofs, in the order of the data path."""

from __future__ import annotations

from functools import partial

from .lanes import lane, row_fetch, update
from .prove import Proof
from .queues import queue, ram_queue
from .streams import guard, merge, serializer

PROOFS = (
    Proof("Queue, depth 2", partial(queue, 2), "induction", 2, 12, quick=True),
    Proof("Queue, depth 3", partial(queue, 3), "induction", 2, 14),
    Proof("Queue, depth 4", partial(queue, 4), "induction", 2, 16),
    Proof("RamQueue, depth 3", partial(ram_queue, 3, 4), "induction", 2, 14, quick=True, parts=("ram",)),
    Proof("RamQueue, depth 4", partial(ram_queue, 4, 4), "induction", 2, 16, parts=("ram",)),
    Proof("InputGuard, 3 inputs, 2 steps", partial(guard, 3, 2), "induction", 2, 12, quick=True),
    Proof("InputGuard, 5 inputs, 3 steps", partial(guard, 5, 3), "induction", 2, 12),
    Proof("EventMerge", merge, "induction", 2, 8, quick=True),
    Proof("RowFetch", row_fetch, "induction", 6, 10, quick=True),
    Proof("Lane", lane, "bounded", 18, 16, parts=("membranes",)),
    Proof("NeuronUpdate, hard reset", partial(update, reset="hard"), "induction", 6, 10),
    Proof("NeuronUpdate, soft reset", partial(update, reset="soft"), "induction", 6, 10),
    Proof("BitSerializer, 2 rows of 4", partial(serializer, 2, 4), "induction", 2, 14),
    Proof("BitSerializer, 1 row of 8", partial(serializer, 1, 8), "induction", 2, 14),
)
