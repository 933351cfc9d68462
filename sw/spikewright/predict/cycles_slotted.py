"""Cycle model of a slotted core, see `cycles`: its sources of events cycle by cycle, all else by constants.

numba keeps what it compiled until this file changes, also where `stages` or `records` did; so change all together.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from spikewright.contract.cores import SlottedCore
from spikewright.contract.integers import IntArray
from spikewright.predict.records import GATE, LONG_AGO, Record, Records, Sample, record, records
from spikewright.predict.stages import accept
from spikewright.support.compiled import compiled

# Latencies of `spikewright_hw`.
LEAST = 6  # SlotUpdate.LEAST
STEPS = 4  # slotted.STEPS
HELD = 3  # SlotRing.HELD
MASK = 4  # RowMask.LATENCY
QUEUE = 2  # RamQueue
ASKED = 7  # from the start of a step of `SlotRing` to the first row of spikes that it gets

LAYER = record(
    "lanes", "rows", "inputs", "neurons", "spiking", "recurrent", "reads", "least", "latency", "shortest", "values",
    "axon_base", "delay_base", "spike_base",
)  # fmt: skip
"""A layer: what it is; how much of the value of an event it reads at once; where its part of all arrays begins."""
SOURCE = record("ended", "offered", "fetched", "left", "pace", "ready", "popped", "late_popped", "ring", "steps")
"""A source: the cycle of its last mark; how many more words wait to be read for the events that are offered, looked up,
read; its `StepPace`; when rows of spikes last left the queues, and the ring last started; how many steps ever ended."""


class Wires(NamedTuple):
    """A core: layers; of every axon how many words it has; delays and orders of its rows."""

    layers: Records
    words: IntArray
    delays: IntArray


class Rows(NamedTuple):
    """Rows of spikes of a step: when each was put into its queue, and its part of `axons`."""

    pushed: IntArray
    first: IntArray
    axons: IntArray


class SlottedState(NamedTuple):
    """What a core is at, from sample to sample: `ended` has the last `STEPS` marks of every layer."""

    gate: Records
    sources: Records
    ended: IntArray
    ring: IntArray
    answered: IntArray


class SlottedRuns:
    """Runs samples through one slotted core, one after the other.

    Parameters
    ----------
    core : SlottedCore
    """

    def __init__(self, core: SlottedCore) -> None:
        count = len(core.layers)
        layers = records(LAYER, count)
        words: list[IntArray] = []
        delays: list[IntArray] = []
        spike_base = 0
        for index, slots in enumerate(core.slots):
            image, spec, layer = slots.image, slots.image.spec, layers[index]
            layer.lanes, layer.rows, layer.inputs, layer.neurons = image.lanes, image.rows, spec.inputs, spec.neurons
            layer.spiking, layer.recurrent, layer.reads = not spec.readout, spec.recurrent, slots.reads
            layer.least = max(image.rows, LEAST)
            # What is multiplied is read once.
            layer.values = (1 << spec.value_bits) - 1 if slots.multiplies else slots.values
            layer.latency = 8 + slots.product_cycles + (slots.reads > 1)
            layer.axon_base, layer.delay_base = sum(len(each) for each in words), sum(len(each) for each in delays)
            layer.spike_base = spike_base
            spike_base += core.network.timesteps * image.rows * image.lanes
            words.append(slots.counts)
            of_layer = np.zeros(spec.neurons, dtype=np.int64) if spec.delays is None else spec.delays[image.order]
            delays.append(of_layer)
            layer.shortest = of_layer.min()
        self._wires = Wires(layers, np.concatenate(words), np.concatenate(delays))
        self._state = SlottedState(
            gate=records(GATE, 1),
            sources=records(SOURCE, count, offered=0, fetched=0, left=0, pace=0, ready=1, steps=0),
            ended=np.full((count, STEPS), LONG_AGO, dtype=np.int64),
            ring=np.full((count, core.network.timesteps + 1), LONG_AGO, dtype=np.int64),
            answered=np.full(1, LONG_AGO, dtype=np.int64),
        )
        self._classes = core.network.classes
        self._beat_events = core.beat_events

    def run(self, sample: Sample) -> tuple[int, int]:
        """See `engines.Runs`."""
        done = _run(self._wires, self._state, sample, self._classes, self._beat_events)
        return int(self._state.gate[0].accepted), done


@compiled
def rows_of(
    wires: Wires, layer: Record, axons: int, spikes: npt.NDArray[np.bool_], lanes: int, rows: int, pushed: int
) -> Rows:
    """The rows of a step that come into a queue, one a cycle from `pushed` on: those with a spike, and the last.

    `axons` is the number of the axon, of those of all layers, of the first position.
    """
    times = np.zeros(rows, dtype=np.int64)
    first = np.zeros(rows + 1, dtype=np.int64)
    found = np.zeros(len(spikes), dtype=np.int64)
    entries = count = 0
    for row in range(rows):
        before = count
        for position in range(row * lanes, min((row + 1) * lanes, len(spikes))):
            if spikes[position] and wires.words[axons + position] > 0:
                found[count] = axons + position
                count += 1
        if count > before or row == rows - 1:
            times[entries] = pushed + row
            entries += 1
            first[entries] = count
    return Rows(times[:entries], first[: entries + 1], found[:count])


@compiled
def move(source: Record, more: int) -> None:
    """The pipeline of `WordFetch` takes another slot, whose axons have so many `more` words than one."""
    source.left = source.fetched
    source.fetched = source.offered
    source.offered = more


@compiled
def mark_out(source: Record, cycle: int) -> int:
    """When a mark that is offered in `cycle`, with the last events or alone, is told to the lanes.

    It waits for the words of the events that are looked up and read before it, then for those that come with it.
    """
    return int(cycle + 2 + source.left + source.fetched + source.offered)


@compiled
def pace(source: Record, least: int, moves: bool, mark: bool) -> None:
    """A cycle of `StepPace`."""
    source.ready = (source.pace == 0 or (source.pace == 1 and moves)) and not mark
    if mark:
        source.pace = least - 1
    elif moves and source.pace > 0:
        source.pace -= 1


@compiled
def settle(source: Record, cycle: int) -> int:
    """The cycle from which on a source is followed, if nothing comes before `cycle`."""
    begin = source.ended + 1
    if cycle - begin > 64:
        source.offered = source.fetched = source.left = source.pace = 0
        source.ready = 1
        begin = cycle
    return int(begin)


@compiled
def delayed_rows(wires: Wires, state: SlottedState, sample: Sample, t: int, k: int) -> Rows:
    """The rows of delayed spikes of a step, or none where it is too early for any."""
    layer = wires.layers[k]
    size = layer.lanes * layer.rows
    spikes = np.zeros(size, dtype=np.bool_)
    if t <= layer.shortest:
        return rows_of(wires, layer, layer.axon_base + layer.inputs, spikes[:0], layer.lanes, 0, 0)
    ring = state.ring[k]
    start = sample.began[k, t - 1 - layer.shortest] + 2 + layer.rows + 1
    start = max(start, ring[t - 1] + layer.rows + 1)
    if t - HELD > layer.shortest:
        start = max(start, state.ended[k, (state.sources[k].steps - HELD) % STEPS] + 1)
    ring[t] = start
    for position in range(layer.neurons):
        step = t - 1 - wires.delays[layer.delay_base + position]
        if step >= 0:
            spikes[position] = sample.spikes[layer.spike_base + step * size + position]
    pushed = start + ASKED + MASK
    return rows_of(
        wires, layer, layer.axon_base + layer.inputs, spikes[: layer.neurons], layer.lanes, layer.rows, pushed
    )


@compiled
def has_room(wires: Wires, state: SlottedState, sample: Sample, t: int, k: int) -> int:
    """From which cycle on a step may end: the next layer has taken enough, the answer before is out."""
    if not wires.layers[k].spiking:
        return int(state.answered[0] + 1)
    if state.sources[k].steps < STEPS:
        return LONG_AGO
    # The next layer has ended as many steps as this one so far.
    return int(state.ended[k + 1, state.sources[k].steps % STEPS] + 1)


@compiled
def stream_step(wires: Wires, state: SlottedState, sample: Sample, t: int, k: int, late: Rows, together: int) -> int:
    """The cycle in which the first layer takes the mark of a step, whose events come so many `together`."""
    layer, source, gate = wires.layers[k], state.sources[k], state.gate[0]
    room = has_room(wires, state, sample, t, k)
    entry = 0
    at = to = 0
    done = len(late.pushed) == 0
    beat = first = behind = sample.beats[t]
    sent = 0  # of the values of the events `first` to `behind`
    offered = accept(gate, sample.start)
    cycle = settle(source, min(offered, late.pushed[0] if not done else offered))
    while True:
        moves = source.left == 0
        more = 0
        mark = False
        is_mark = beat == sample.beats[t + 1]
        complete = done and at == to
        taken = offered <= cycle and moves and first == behind
        if is_mark:
            taken = taken and complete and source.ready == 1 and room <= cycle
            mark = taken
        elif taken:
            first, behind, sent = beat, min(beat + together, sample.beats[t + 1]), 0
        if moves and first < behind:
            left = 0
            for event in range(first, behind):
                if sample.values[event] > sent:
                    more = max(more, wires.words[layer.axon_base + sample.axons[event]] - 1)
                    left = max(left, sample.values[event] - sent - layer.values)
            sent += layer.values
            if left <= 0:
                first = behind
        if moves and at < to:
            more = max(more, wires.words[late.axons[at]] - 1)
        wants = moves and to - at <= 1
        if moves and at < to:
            at += 1
        if wants and not done and max(late.pushed[entry] + QUEUE, source.late_popped + 1) <= cycle:
            source.late_popped = cycle
            at, to = late.first[entry], late.first[entry + 1]
            entry += 1
            done = entry == len(late.pushed)
        pace(source, layer.least, moves, mark)
        if moves:
            move(source, more)
        else:
            source.left -= 1
        if taken:
            gate.popped_before = gate.popped
            gate.popped = cycle
            if mark:
                return int(cycle)
            beat = min(beat + together, sample.beats[t + 1])
            offered = accept(gate, sample.start)
        cycle += 1


@compiled
def row_step(wires: Wires, state: SlottedState, sample: Sample, t: int, k: int, feed: Rows, late: Rows) -> int:
    """The cycle in which a layer that is fed by another ends a step."""
    layer, source = wires.layers[k], state.sources[k]
    room = has_room(wires, state, sample, t, k)
    at, to = np.zeros(2, dtype=np.int64), np.zeros(2, dtype=np.int64)
    of_late, gives, wants = np.zeros(2, dtype=np.bool_), np.zeros(2, dtype=np.bool_), np.zeros(2, dtype=np.bool_)
    entry = late_entry = 0
    done, late_done = False, len(late.pushed) == 0
    ports = layer.reads
    cycle = settle(source, min(feed.pushed[0], late.pushed[0] if not late_done else feed.pushed[0]))
    # In the cycle in which the step before ends, rows are taken already.
    ending = cycle == source.ended + 1
    if ending:
        cycle -= 1
    while True:
        moves = ending or source.left == 0
        for port in range(ports):
            other = 1 - port
            gives[port] = ports == 2 and to[port] - at[port] >= 2 and at[other] == to[other]
        all_want = True
        for port in range(ports):
            wants[port] = moves and to[port] - at[port] <= 1 + gives[port]
            all_want = all_want and wants[port]
        mark = done and late_done and all_want and source.ready == 1 and room <= cycle
        offered = not done and max(feed.pushed[entry] + QUEUE, source.popped + 1) <= cycle
        late_offered = not late_done and max(late.pushed[late_entry] + QUEUE, source.late_popped + 1) <= cycle
        # `SlotRing.early` is still that of the step before.
        late_offered = late_offered and not (ending and t - 1 <= layer.shortest)
        more = 0
        for port in range(ports):
            if moves and at[port] < to[port]:
                axons = late.axons if of_late[port] else feed.axons
                more = max(more, wires.words[axons[at[port]]] - 1)
                at[port] += 1
                if gives[port]:
                    to[port] -= 1
                    more = max(more, wires.words[axons[to[port]]] - 1)
        for port in range(ports):
            other_wants = ports == 2 and wants[1 - port]
            if not wants[port]:
                continue
            if port == 0:
                from_feed = offered
                from_late = late_offered and not offered and not other_wants
            else:
                from_feed = offered and not late_offered and not other_wants
                from_late = late_offered
            if from_feed:
                source.popped = cycle
                at[port], to[port], of_late[port] = feed.first[entry], feed.first[entry + 1], False
                entry += 1
                done = entry == len(feed.pushed)
            elif from_late:
                source.late_popped = cycle
                at[port], to[port], of_late[port] = late.first[late_entry], late.first[late_entry + 1], True
                late_entry += 1
                late_done = late_entry == len(late.pushed)
        if not ending:
            pace(source, layer.least, moves, mark)
            if moves:
                move(source, more)
            else:
                source.left -= 1
            if mark:
                return int(cycle)
        ending = False
        cycle += 1


@compiled
def _run(wires: Wires, state: SlottedState, sample: Sample, classes: int, together: int) -> int:
    steps = len(sample.beats) - 1
    done = 0
    for t in range(steps):
        for k in range(len(wires.layers)):
            layer, source = wires.layers[k], state.sources[k]
            late = (
                delayed_rows(wires, state, sample, t, k)
                if layer.recurrent
                else Rows(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
            )
            if k == 0:
                ended = stream_step(wires, state, sample, t, k, late, together)
            else:
                before = wires.layers[k - 1]
                size = before.lanes * before.rows
                base = before.spike_base + t * size
                pushed = sample.began[k - 1, t] + 2 + MASK
                feed = rows_of(
                    wires, layer, layer.axon_base, sample.spikes[base : base + before.neurons], before.lanes,
                    before.rows, pushed,
                )  # fmt: skip
                ended = row_step(wires, state, sample, t, k, feed, late)
            first = mark_out(source, ended + 1) + layer.latency
            sample.began[k, t] = first - 2
            source.ended = ended
            state.ended[k, source.steps % STEPS] = ended
            source.steps += 1
            if t == steps - 1:
                sample.integrating[k] = layer.lanes * (ended - sample.start)
                if not layer.spiking:
                    done = first + layer.rows + 2 * classes + 1
                    state.answered[0] = done
    return int(done)
