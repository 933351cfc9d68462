"""Stages of a core as rules for the cycle of everything that passes through them, compiled; see `cycles`."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from spikewright.contract.integers import IntArray
from spikewright.support.compiled import compiled

_LONG_AGO = -(10**12)
_NEVER = 10**12
_KEPT = 128  # entries of a queue that are remembered; more than any queue holds, and a power of two

# Latencies of `spikewright_hw`.
_FETCH = 4  # RowFetch.LATENCY
_MARGIN = 7  # RowFetch.MARGIN
_ROOM = 3  # cycles from an entry that leaves a queue to the event that takes its place
_PAUSE = 4  # Lane.PAUSE
_STARTED = 6  # from the mark that leaves the queue of a lane to the first cycle in which its step can begin
_GAP = 4  # StepJoin.GAP
_GROUP = 8  # BitSerializer.GROUP

# Columns of the integers of a layer.
_LANES, _ROWS, _INPUTS, _SPIKING, _RECURRENT, _CLASSES = range(6)
_AXON_BASE, _LANE_BASE, _SPIKE_BASE, _PROGRAM_BASE, _ENTRIES, _COLUMNS = range(6, 12)
# Columns of the cycles of a layer: an event was last taken; a mark was; the last step began; the lanes were cleared;
# the first run of the sample left its queue; rows that its serializer was ever given.
_TAKEN, _MARKED, _BEGAN, _CLEARED, _FIRST, _ROWS_SENT = range(6)
# Columns of the cycles of a serializer: a row left its queue; a group was taken; a bit was; the last two were given.
_ROW, _TOOK, _BIT, _GIVEN, _GIVEN_BEFORE = range(5)
# Columns of the cycles of the input gate.
_ACCEPTED, _CHECKED, _CHECKED_BEFORE, _POPPED, _POPPED_BEFORE = range(5)
# Columns of the cycles of a lane: an entry left its queue; it may take the next; entries that it was ever given.
_LOADED, _FREE, _GIVEN_RUNS = range(3)


@compiled
def _offer(serializer: IntArray, kind: int, pushed: int, grouped: bool) -> int:
    """First cycle in which a `BitSerializer` offers its next position.

    `kind` is 2 for the first of a row, 1 for the first of a group, 0 for others. A row leaves the memory one cycle
    after it was pushed, and as the one before is taken.
    """
    if kind == 2:
        row = max(pushed + 1, serializer[_ROW]) + 1
        if grouped:
            row = max(row, serializer[_TOOK])
            took = max(row + 1, serializer[_BIT])
        else:
            row = took = max(row, serializer[_BIT])
        serializer[_ROW] = row
        serializer[_TOOK] = took
        bit = took + 1
    elif kind == 1:
        serializer[_TOOK] = serializer[_BIT]
        bit = serializer[_BIT] + 1
    else:
        bit = serializer[_BIT] + 1
    bit = max(bit, serializer[_GIVEN_BEFORE] + 1)
    serializer[_BIT] = bit
    return int(max(bit, serializer[_GIVEN]) + 1)


@compiled
def _give(serializer: IntArray, cycle: int) -> None:
    serializer[_GIVEN_BEFORE] = serializer[_GIVEN]
    serializer[_GIVEN] = cycle


@compiled
def _accept(gate: IntArray, start: int) -> int:
    """First cycle in which `InputGuard` offers the next beat, which was waiting: through two queues of two."""
    gate[_ACCEPTED] = max(start, gate[_ACCEPTED] + 1, gate[_CHECKED_BEFORE] + 1)
    checked = max(gate[_ACCEPTED] + 1, gate[_CHECKED] + 1, gate[_POPPED_BEFORE] + 1)
    gate[_CHECKED_BEFORE] = gate[_CHECKED]
    gate[_CHECKED] = checked
    return int(max(checked, gate[_POPPED]) + 1)


@compiled
def _has_room(cycle: int, lanes: IntArray, pushed: IntArray, left: IntArray, most: int) -> int:
    """First cycle from `cycle` on in which `RowFetch` takes an event.

    Two cycles before, no queue must have held more than `most` entries.
    """
    waiting = True
    while waiting:
        waiting = False
        for lane in range(len(lanes)):
            given = lanes[lane, _GIVEN_RUNS]
            while given > 0 and pushed[lane, (given - 1) & (_KEPT - 1)] > cycle - _ROOM:
                given -= 1
            if given > most:
                cycle_left = left[lane, (given - most - 1) & (_KEPT - 1)]
                if cycle_left > cycle - _ROOM:
                    cycle = cycle_left + _ROOM
                    waiting = True
    return cycle


@compiled
def _push(lane: IntArray, pushed: IntArray, left: IntArray, cycle: int, earliest: int, length: int) -> int:
    """Give a lane a run; returns the cycle in which it leaves its queue, `earliest` or later."""
    given = lane[_GIVEN_RUNS] & (_KEPT - 1)
    fetched = max(cycle + 1, lane[_LOADED])
    loaded = max(fetched + 1, lane[_FREE], earliest)
    pushed[given] = cycle
    left[given] = fetched
    lane[_LOADED] = loaded
    lane[_FREE] = loaded + length
    lane[_GIVEN_RUNS] += 1
    return int(loaded)


@compiled
def _feed(tokens: IntArray, layer: IntArray, began: int, t: int, spikes: npt.NDArray[np.bool_]) -> int:
    """Write (axon or -1 for a mark, kind, pushed) of the step's tokens; returns how many rows and marks there are."""
    lanes = layer[_LANES]
    positions = lanes * layer[_ROWS]
    base = layer[_SPIKE_BASE] + t * positions
    count = rows = 0
    for row in range(layer[_ROWS]):
        kind = 2
        for lane in range(lanes):
            if kind == 0 and lane % _GROUP == 0:
                kind = 1
            if spikes[base + row * lanes + lane]:
                tokens[count] = (row * lanes + lane, kind, began + 2 + row)
                count += 1
                rows += kind == 2
                kind = 0
    tokens[count] = (-1, 2, began + 2 + layer[_ROWS])
    return rows + 1


@compiled
def _delayed(
    tokens: IntArray,
    layer: IntArray,
    marked: int,
    t: int,
    began: IntArray,
    spikes: npt.NDArray[np.bool_],
    program: IntArray,
    members: IntArray,
) -> None:
    """Write the tokens of the delayed spikes of step t, see `_feed`; `began` is when the steps before did."""
    lanes, rows = layer[_LANES], layer[_ROWS]
    count = group = 0
    passed = marked
    if t > 0:
        for entry in range(layer[_PROGRAM_BASE], layer[_PROGRAM_BASE] + layer[_ENTRIES]):
            delay, row = program[entry, 0], program[entry, 1]
            passed += 1
            if delay >= t:
                continue
            step = t - 1 - delay
            passed = max(passed, began[step] + rows + 3)
            kind = 2
            for member in range(program[entry, 2], program[entry + 1, 2]):
                position = row * lanes + members[member]
                if kind == 0 and members[member] // _GROUP != group:
                    kind = 1
                if spikes[layer[_SPIKE_BASE] + step * lanes * rows + position]:
                    tokens[count] = (position, kind, passed + 3)
                    count += 1
                    kind = 0
                    group = members[member] // _GROUP
    tokens[count] = (-1, 2, passed + 4)
