import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from component_bench import Beat, play

from spikewright.contract.decay import Decay
from spikewright.contract.encoding import encoding_names
from spikewright.contract.image import LayerImage
from spikewright.contract.layer import LayerSpec
from spikewright.contract.network import NetworkSpec
from spikewright.layout.pack import pack
from spikewright_hw.lane import Lane
from spikewright_hw.rows import RowFetch

BITS = 30
NEVER = 1 << 24


def image(
    weights: list[list[int]],
    encoding: str = "absolute",
    *,
    lanes: int = 1,
    value_bits: int = 3,
    weight_shift: int = 0,
    bias: int = 0,
) -> LayerImage:
    """Of a layer with `weights[neuron][axon]` that keeps half of its membrane, and never fires."""
    table = np.array(weights)
    neurons, inputs = table.shape
    layer = LayerSpec(
        inputs=inputs,
        neurons=neurons,
        weights=table,
        bias=np.full(neurons, bias),
        threshold=np.full(neurons, NEVER),
        delays=None,
        decay=Decay(1, 1),
        value_bits=value_bits,
        weight_shift=weight_shift,
    )
    readout = LayerSpec(
        inputs=neurons,
        neurons=2,
        weights=np.ones((2, neurons), dtype=np.int64),
        bias=np.zeros(2, dtype=np.int64),
        threshold=None,
        delays=None,
        decay=Decay(1, 1),
    )
    return pack(NetworkSpec(layers=(layer, readout), timesteps=4), lanes, encoding=encoding).layers[0]


def runs(layer: LayerImage, events: list[tuple[int, int]], lane: int = 0) -> list[Beat]:
    """The runs of (axon, value) in a lane, empty ones left out as the row fetch does."""
    return [
        (int(layer.starts[axon, lane]), layer.extent(axon, lane), value, 0)
        for axon, value in events
        if layer.lengths[axon, lane]
    ]


encodings = pytest.mark.parametrize("encoding", encoding_names())
MARK, LAST = (0, 0, 0, 1), (1, 0, 0, 1)


@dataclass
class Steps:
    """What a lane showed; `v` by step and row, `room` and `started` by cycle, `began` when the join read a step."""

    v: list[list[int]] = field(default_factory=list)
    began: list[int] = field(default_factory=list)
    room: list[int] = field(default_factory=list)
    started: list[int] = field(default_factory=list)
    flags: list[tuple[int, int]] = field(default_factory=list)


def run(
    layer: LayerImage,
    sent: list[Any],
    *,
    lane: int = 0,
    depth: int = 16,
    at: int = 20,
    wait: int = 0,
    cycles: int = 0,
    respect_room: bool = True,
) -> Steps:
    """Send `sent` from cycle `at` on, one a cycle while there is room; read every step `wait` cycles after it began."""
    dut = Lane(layer, lane=lane, state_bits=BITS, queue_depth=depth, name="layer0")
    seen = Steps()
    waiting = [beat if len(beat) == 2 else (at, beat) for beat in sent]
    reading: list[int | None] = [None]

    def each(get: Callable[[Any], int], put: Callable[[Any, int], None], cycle: int) -> None:
        # As the join does: a row is asked for from the cycle after the step began on, and seen one cycle later.
        asked = reading[0]
        if asked is not None:
            if asked >= 0:
                seen.v[-1].append(get(dut.v))
            reading[0] = asked + 1 if asked + 1 < layer.rows else None
        seen.room.append(get(dut.room))
        seen.started.append(get(dut.started))
        begins = reading[0] is None and get(dut.started) and seen.started[-2 - wait :] == [1] * (2 + wait)
        put(dut.clear, begins)
        if begins:
            seen.began.append(cycle)
            seen.flags.append((get(dut.flags.last), get(dut.flags.error)))
            seen.v.append([])
            reading[0] = -1
        put(dut.row, max(reading[0] or 0, 0))
        ready = waiting and waiting[0][0] <= cycle and (seen.room[-1] or not respect_room)
        put(dut.runs.valid, bool(ready))
        if ready:
            start, synapses, value, mark = waiting.pop(0)[1]
            payload = dut.runs.payload
            fields = [(payload.what.run.start, start), (payload.what.run.synapses, synapses), (payload.mark, mark)]
            if layer.spec.value_bits > 1:  # otherwise it has no bits
                fields.append((payload.value, value))
            for to, number in fields:
                put(to, number)

    play(dut, cycles or at + 60 + sum(2 + layer.rows for beat in sent), each=each)
    assert not waiting
    return seen


