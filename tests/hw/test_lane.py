import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from component_bench import Beat, Seen, play

from spikewright.pack import pack
from spikewright.spec import Decay, LayerImage, LayerSpec, NetworkSpec
from spikewright_hw.lane import Lane

BITS = 30


def image(weights: list[list[int]], *, lanes: int = 1, value_bits: int = 3, weight_shift: int = 0) -> LayerImage:
    """Of a layer with `weights[neuron][axon]`."""
    table = np.array(weights)
    neurons, inputs = table.shape
    layer = LayerSpec(
        inputs=inputs,
        neurons=neurons,
        weights=table,
        bias=np.zeros(neurons, dtype=np.int64),
        threshold=np.full(neurons, 1000),
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
    return pack(NetworkSpec(layers=(layer, readout), timesteps=4), lanes).layers[0]


def rows(layer: LayerImage, events: list[tuple[int, int]], lane: int = 0) -> list[Beat]:
    """The rows of (axon, value) in a lane, empty ones left out as the row fetch does."""
    return [
        (int(layer.indptr[axon, lane]), int(layer.lengths[axon, lane]), value)
        for axon, value in events
        if layer.lengths[axon, lane]
    ]


def run(layer: LayerImage, sent: list[Any], *, lane: int = 0, depth: int = 4, at: int = 8, **kwargs: Any) -> Seen:
    """Set membrane r to 100 * r, send `sent` from cycle `at` on, and read all membranes at the end.

    `watched["busy"]`, and the membranes as `watched["v"]`.
    """
    dut = Lane(layer, lane=lane, state_bits=BITS, queue_depth=depth, name="layer0")
    cycles = at + 40 + 2 * sum(row[1] for row in sent)
    read_from = cycles - layer.rows - 1

    def each(get: Callable[[Any], int], put: Callable[[Any, int], None], cycle: int) -> None:
        put(dut.state.write_en, cycle < layer.rows)
        put(dut.state.write_addr, min(cycle, layer.rows - 1))
        put(dut.state.write_data, 100 * cycle)
        put(dut.state.read_en, read_from <= cycle < cycles - 1)
        put(dut.state.read_addr, min(max(cycle - read_from, 0), layer.rows - 1))

    assert at >= layer.rows
    seen = play(
        dut,
        cycles,
        send={"rows": [(at, beat) for beat in sent]},
        each=each,
        watch={"busy": dut.busy, "v": dut.state.read_data},
        **kwargs,
    )
    assert not any(seen.watched["busy"][read_from:]), "the run was too short"
    seen.watched["v"] = seen.watched["v"][read_from + 1 :]
    return seen


def sums(layer: LayerImage, events: list[tuple[int, int]], lane: int = 0) -> list[int]:
    total = 100 * np.arange(layer.rows)
    for axon, value in events:
        for synapse in range(layer.indptr[axon, lane], layer.indptr[axon + 1, lane]):
            total[layer.indices[lane][synapse]] += (int(layer.data[lane][synapse]) << layer.spec.weight_shift) * value
    return [int(v) for v in total]


@pytest.mark.parametrize("lengths", [[1], [5], [1, 1, 1], [3, 1, 4]])
def test_row_of_n_synapses_takes_n_cycles_without_a_gap(lengths: list[int]) -> None:
    table = [[1 if neuron < length else 0 for length in lengths] for neuron in range(6)]
    layer = image(table)
    events = [(axon, 1) for axon in range(len(lengths))]
    seen = run(layer, rows(layer, events))
    assert seen.cycles("rows") == [8 + k for k in range(len(lengths))]
    # Offered to the walk one cycle after it was taken, issued from the next on, added in the third cycle after that.
    busy = [cycle for cycle, busy in enumerate(seen.watched["busy"]) if busy]
    assert busy == list(range(9, 10 + sum(lengths) + 3))
    assert seen.watched["v"] == sums(layer, events)


def test_full_queue_takes_a_row_one_cycle_after_it_gave_one() -> None:
    layer = image([[1], [1], [1], [1], [1]])
    seen = run(layer, rows(layer, [(0, 1)] * 5), depth=2)
    # Rows are popped in cycles 9, 14, 19, ...: as soon as the five synapses of the one before have been issued.
    assert seen.cycles("rows") == [8, 9, 10, 15, 20]
    assert seen.watched["v"] == [100 * row + 5 for row in range(5)]


@pytest.mark.parametrize("distance", [1, 2, 3, 4])
def test_synapses_of_the_same_neuron_close_behind_each_other(distance: int) -> None:
    """Rows of `distance` synapses, again and again: neuron 0 is hit every `distance` cycles."""
    layer = image([[3 + neuron] if neuron < distance else [0] for neuron in range(5)])
    events = [(0, 1 + k % 7) for k in range(12)]
    seen = run(layer, rows(layer, events))
    assert seen.watched["v"] == sums(layer, events)


@pytest.mark.parametrize("value_bits", [1, 3, 16])
@pytest.mark.parametrize("weight_shift", [0, 2])
def test_extreme_weights_and_values(value_bits: int, weight_shift: int) -> None:
    layer = image([[127, -127], [-127, 1], [-1, 127]], value_bits=value_bits, weight_shift=weight_shift)
    value = (1 << value_bits) - 1
    events = [(0, value), (1, value), (0, 1)]
    seen = run(layer, rows(layer, events))
    assert seen.watched["v"] == sums(layer, events)


def test_image_has_a_word_per_synapse_weight_above_row() -> None:
    layer = image([[5, 0], [0, 0], [-3, 7], [0, -1]])
    lane = Lane(layer, lane=0, state_bits=BITS, queue_depth=2, name="layer0")
    assert lane.rom.depth == 4
    assert len(lane.rom.data) == 2 + 8
    assert lane.rom._words == [0 | 5 << 2, 2 | (-3 & 255) << 2, 2 | 7 << 2, 3 | (-1 & 255) << 2]


@pytest.mark.parametrize("seed", range(4))
def test_random_rows_sum_up(seed: int) -> None:
    rng = random.Random(seed)
    lanes = (1, 2, 4, 2)[seed]
    neurons = rng.randint(1, 6 * lanes)
    density = rng.choice([0.2, 1.0])
    table = [[rng.randint(-127, 127) * (rng.random() < density) for _ in range(7)] for _ in range(neurons)]
    layer = image(table, lanes=lanes, weight_shift=seed % 2)
    events = [(rng.randrange(7), rng.randint(1, 7)) for _ in range(40)]
    lane = rng.randrange(min(lanes, neurons))
    seen = run(layer, rows(layer, events, lane), lane=lane, depth=rng.randint(2, 5), pause=lambda: rng.random() < 0.2)
    # Positions without a neuron keep what they had.
    assert seen.watched["v"] == sums(layer, events, lane), f"seed {seed}"
