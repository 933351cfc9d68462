"""Cycle model: when a core does what, without simulating it.

Every stage of the core takes its next item at the latest of a few earlier events, plus a constant. Following those
rules item by item gives the exact clock cycle of everything that happens, for any network, lanes and input, as long as
input is offered and output is taken without a pause. The constants are the latencies that the docstrings of
`spikewright_hw` promise; simulations compare both for equality.

Nothing waits for what comes later: the events of a step, in the order of the layers, depend on that step of the layers
before and on earlier steps of all layers. So the model goes step by step and, within it, layer by layer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .arrays import IntArray
from .compiled import compiled
from .errors import InputError
from .image import CoreSpec

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


@dataclass(frozen=True)
class SampleCycles:
    """Clock cycles of one sample, counted from the same origin as its `start`.

    Parameters
    ----------
    start : int
        The first beat is offered.
    accepted : int
        The last beat is taken; the next sample may be offered from the cycle after on.
    steps : (layers, T) integers
        The first row of every step is traced: `trace<k>_valid` with row 0.
    integrating : (layers,) integers
        Cycles of all lanes together, from the first synapse of the layer to its last mark, that belong to no sweep.
    done : int
        The class is taken.
    """

    start: int
    accepted: int
    steps: IntArray
    integrating: IntArray
    done: int

    @property
    def latency(self) -> int:
        """Cycles of the inference, the first and the last included."""
        return self.done - self.start + 1


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


@compiled
def _run(
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


class CycleModel:
    """Clock cycles of samples that pass through one core, one after the other.

    Starts idle, long after a reset. Calls of `run` continue one timeline, so that samples may follow each other
    closely.

    Parameters
    ----------
    core : CoreSpec
    """

    def __init__(self, core: CoreSpec) -> None:
        from .cycles_shared import run_shared  # made of what is defined here

        self._network = core.network
        self._images = core.layers
        self._run = _run if core.engine is None else run_shared
        self._lanes_before = np.cumsum([0, *(image.lanes for image in core.layers)])
        layers, runs, run_lanes, run_lengths = [], [np.zeros(1, dtype=np.int64)], [], []
        program: list[tuple[int, int, int]] = []
        members: list[int] = []
        axon_base = 0
        for image, lane_base in zip(core.layers, self._lanes_before.tolist(), strict=False):
            spec = image.spec
            lengths = image.lengths
            axon, lane = np.nonzero(lengths)
            runs.append(runs[-1][-1] + np.cumsum(np.bincount(axon, minlength=spec.axons)))
            run_lanes.append(lane)
            run_lengths.append(lengths[axon, lane])
            entries = image.program
            layer = {
                _LANES: image.lanes,
                _ROWS: image.rows,
                _INPUTS: spec.inputs,
                _SPIKING: not spec.readout,
                _RECURRENT: spec.recurrent,
                _AXON_BASE: axon_base,
                _LANE_BASE: lane_base,
                _PROGRAM_BASE: len(program),
                _ENTRIES: len(entries),
                _CLASSES: spec.neurons,
            }
            layers.append([int(layer.get(column, 0)) for column in range(_COLUMNS)])
            for entry in entries:
                program.append((entry.delay, entry.row, len(members)))
                members += entry.lanes
            axon_base += spec.axons
        program.append((0, 0, len(members)))
        count = len(core.layers)
        most = max(image.rows for image in core.layers)
        positions = max(image.rows * image.lanes for image in core.layers)
        self._layers = np.array(layers, dtype=np.int64)
        self._wiring = (
            np.concatenate(runs),
            np.concatenate(run_lanes),
            np.concatenate(run_lengths),
            np.array(program, dtype=np.int64),
            np.array(members, dtype=np.int64),
        )
        cycles = np.full((count, 6), _LONG_AGO, dtype=np.int64)
        cycles[:, _ROWS_SENT] = 0
        cycles[:, _FIRST] = _NEVER
        count_lanes = int(self._lanes_before[-1]) if core.engine is None else core.engine.lanes
        lanes = np.full((count_lanes, 4), _LONG_AGO, dtype=np.int64)
        lanes[:, _GIVEN_RUNS] = 0
        self._state = (
            np.full(5, _LONG_AGO, dtype=np.int64),
            cycles,
            np.full((count, 5), _LONG_AGO, dtype=np.int64),
            np.full((count, 5), _LONG_AGO, dtype=np.int64),
            lanes,
            np.zeros((len(lanes), _KEPT), dtype=np.int64),
            np.zeros((len(lanes), _KEPT), dtype=np.int64),
            np.zeros((count, 2 * most + 4), dtype=np.int64),
            np.zeros((positions + 1, 3), dtype=np.int64),
            np.zeros((positions + 1, 3), dtype=np.int64),
        )
        self._room = core.queue_depth - _MARGIN

    def _check(self, values: npt.NDArray[np.integer], spikes: list[npt.NDArray[np.bool_]]) -> None:
        network = self._network
        if values.shape != (network.timesteps, network.inputs):
            raise InputError(
                f"values must be ({network.timesteps} steps, {network.inputs} channels), not {values.shape}"
            )
        expected = [(network.timesteps, layer.neurons) for layer in network.layers[:-1]]
        if [of_layer.shape for of_layer in spikes] != expected:
            raise InputError(
                f"spikes must be (steps, neurons) of every spiking layer, {expected}, "
                f"not {[of_layer.shape for of_layer in spikes]}"
            )

    def run(self, values: npt.NDArray[np.integer], spikes: list[npt.NDArray[np.bool_]], start: int) -> SampleCycles:
        """Predict one sample.

        Parameters
        ----------
        values : (T, inputs) integers
        spikes : per spiking layer, (T, neurons) bool
            Of the integer network, neurons in the order of the network.
        start : int
            Cycle from which the first beat is offered.

        Raises
        ------
        InputError
            If a shape does not fit the network.
        """
        steps = len(values)
        self._check(values, spikes)
        step, axons = np.nonzero(values)
        beats = np.concatenate([[0], np.cumsum(np.bincount(step, minlength=steps))])
        layers = self._layers.copy()
        flat = []
        base = 0
        for of_layer, image, layer in zip(spikes, self._images, layers, strict=False):
            by_position = np.zeros((steps, image.rows * image.lanes), dtype=np.bool_)
            by_position[:, : image.spec.neurons] = of_layer[:, image.order]
            layer[_SPIKE_BASE] = base
            flat.append(by_position.reshape(-1))
            base += by_position.size
        began = np.zeros((len(layers), steps), dtype=np.int64)
        integrating = np.zeros(len(layers), dtype=np.int64)
        done = self._run(
            start,
            beats,
            axons,
            np.concatenate([*flat, np.zeros(0, dtype=np.bool_)]),
            layers,
            *self._wiring,
            *self._state,
            self._room,
            began,
            integrating,
        )
        accepted = int(self._state[0][_ACCEPTED])
        return SampleCycles(start=start, accepted=accepted, steps=began + 2, integrating=integrating, done=done)
