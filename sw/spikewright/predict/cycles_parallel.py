"""Cycle model of a core whose layers have lanes of their own, see `cycles`, made of the stages in `stages`.

numba keeps what it compiled until this file changes, also where a stage in `stages` did; so change both together.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from spikewright.contract.integers import IntArray
from spikewright.predict.stages import (
    _AXON_BASE,
    _BEGAN,
    _CLASSES,
    _CLEARED,
    _FETCH,
    _FIRST,
    _GAP,
    _GROUP,
    _INPUTS,
    _LANE_BASE,
    _LANES,
    _LONG_AGO,
    _MARKED,
    _NEVER,
    _PAUSE,
    _POPPED,
    _POPPED_BEFORE,
    _RECURRENT,
    _ROW,
    _ROWS,
    _ROWS_SENT,
    _SPIKING,
    _STARTED,
    _TAKEN,
    _accept,
    _delayed,
    _feed,
    _give,
    _has_room,
    _offer,
    _push,
)
from spikewright.support.compiled import compiled


@compiled
def run_parallel(
    start: int,
    beats: IntArray,
    axons: IntArray,
    spikes: npt.NDArray[np.bool_],
    layers: IntArray,
    runs: IntArray,
    run_lanes: IntArray,
    run_lengths: IntArray,
    program: IntArray,
    members: IntArray,
    gate: IntArray,
    cycles: IntArray,
    feeds: IntArray,
    delays: IntArray,
    lanes: IntArray,
    pushed: IntArray,
    left: IntArray,
    rows_left: IntArray,
    tokens: IntArray,
    delayed_tokens: IntArray,
    room: int,
    began: IntArray,
    integrating: IntArray,
) -> int:
    """Run one sample; fills `began` (layers, T) and `integrating`, returns the cycle in which the class is taken.

    The step t of the first layer has the input axons `axons[beats[t] : beats[t + 1]]`.
    """
    steps = len(beats) - 1
    done = 0
    for t in range(steps):
        last = t == steps - 1
        for k in range(len(layers)):
            layer = layers[k]
            cycle = cycles[k]
            first_lane, last_lane = layer[_LANE_BASE], layer[_LANE_BASE] + layer[_LANES]
            own = lanes[first_lane:last_lane]
            own_pushed = pushed[first_lane:last_lane]
            own_left = left[first_lane:last_lane]
            grouped = k > 0 and layers[k - 1, _LANES] > _GROUP
            if k > 0:
                rows = _feed(tokens, layers[k - 1], began[k - 1, t], t, spikes)
                cycles[k - 1, _ROWS_SENT] += rows
                row = cycles[k - 1, _ROWS_SENT] - rows
            feed = 0
            beat = beats[t]
            offered = _NEVER
            waiting = -1
            complete = cycle[_TAKEN]
            due = 0
            delayed = 0
            if layer[_RECURRENT]:
                _delayed(delayed_tokens, layer, cycle[_MARKED], t, began[k], spikes, program, members)
                due = _offer(delays[k], 2, delayed_tokens[0, 2], layer[_LANES] > _GROUP)
            while True:
                if offered == _NEVER:
                    # The next event from before, or the mark.
                    if k == 0:
                        waiting = axons[beat] if beat < beats[t + 1] else -1
                        offered = _accept(gate, start)
                    else:
                        waiting = tokens[feed, 0]
                        if tokens[feed, 1] == 2:
                            rows_left[k - 1, row % rows_left.shape[1]] = max(tokens[feed, 2] + 1, feeds[k - 1, _ROW])
                            row += 1
                        offered = _offer(feeds[k - 1], tokens[feed, 1], tokens[feed, 2], grouped)
                if due != _NEVER and layer[_RECURRENT] and delayed_tokens[delayed, 0] < 0:
                    complete = due + 1
                    _give(delays[k], due)
                    due = _NEVER
                    continue
                taken = _NEVER
                axon = -1
                if waiting >= 0:
                    taken = _has_room(max(cycle[_TAKEN] + 1, offered), own, own_pushed, own_left, room)
                    axon = waiting
                if layer[_RECURRENT] and due != _NEVER and not (waiting >= 0 and taken < due):
                    taken = _has_room(max(cycle[_TAKEN] + 1, due), own, own_pushed, own_left, room)
                    axon = layer[_INPUTS] + delayed_tokens[delayed, 0]
                    _give(delays[k], taken)
                    delayed += 1
                    due = _offer(
                        delays[k], delayed_tokens[delayed, 1], delayed_tokens[delayed, 2], layer[_LANES] > _GROUP
                    )
                else:
                    if waiting < 0:
                        taken = max(cycle[_TAKEN] + 1, offered, complete)
                        taken = _has_room(taken, own, own_pushed, own_left, room)
                    if k == 0:
                        gate[_POPPED_BEFORE] = gate[_POPPED]
                        gate[_POPPED] = taken
                        beat += 1
                    else:
                        _give(feeds[k - 1], taken)
                        feed += 1
                    offered = _NEVER
                cycle[_TAKEN] = taken
                if axon < 0:
                    break
                index = layer[_AXON_BASE] + axon
                for run in range(runs[index], runs[index + 1]):
                    lane = run_lanes[run]
                    loaded = _push(
                        own[lane], own_pushed[lane], own_left[lane], taken + _FETCH, _LONG_AGO, run_lengths[run]
                    )
                    cycle[_FIRST] = min(cycle[_FIRST], loaded)
            cycle[_MARKED] = taken
            begin = cycle[_BEGAN] + layer[_ROWS] + _GAP
            sweep = layer[_ROWS] + _PAUSE
            spent = 0
            for lane in range(len(own)):
                loaded = _push(own[lane], own_pushed[lane], own_left[lane], taken + _FETCH, cycle[_CLEARED] + 1, sweep)
                begin = max(begin, loaded + _STARTED)
                spent += loaded - cycle[_FIRST] - t * sweep
            if layer[_SPIKING]:
                # The rows of a step and its mark must find room beside those of another step.
                row = cycle[_ROWS_SENT] - layer[_ROWS] - 2
                if row >= 0:
                    begin = max(begin, rows_left[k, row % rows_left.shape[1]] + 1)
            began[k, t] = cycle[_BEGAN] = cycle[_CLEARED] = begin
            if last:
                integrating[k] = spent if cycle[_FIRST] < _NEVER else 0
                cycle[_FIRST] = _NEVER
                if not layer[_SPIKING]:
                    done = begin + layer[_ROWS] + 3 + 2 * layer[_CLASSES]
                    cycle[_CLEARED] = done
    return done
