import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from component_bench import Beat, Seen, play

from random_networks import random_network
from spikewright.contract.encoding import encoding_names
from spikewright.contract.image import LayerImage
from spikewright.contract.network import NetworkSpec
from spikewright.layout.pack import pack
from spikewright_hw.rows import RowFetch

MARK = (0, 0, 1, 0, 0)


def image(
    seed: int, lanes: int, density: float = 0.5, empty: tuple[int, ...] = (), encoding: str = "absolute"
) -> LayerImage:
    """A layer of 9 axons whose rows `empty` have no synapse."""
    network = random_network(seed, (9, 11, 3), density=density, value_bits=3)
    weights = network.layers[0].weights.copy()
    weights[:, list(empty)] = 0
    layer = replace(network.layers[0], weights=weights)
    network = NetworkSpec(layers=(layer, network.layers[1]), timesteps=network.timesteps)
    return pack(network, lanes, encoding=encoding).layers[0]


def event(axon: int, value: int = 1) -> Beat:
    return (axon, value, 0, 0, 0)


def run(
    layer: LayerImage,
    beats: list[Any],
    cycles: int,
    room: Callable[[int], int] = lambda cycle: -1,
    pause: Callable[[], bool] = lambda: False,
) -> tuple[Seen, list[list[tuple[int, Beat]]]]:
    """Transfers of the events, and per lane its runs as (cycle, (start, synapses, value, mark))."""
    dut = RowFetch(layer, name="layer0")
    runs: list[list[tuple[int, Beat]]] = [[] for _ in range(layer.lanes)]

    def each(get: Callable[[Any], int], put: Callable[[Any, int], None], cycle: int) -> None:
        put(dut.room, room(cycle) & ((1 << layer.lanes) - 1))
        for lane, port in enumerate(dut.runs):
            if get(port.valid):
                of_run = port.payload.what.run
                fields = (of_run.start, of_run.synapses, port.payload.value, port.payload.mark)
                runs[lane].append((cycle, tuple(map(get, fields))))

    return play(dut, cycles, send={"events": beats}, each=each, pause=pause), runs


def expected_runs(layer: LayerImage, beats: list[Beat], lane: int) -> list[Beat]:
    runs: list[Beat] = []
    for beat in beats:
        assert isinstance(beat, tuple)
        axon, value, mark, last, error = beat
        if mark:
            runs.append((last, error, 0, 1))
        elif layer.lengths[axon, lane]:
            runs.append((int(layer.starts[axon, lane]), layer.extent(axon, lane), value, 0))
    return runs


def clean(runs: list[tuple[int, Beat]]) -> list[Beat]:
    """The fields of a mark that mean nothing set to 0."""
    found: list[Beat] = []
    for _, beat in runs:
        assert isinstance(beat, tuple)
        found.append((beat[0] & 1, beat[1] & 1, 0, 1) if beat[3] else beat)
    return found


def test_runs_leave_four_cycles_after_their_event_one_event_a_cycle() -> None:
    layer = image(1, 2, density=1.0)
    beats = [*(event(axon, 1 + axon % 7) for axon in range(9)), MARK]
    seen, runs = run(layer, beats, 16)
    # Room of two cycles before counts, so nothing is taken in the first two.
    assert seen.cycles("events") == list(range(2, 12))
    for lane in range(2):
        assert [cycle for cycle, _ in runs[lane]] == [cycle + 4 for cycle in range(2, 12)]
        assert clean(runs[lane]) == expected_runs(layer, beats, lane)


def test_lanes_without_synapses_get_no_run() -> None:
    layer = image(2, 1, density=1.0, empty=(0, 4, 8))
    seen, runs = run(layer, [event(axon) for axon in range(9)], 16)
    assert seen.cycles("events") == list(range(2, 11))
    assert [cycle - 6 for cycle, _ in runs[0]] == [axon for axon in range(9) if axon not in (0, 4, 8)]


def test_an_event_needs_room_in_all_lanes_two_cycles_before() -> None:
    layer = image(3, 4, density=1.0)
    seen, runs = run(layer, [event(axon) for axon in range(6)], 30, lambda cycle: 0b1111 if cycle % 3 == 1 else 0b1011)
    assert seen.cycles("events") == [3, 6, 9, 12, 15, 18]
    # What was taken is not held up.
    assert [cycle for cycle, _ in runs[0]] == [7, 10, 13, 16, 19, 22]


def test_no_more_events_than_the_margin_follow_a_queue_that_fills_up() -> None:
    layer = image(3, 2, density=1.0)
    _, runs = run(layer, [event(axon % 9) for axon in range(20)], 50, lambda cycle: 0 if 10 <= cycle < 30 else -1)
    # The last cycle with room is 9, and a level counts what left the fetch before its cycle.
    assert sum(9 <= cycle < 30 for cycle, _ in runs[0]) == RowFetch.MARGIN


@pytest.mark.parametrize("encoding", encoding_names())
def test_words_have_a_base_and_a_pointer_per_lane(encoding: str) -> None:
    layer = image(5, 4, empty=(3,), encoding=encoding)
    fetch = RowFetch(layer, name="layer0")
    assert fetch.rom.depth == 9
    assert layer.extent_bits == (3 if encoding == "bitmap" else layer.length_bits)
    size = layer.offset_bits + layer.extent_bits
    present = layer.by_position(np.arange(11), -1)  # neuron by row and lane
    assert 0 < layer.offset_bits < layer.start_bits
    assert len(fetch.rom.data) == layer.start_bits + 4 * size == layer.pointer_bits
    for axon, word in enumerate(fetch._words()):
        base = word & ((1 << layer.start_bits) - 1)
        for lane in range(4):
            pointer = word >> layer.start_bits + lane * size & ((1 << size) - 1)
            extent = pointer >> layer.offset_bits
            neurons = [int(neuron) for neuron in present[:, lane] if neuron >= 0]
            rows = [row for row, neuron in enumerate(neurons) if layer.spec.weights[neuron, axon]]
            assert extent == (sum(1 << row for row in rows) if encoding == "bitmap" else len(rows))
            assert base + (pointer & ((1 << layer.offset_bits) - 1)) == layer.starts[axon, lane]


def test_a_single_lane_needs_no_offset() -> None:
    layer = image(5, 1)
    assert layer.offset_bits == 0
    assert len(RowFetch(layer, name="layer0").rom.data) == layer.start_bits + layer.length_bits


@pytest.mark.parametrize("seed", range(4))
def test_every_lane_gets_its_runs_in_order(seed: int) -> None:
    rng = random.Random(seed)
    lanes = (1, 2, 4, 8)[seed]
    layer = image(seed, lanes, rng.choice([0.1, 0.4]), (rng.randrange(9),), encoding_names()[seed % 3])
    beats: list[Beat] = []
    for _ in range(15):
        beats += [event(axon, rng.randint(1, 7)) for axon in sorted(rng.sample(range(9), rng.randint(0, 6)))]
        beats.append((0, 0, 1, rng.randrange(2), rng.randrange(2)))
    _, runs = run(
        layer,
        beats,
        900,
        lambda cycle: rng.choice([-1, -1, rng.randrange(256)]),
        pause=lambda: rng.random() < 0.3,
    )
    assert np.sum([len(of_lane) for of_lane in runs]) > 15 * layer.lanes
    for lane in range(layer.lanes):
        assert clean(runs[lane]) == expected_runs(layer, beats, lane), f"seed {seed}, lane {lane}"