def sums(layer: LayerImage, events: list[tuple[int, int]], lane: int = 0) -> list[int]:
    total = np.zeros(layer.rows, dtype=np.int64)
    for axon, value in events:
        neurons = layer.order[lane :: layer.lanes]
        total[: len(neurons)] += (layer.spec.weights[neurons, axon] << layer.spec.weight_shift) * value
    return [int(v) for v in total]


@encodings
@pytest.mark.parametrize("lengths", [[], [1], [5], [1, 1, 1], [3, 1, 4]])
def test_run_of_n_synapses_takes_n_cycles_without_a_gap(lengths: list[int], encoding: str) -> None:
    table = [[1 if neuron < length else 0 for length in lengths or [0]] for neuron in range(6)]
    layer = image(table, encoding)
    events = [(axon, 1) for axon in range(len(lengths))]
    seen = run(layer, [*runs(layer, events), MARK])
    # Offered by the queue two cycles after it was pushed; the mark leaves it with the last synapse before.
    left = max(20 + 2 + sum(lengths), 20 + 2 + len(lengths))
    assert seen.started.index(1) == left + 5
    assert seen.v == [sums(layer, events)]


def test_sweep_takes_a_cycle_per_row_and_a_pause() -> None:
    layer = image([[1], [1], [1]])
    seen = run(layer, [MARK, MARK, MARK])
    starts = [cycle for cycle in range(1, len(seen.started)) if seen.started[cycle] > seen.started[cycle - 1]]
    assert starts == [27, 27 + layer.rows + Lane.PAUSE, 27 + 2 * (layer.rows + Lane.PAUSE)]


def test_next_mark_waits_until_the_step_was_read() -> None:
    layer = image([[1], [2]])
    seen = run(layer, [MARK, *runs(layer, [(0, 3)]), LAST], wait=30, cycles=160)
    assert seen.began[1] > seen.began[0] + 30
    assert seen.v == [[0, 0], [3, 6]]
    assert seen.flags == [(0, 0), (1, 0)]


def test_room_leaves_the_margin() -> None:
    layer = image([[1], [1]])
    events = [(0, 1)] * 16
    seen = run(layer, runs(layer, events), depth=16, respect_room=False)
    # Two runs leave the memory at once: one is walked, one is offered. Each takes two cycles.
    level, walked = 0, 20
    for cycle in range(20, 36):
        assert seen.room[cycle] == (level <= 16 - RowFetch.MARGIN), cycle
        level += 1
        if cycle == walked + 1 or (cycle > 21 and cycle % 2 == 0):
            level -= 1
            walked = cycle


