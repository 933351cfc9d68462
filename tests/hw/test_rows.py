import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from component_bench import Beat, play

from random_networks import random_network
from spikewright.pack import pack
from spikewright.spec import LayerImage, NetworkSpec
from spikewright_hw.rows import RowFetch

MARK = (0, 0, 1, 0, 0)


def image(seed: int, lanes: int, density: float = 0.5, empty: tuple[int, ...] = ()) -> LayerImage:
    """A layer of 9 axons whose rows `empty` have no synapse."""
    network = random_network(seed, (9, 11, 3), density=density, value_bits=3)
    weights = network.layers[0].weights.copy()
    weights[:, list(empty)] = 0
    layer = replace(network.layers[0], weights=weights)
    network = NetworkSpec(layers=(layer, network.layers[1]), timesteps=network.timesteps)
    return pack(network, lanes).layers[0]


def event(axon: int, value: int = 1) -> Beat:
    return (axon, value, 0, 0, 0)


def outputs(lanes: int) -> dict[str, Any]:
    return {**{f"rows.{lane}": lambda cycle: True for lane in range(lanes)}, "marks": lambda cycle: True}


def expected_rows(layer: LayerImage, beats: list[Beat], lane: int) -> list[Beat]:
    return [
        (int(layer.indptr[axon, lane]), int(layer.lengths[axon, lane]), value)
        for axon, value, mark, _, _ in beats
        if not mark and layer.lengths[axon, lane]
    ]


def test_event_is_offered_three_cycles_after_it_was_taken_one_a_cycle() -> None:
    layer = image(1, 2, density=1.0)
    beats = [event(axon, 1 + axon % 7) for axon in range(9)]
    seen = play(RowFetch(layer, name="layer0"), 15, send={"events": beats}, take=outputs(2))
    assert seen.cycles("events") == list(range(9))
    for lane in range(2):
        expected = expected_rows(layer, beats, lane)
        assert seen.given[f"rows.{lane}"] == [(cycle + 3, row) for cycle, row in enumerate(expected)]


def test_rows_without_synapses_pass_without_being_offered() -> None:
    layer = image(2, 1, density=1.0, empty=(0, 4, 8))
    beats = [event(axon) for axon in range(9)]
    seen = play(RowFetch(layer, name="layer0"), 15, send={"events": beats}, take=outputs(1))
    assert seen.cycles("events") == list(range(9))
    assert seen.cycles("rows.0") == [axon + 3 for axon in range(9) if axon not in (0, 4, 8)]


def test_lanes_take_their_row_when_they_can_and_the_next_event_waits_for_all() -> None:
    layer = image(3, 2, density=1.0)
    take = outputs(2)
    take["rows.1"] = lambda cycle: cycle >= 8
    beats = [event(axon) for axon in (3, 5, 6, 1, 2)]
    seen = play(RowFetch(layer, name="layer0"), 20, send={"events": beats}, take=take)
    assert seen.cycles("rows.0") == [3, 9, 10, 11, 12]
    assert seen.cycles("rows.1") == [8, 9, 10, 11, 12]
    # Four events are on their way; the fifth is taken in the cycle after the first has left.
    assert seen.cycles("events") == [0, 1, 2, 3, 9]


def test_mark_waits_and_nothing_of_the_next_step_gets_ahead() -> None:
    layer = image(4, 2, density=1.0)
    take = outputs(2)
    take["marks"] = lambda cycle: cycle >= 10
    beats = [event(1), (0, 0, 1, 1, 0), event(2), event(3), event(4), (0, 0, 1, 0, 1)]
    seen = play(RowFetch(layer, name="layer0"), 20, send={"events": beats}, take=take)
    assert seen.offered["marks"] == [4, 14]
    assert seen.given["marks"] == [(10, (1, 0)), (14, (0, 1))]
    assert seen.cycles("rows.0") == [3, 11, 12, 13]
    assert seen.cycles("events") == [0, 1, 2, 3, 4, 11]


def test_words_have_a_pointer_per_lane() -> None:
    layer = image(5, 4)
    fetch = RowFetch(layer, name="layer0")
    assert fetch.rom.depth == 9
    size = layer.start_bits + layer.length_bits + 1
    assert len(fetch.rom.data) == 4 * size
    for axon, word in enumerate(fetch._words()):
        for lane in range(4):
            pointer = word >> lane * size & ((1 << size) - 1)
            some = pointer >> (size - 1)
            length = pointer >> layer.start_bits & ((1 << layer.length_bits) - 1)
            start = pointer & ((1 << layer.start_bits) - 1)
            assert some == (length > 0)
            assert length == layer.lengths[axon, lane]
            assert start == (layer.indptr[axon, lane] if length else 0)


@pytest.mark.parametrize("seed", range(4))
def test_every_lane_gets_its_rows_in_order(seed: int) -> None:
    rng = random.Random(seed)
    lanes = (1, 2, 4, 8)[seed]
    layer = image(seed, lanes, density=rng.choice([0.1, 0.4]), empty=(rng.randrange(9),))
    beats: list[Beat] = []
    for _ in range(15):
        beats += [event(axon, rng.randint(1, 7)) for axon in sorted(rng.sample(range(9), rng.randint(0, 6)))]
        beats.append(MARK)
    seen = play(
        RowFetch(layer, name="layer0"),
        900,
        send={"events": beats},
        take=outputs(lanes),
        pause=lambda: rng.random() < 0.3,
    )
    assert len(seen.given["marks"]) == 15
    for lane in range(lanes):
        assert seen.beats(f"rows.{lane}") == expected_rows(layer, beats, lane), f"seed {seed}, lane {lane}"
    # Rows of a step leave between the marks around it.
    ends = [-1, *seen.cycles("marks")]
    steps = np.cumsum([beat == MARK for beat in beats])
    for lane in range(lanes):
        of_lane = [
            int(steps[k]) for k, (axon, _, mark, _, _) in enumerate(beats) if not mark and layer.lengths[axon, lane]
        ]
        for step, cycle in zip(of_lane, seen.cycles(f"rows.{lane}"), strict=True):
            assert ends[step] < cycle < ends[step + 1]
