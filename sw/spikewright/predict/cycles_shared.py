"""Cycle model of a core whose layers take turns on the same lanes, see `cycles`, made of the stages in `stages`.

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
    _FREE,
    _GAP,
    _GROUP,
    _INPUTS,
    _LANES,
    _LONG_AGO,
    _MARKED,
    _NEVER,
    _PAUSE,
    _POPPED,
    _POPPED_BEFORE,
    _RECURRENT,
    _ROWS,
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
def run_shared(
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
    """Run one sample, as `cycles._run` does.

    Of `cycles` and `feeds`, the first line is that of the engine; only marks are those of a layer. `lanes`, `pushed`
    and `left` belong to the lanes that all layers use.
    """
    steps = len(beats) - 1
    done = 0
    engine = cycles[0]
    for t in range(steps):
        for k in range(len(layers)):
            layer = layers[k]
            grouped = layer[_LANES] > _GROUP
            turn = engine[_TAKEN] + 1
            if k > 0:
                _feed(tokens, layers[k - 1], began[k - 1, t], t, spikes)
            feed = 0
            beat = beats[t]
            offered = _NEVER
            waiting = -1
            complete = turn
            due = _NEVER
            delayed = 0
            if layer[_RECURRENT]:
                _delayed(delayed_tokens, layer, cycles[k, _MARKED], t, began[k], spikes, program, members)
                due = _offer(delays[k], 2, delayed_tokens[0, 2], grouped)
            taken = _NEVER
            while True:
                if offered == _NEVER:
                    # The next event from before, or the mark.
                    if k == 0:
                        waiting = axons[beat] if beat < beats[t + 1] else -1
                        offered = _accept(gate, start)
                    else:
                        waiting = tokens[feed, 0]
                        offered = _offer(feeds[0], tokens[feed, 1], tokens[feed, 2], grouped)
                if due != _NEVER and delayed_tokens[delayed, 0] < 0:
                    due = max(due, turn)
                    complete = due + 1
                    _give(delays[k], due)
                    due = _NEVER
                    continue
                taken = _NEVER
                axon = -1
                if waiting >= 0:
                    taken = _has_room(max(engine[_TAKEN] + 1, offered), lanes, pushed, left, room)
                    axon = waiting
                if due != _NEVER and not (waiting >= 0 and taken < due):
                    taken = _has_room(max(engine[_TAKEN] + 1, due), lanes, pushed, left, room)
                    axon = layer[_INPUTS] + delayed_tokens[delayed, 0]
                    _give(delays[k], taken)
                    delayed += 1
                    due = _offer(delays[k], delayed_tokens[delayed, 1], delayed_tokens[delayed, 2], grouped)
                else:
                    if waiting < 0:
                        taken = max(engine[_TAKEN] + 1, offered, complete)
                        taken = _has_room(taken, lanes, pushed, left, room)
                    if k == 0:
                        gate[_POPPED_BEFORE] = gate[_POPPED]
                        gate[_POPPED] = taken
                        beat += 1
                    else:
                        _give(feeds[0], taken)
                        feed += 1
                    offered = _NEVER
                engine[_TAKEN] = taken
                if axon < 0:
                    break
                index = layer[_AXON_BASE] + axon
                for run in range(runs[index], runs[index + 1]):
                    lane = run_lanes[run]
                    loaded = _push(lanes[lane], pushed[lane], left[lane], taken + _FETCH, _LONG_AGO, run_lengths[run])
                    engine[_FIRST] = min(engine[_FIRST], loaded)
            cycles[k, _MARKED] = taken
            begin = engine[_BEGAN] + layers[k - 1, _ROWS] + _GAP
            sweep = layer[_ROWS] + _PAUSE
            for lane in range(len(lanes)):
                loaded = _push(lanes[lane], pushed[lane], left[lane], taken + _FETCH, engine[_CLEARED] + 1, sweep)
                begin = max(begin, loaded + _STARTED)
                # Since the sweep before, or the first synapse of the sample.
                integrating[k] += max(0, loaded - max(engine[_FIRST], lanes[lane, _SWEPT]))
                lanes[lane, _SWEPT] = lanes[lane, _FREE]
            began[k, t] = engine[_BEGAN] = engine[_CLEARED] = begin
            if t == steps - 1 and not layer[_SPIKING]:
                engine[_FIRST] = _NEVER
                done = begin + layer[_ROWS] + 3 + 2 * layer[_CLASSES]
                engine[_CLEARED] = done
    return done


_SWEPT = 3
"""Column of a lane, beside those of `cycles`: its last sweep is over."""