@encodings
@pytest.mark.parametrize("distance", [1, 2, 3, 4])
def test_synapses_of_the_same_neuron_close_behind_each_other(distance: int, encoding: str) -> None:
    """Runs of `distance` synapses, again and again: neuron 0 is hit every `distance` cycles, and swept right after."""
    layer = image([[3 + neuron] if neuron < distance else [0] for neuron in range(5)], encoding)
    events = [(0, 1 + k % 7) for k in range(12)]
    seen = run(layer, [*runs(layer, events), MARK])
    assert seen.v == [sums(layer, events)]


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_steps_follow_each_other_without_losing_a_synapse(rows: int) -> None:
    """The first run of a step hits the rows that were swept last."""
    layer = image([[7 * (row + 1)] for row in range(rows)], bias=10)
    seen = run(layer, [MARK, *runs(layer, [(0, 1)]), MARK, *runs(layer, [(0, 2)]), LAST, MARK])
    state = np.full(rows, 10)
    add = 7 * np.arange(1, rows + 1)
    expected = [state]
    for value in (1, 2):
        expected.append(expected[-1] // 2 + 10 + value * add)
    assert seen.v == [*(step.tolist() for step in expected), [10] * rows]


@pytest.mark.parametrize("value_bits", [1, 3, 16])
@pytest.mark.parametrize("weight_shift", [0, 2])
def test_extreme_weights_and_values(value_bits: int, weight_shift: int) -> None:
    layer = image([[127, -127], [-127, 1], [-1, 127]], value_bits=value_bits, weight_shift=weight_shift)
    value = (1 << value_bits) - 1
    events = [(0, value), (1, value), (0, 1)]
    seen = run(layer, [*runs(layer, events), MARK])
    total = np.array(sums(layer, events))
    assert seen.v == [np.where(total >= NEVER, 0, total).tolist()]


@encodings
def test_image_has_a_word_per_synapse_weight_above_what_tells_the_row(encoding: str) -> None:
    layer = image([[5, 0], [0, 0], [-3, 7], [0, -1], [0, 9]], encoding)
    lane = Lane(layer, lane=0, state_bits=BITS, queue_depth=8, name="layer0")
    row = {int(neuron): row for row, neuron in enumerate(layer.order)}
    bits = {"absolute": 3, "relative": layer.index_bits, "bitmap": 0}[encoding]
    assert lane.rom.depth == 5
    assert len(lane.rom.data) == bits + 8
    words = []
    for synapses in ([(row[0], 5), (row[2], -3)], [(row[2], 7), (row[3], -1), (row[4], 9)]):
        before = -1
        for at, weight in sorted(synapses):
            index = {"absolute": at, "relative": at - before - 1, "bitmap": 0}[encoding]
            words.append(index | (weight & 255) << bits)
            before = at
    assert lane.rom.words == words


def test_the_distance_of_neighbours_takes_no_bits() -> None:
    layer = image([[neuron + 1, -neuron] if neuron else [1, 1] for neuron in range(6)], "relative")
    assert layer.index_bits == 0
    seen = run(layer, [*runs(layer, [(0, 1), (1, 3)]), MARK])
    assert seen.v == [sums(layer, [(0, 1), (1, 3)])]


@encodings
@pytest.mark.parametrize("rows", [1, 2, 33, 64])
def test_lanes_of_one_to_many_rows(rows: int, encoding: str) -> None:
    """The first and the last row alone, all, and every third."""
    table = [[neuron == 0, neuron == rows - 1, 1 + neuron, (neuron % 3 == 1) * neuron] for neuron in range(rows)]
    layer = image([[int(weight) for weight in of_neuron] for of_neuron in table], encoding)
    events = [(axon, 1 + axon) for axon in (2, 0, 1, 3, 3, 2, 1, 0)]
    seen = run(layer, [*runs(layer, events), MARK, *runs(layer, events[3:]), MARK], cycles=80 + 9 * rows)
    first = np.array(sums(layer, events))
    assert seen.v == [first.tolist(), (first // 2 + sums(layer, events[3:])).tolist()]


@encodings
@pytest.mark.parametrize("seed", range(4))
def test_random_steps_equal_the_equations(seed: int, encoding: str) -> None:
    rng = random.Random(seed)
    lanes = (1, 2, 4, 2)[seed]
    neurons = rng.randint(lanes, 6 * lanes)
    density = rng.choice([0.2, 1.0])
    table = [[rng.randint(-127, 127) * (rng.random() < density) for _ in range(7)] for _ in range(neurons)]
    layer = image(table, encoding, lanes=lanes, weight_shift=seed % 2, bias=-3)
    lane = rng.randrange(layer.lanes)
    sent: list[Any] = []
    expected: list[list[int]] = []
    bias = layer.by_position(layer.spec.bias, 0)[:, lane]
    state = bias
    for _ in range(12):
        events = [(rng.randrange(7), rng.randint(1, 7)) for _ in range(rng.choice([0, 1, 6]))]
        last = rng.randrange(2)
        sent += [*runs(layer, events, lane), LAST if last else MARK]
        state = state + sums(layer, events, lane)
        expected.append(state.tolist())
        state = bias if last else state // 2 + bias
    seen = run(layer, sent, lane=lane, wait=rng.randrange(5), cycles=1200)
    assert seen.v == expected, f"seed {seed}"
