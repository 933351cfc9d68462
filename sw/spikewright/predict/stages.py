"""Stages of a core as rules for the cycle of everything that passes through them, compiled; see `cycles`."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from spikewright.predict.records import KEPT, LONG_AGO, NEVER, Record, Records, Sample, State, Wiring
from spikewright.support.compiled import compiled

# Latencies of `spikewright_hw`.
FETCH = 4  # RowFetch.LATENCY
MARGIN = 7  # RowFetch.MARGIN
ROOM = 3  # cycles from an entry that leaves a queue to the event that takes its place
PAUSE = 4  # Lane.PAUSE
STARTED = 6  # from the mark that leaves the queue of a lane to the first cycle in which its step can begin
GAP = 4  # StepJoin.GAP
GROUP = 8  # BitSerializer.GROUP


@compiled
def offer(serializer: Record, kind: int, pushed: int, grouped: bool) -> int:
    """First cycle in which a `BitSerializer` offers its next position.

    `kind` is 2 for the first of a row, 1 for the first of a group, 0 for others. A row leaves the memory one cycle
    after it was pushed, and as the one before is taken.
    """
    if kind == 2:
        row = max(pushed + 1, serializer.row) + 1
        if grouped:
            row = max(row, serializer.took)
            took = max(row + 1, serializer.bit)
        else:
            row = took = max(row, serializer.bit)
        serializer.row = row
        serializer.took = took
        bit = took + 1
    elif kind == 1:
        serializer.took = serializer.bit
        bit = serializer.bit + 1
    else:
        bit = serializer.bit + 1
    bit = max(bit, serializer.given_before + 1)
    serializer.bit = bit
    return int(max(bit, serializer.given) + 1)


@compiled
def give(serializer: Record, cycle: int) -> None:
    """A `BitSerializer` hands over what it offered."""
    serializer.given_before = serializer.given
    serializer.given = cycle


@compiled
def accept(gate: Record, start: int) -> int:
    """First cycle in which `InputGuard` offers the next beat, which was waiting: through two queues of two."""
    gate.accepted = max(start, gate.accepted + 1, gate.checked_before + 1)
    checked = max(gate.accepted + 1, gate.checked + 1, gate.popped_before + 1)
    gate.checked_before = gate.checked
    gate.checked = checked
    return int(max(checked, gate.popped) + 1)


@compiled
def has_room(cycle: int, lanes: npt.NDArray[Any], most: int) -> int:
    """First cycle from `cycle` on in which `RowFetch` takes an event.

    Two cycles before, no queue must have held more than `most` entries.
    """
    waiting = True
    while waiting:
        waiting = False
        for number in range(len(lanes)):
            lane = lanes[number]
            given = lane.given
            while given > 0 and lane.pushed[(given - 1) & (KEPT - 1)] > cycle - ROOM:
                given -= 1
            if given > most:
                cycle_left = lane.left[(given - most - 1) & (KEPT - 1)]
                if cycle_left > cycle - ROOM:
                    cycle = cycle_left + ROOM
                    waiting = True
    return cycle


@compiled
def push(lane: Record, cycle: int, earliest: int, length: int) -> int:
    """Give a lane a run; returns the cycle in which it leaves its queue, `earliest` or later."""
    given = lane.given & (KEPT - 1)
    fetched = max(cycle + 1, lane.loaded)
    loaded = max(fetched + 1, lane.free, earliest)
    lane.pushed[given] = cycle
    lane.left[given] = fetched
    lane.loaded = loaded
    lane.free = loaded + length
    lane.given += 1
    return int(loaded)


@compiled
def write_spikes(wiring: Wiring, state: State, sample: Sample, t: int, k: int) -> None:
    """Write the tokens of step t for layer k: the spikes of the layer before, and the mark."""
    layer = wiring.layers[k - 1]
    began = sample.began[k - 1, t]
    lanes = layer.lanes
    base = layer.spike_base + t * lanes * layer.rows
    count = 0
    for row in range(layer.rows):
        kind = 2
        for lane in range(lanes):
            if kind == 0 and lane % GROUP == 0:
                kind = 1
            if sample.spikes[base + row * lanes + lane]:
                token = state.tokens[count]
                token.axon = row * lanes + lane
                token.kind = kind
                token.pushed = began + 2 + row
                count += 1
                kind = 0
    token = state.tokens[count]
    token.axon = -1
    token.kind = 2
    token.pushed = began + 2 + layer.rows


@compiled
def write_program(
    wiring: Wiring, tokens: Records, sample: Sample, k: int, first: int, entries: int, newest: int, passed: int
) -> int:
    """Write the tokens of spikes of layer k that a program finds, and their mark; returns when it is given.

    The program has so many `entries` from the `first` on, begins after cycle `passed`, and counts delays from the
    `newest` step; before the first there is none to run.
    """
    layer = wiring.layers[k]
    lanes, rows = layer.lanes, layer.rows
    count = group = 0
    if newest >= 0:
        for number in range(first, first + entries):
            entry = wiring.program[number]
            passed += 1
            if entry.delay > newest:
                continue
            step = newest - entry.delay
            passed = max(passed, sample.began[k, step] + rows + 3)
            kind = 2
            for member in range(entry.member, wiring.program[number + 1].member):
                lane = wiring.members[member]
                position = entry.row * lanes + lane
                if kind == 0 and lane // GROUP != group:
                    kind = 1
                if sample.spikes[layer.spike_base + step * lanes * rows + position]:
                    token = tokens[count]
                    token.axon = position
                    token.kind = kind
                    token.pushed = passed + 3
                    count += 1
                    kind = 0
                    group = lane // GROUP
    token = tokens[count]
    token.axon = -1
    token.kind = 2
    token.pushed = passed + 4
    return int(passed + 4)


@compiled
def write_delayed(wiring: Wiring, state: State, sample: Sample, t: int, k: int) -> None:
    """Write the tokens of the delayed spikes of step t of layer k, and their mark."""
    layer = wiring.layers[k]
    write_program(wiring, state.delayed, sample, k, layer.program_base, layer.entries, t - 1, state.marked[k])


@compiled
def write_feed(wiring: Wiring, state: State, sample: Sample, t: int, k: int) -> None:
    """Write the tokens of what layer k gets in step t from the layer before, and the mark."""
    layer = wiring.layers[k - 1]
    if layer.onward_entries == 0:
        write_spikes(wiring, state, sample, t, k)
        return
    marked = sample.began[k - 1, t] + 2 + layer.rows
    state.sent[k - 1] = write_program(
        wiring, state.tokens, sample, k - 1, layer.onward_base, layer.onward_entries, t, marked
    )


@compiled
def integrate(wiring: Wiring, state: State, k: int, axon: int, taken: int) -> None:
    """Give the lanes of layer k the runs of an event that was taken."""
    layer = wiring.layers[k]
    pipeline = state.pipelines[layer.pipeline]
    index = layer.axon_base + axon
    for number in range(wiring.first_runs[index], wiring.first_runs[index + 1]):
        run = wiring.runs[number]
        loaded = push(state.lanes[layer.lane_base + run.lane], taken + FETCH, LONG_AGO, run.length)
        pipeline.first = min(pipeline.first, loaded)


@compiled
def take_step(wiring: Wiring, state: State, sample: Sample, t: int, k: int, turn: int) -> int:
    """Take all events of step t of layer k; returns the cycle in which its mark is taken.

    Always the first to be there of the next event from before and the next delayed one; the mark of the delayed ones
    from cycle `turn` on, and only then that of the step.
    """
    layer = wiring.layers[k]
    pipeline = state.pipelines[layer.pipeline]
    lanes = state.lanes[layer.lane_base : layer.lane_base + layer.lanes]
    feed = state.serializers[layer.feed]
    delays = state.delays[k]
    tokens, delayed = state.tokens, state.delayed
    grouped = layer.lanes > GROUP
    feed_grouped = k > 0 and wiring.layers[k - 1].lanes > GROUP
    if k > 0:
        write_feed(wiring, state, sample, t, k)
    before = sample.beats[t] if k == 0 else 0
    offered = due = NEVER
    waiting = -1
    complete = LONG_AGO
    late = 0
    if layer.recurrent:
        write_delayed(wiring, state, sample, t, k)
        due = offer(delays, 2, delayed[0].pushed, grouped)
    while True:
        if offered == NEVER:
            # The next event from before, or the mark.
            if k == 0:
                waiting = sample.axons[before] if before < sample.beats[t + 1] else -1
                offered = accept(state.gate[0], sample.start)
            else:
                token = tokens[before]
                waiting = token.axon
                if token.kind == 2:
                    rows_left = state.rows_left[layer.feed]
                    rows_left[feed.rows % len(rows_left)] = max(token.pushed + 1, feed.row)
                    feed.rows += 1
                offered = offer(feed, token.kind, token.pushed, feed_grouped)
        if due != NEVER and delayed[late].axon < 0:
            due = max(due, turn)
            complete = due + 1
            give(delays, due)
            due = NEVER
            continue
        taken = NEVER
        axon = -1
        if waiting >= 0:
            taken = has_room(max(pipeline.taken + 1, offered), lanes, wiring.room)
            axon = waiting
        if due != NEVER and not (waiting >= 0 and taken < due):
            taken = has_room(max(pipeline.taken + 1, due), lanes, wiring.room)
            axon = layer.inputs + delayed[late].axon
            give(delays, taken)
            late += 1
            due = offer(delays, delayed[late].kind, delayed[late].pushed, grouped)
        else:
            if waiting < 0:
                taken = has_room(max(pipeline.taken + 1, offered, complete), lanes, wiring.room)
            if k == 0:
                state.gate[0].popped_before = state.gate[0].popped
                state.gate[0].popped = taken
            else:
                give(feed, taken)
            before += 1
            offered = NEVER
        pipeline.taken = taken
        if axon < 0:
            state.marked[k] = taken
            return int(taken)
        integrate(wiring, state, k, axon, taken)
