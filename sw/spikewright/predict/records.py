"""What the cycle model knows of a core, of its state and of a sample: arrays of records, whose fields numba reads."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from spikewright.contract.integers import IntArray

LONG_AGO = -(10**12)
NEVER = 10**12
KEPT = 128
"""Entries of a queue that are remembered; more than any queue holds, and a power of two."""

Record = Any
"""A `numpy.record`, whose fields type checkers do not know."""
Records = np.recarray[Any, Any]


def record(*names: str) -> np.dtype[np.void]:
    """Integers with names."""
    return np.dtype([(name, np.int64) for name in names])


LAYER = record(
    "lanes", "rows", "inputs", "spiking", "recurrent", "classes",
    "axon_base", "lane_base", "spike_base", "program_base", "entries", "pipeline", "feed",
    "onward_base", "onward_entries", "out", "room",
)  # fmt: skip
"""A layer: what it is; where its part of the arrays of all layers begins; which pipeline and serializer serve it; the
program of its way onward, the serializer of its spikes, and rows that a step of them may take there."""
PIPELINE = record("taken", "began", "cleared", "first")
"""Cycles of what takes events: one was last taken; the last step began; the lanes were cleared; the first run of the
sample left its queue."""
SERIALIZER = record("row", "took", "bit", "given", "given_before", "rows")
"""Cycles of a serializer: a row left its queue; a group was taken; a bit was; the last two were given. And the rows
that ever left, marks included."""
GATE = record("accepted", "checked", "checked_before", "popped", "popped_before")
"""Cycles of the input gate."""
LANE = np.dtype(
    [(name, np.int64) for name in ("loaded", "free", "swept", "given")]
    + [(name, np.int64, (KEPT,)) for name in ("pushed", "left")]
)
"""Cycles of a lane: an entry left its queue; it may take the next; its last sweep is over. Then the entries that it was
ever given, and when the last of them came into the queue and left it."""
TOKEN = record("axon", "kind", "pushed")
"""An event of a serializer, -1 for a mark: see `stages.offer`."""
RUN = record("lane", "length")
ENTRY = record("delay", "row", "member")
"""An entry of a program of delays, and its first member; those up to the first of the next entry are its lanes."""


class Wiring(NamedTuple):
    """A core: layers; of every axon, the number of its first run; runs; programs of delays, and most entries waiting.

    A lane of a queue with more than `room` entries takes no event.
    """

    layers: Records
    first_runs: IntArray
    runs: Records
    program: Records
    members: IntArray
    room: int


class State(NamedTuple):
    """What a core is at, from sample to sample.

    `marked` is when a layer last took a mark, `sent` when it last ended the program of its way onward, `rows_left` when
    rows left a serializer; `tokens` and `delayed` are only used within a step.
    """

    gate: Records
    pipelines: Records
    marked: IntArray
    sent: IntArray
    serializers: Records
    delays: Records
    lanes: Records
    rows_left: IntArray
    tokens: Records
    delayed: Records


class Sample(NamedTuple):
    """A sample: step t has the events `axons` and `values` `[beats[t] : beats[t + 1]]`; `spikes` are by position.

    `began` (layers, T) and `integrating` (layers,) are filled.
    """

    start: int
    beats: IntArray
    axons: IntArray
    values: IntArray
    spikes: npt.NDArray[np.bool_]
    began: IntArray
    integrating: IntArray


def records(kind: np.dtype[np.void], count: int, **values: int) -> Records:
    """`count` records, all fields long ago but for `values`, and queues empty."""
    made = np.zeros(count, dtype=kind).view(np.recarray)
    for name in kind.names or ():
        if kind[name].shape == ():
            made[name] = values.get(name, LONG_AGO)
    return made
