import random
from typing import Any

import numpy as np
import pytest
from component_bench import Beat, Membranes, Seen, play

from random_networks import TAU_1_05, TAU_2, random_network
from spikewright.pack import pack
from spikewright.spec import Decay, LayerImage
from spikewright_hw.readout import ReadoutUpdate

BITS, SCORE_BITS = 14, 18
LAST = (1, 0)


def image(seed: int, classes: int, lanes: int, decay: Decay = TAU_1_05) -> LayerImage:
    return pack(random_network(seed, (3, 5, classes), decay=decay), lanes).layers[-1]


def grid(layer: LayerImage, by_class: list[int]) -> list[list[int]]:
    """(rows, lanes): class c sits in row c // lanes of lane c % lanes."""
    padded = [*by_class, *[0] * (layer.rows * layer.lanes - len(by_class))]
    return [padded[row * layer.lanes :][: layer.lanes] for row in range(layer.rows)]


def run(layer: LayerImage, inputs: list[list[int]], marks: list[Any], **kwargs: Any) -> tuple[Membranes, Seen]:
    """Steps with `inputs` by class."""
    dut = ReadoutUpdate(layer, state_bits=BITS, score_bits=SCORE_BITS, name="layer1")
    classes = layer.spec.neurons
    membranes = Membranes(
        dut, [grid(layer, step) for step in inputs], per_sweep=classes, wait=kwargs.pop("wait", lambda: 0)
    )
    seen = play(
        dut,
        kwargs.pop("cycles", (len(inputs) + 1) * (classes + 8) + 3 * classes + 20),
        send={"marks": marks},
        take={"results": kwargs.pop("ready", lambda cycle: True)},
        each=membranes.each,
        watch={"valid": dut.trace.valid, "row": dut.trace.row, "v": dut.trace.v, "initializing": dut.initializing},
        **kwargs,
    )
    return membranes, seen


def traced(seen: Seen) -> list[tuple[int, int, int]]:
    watched = zip(seen.watched["valid"], seen.watched["row"], seen.watched["v"], strict=True)
    return [(cycle, row, v) for cycle, (valid, row, v) in enumerate(watched) if valid]


def packets(seen: Seen) -> list[list[Any]]:
    found: list[list[Any]] = [[]]
    for beat in seen.beats("results"):
        found[-1].append(beat)
        if isinstance(beat, tuple) and beat[1]:
            found.append([])
    assert found[-1] == []
    return found[:-1]


def test_sweep_after_reset_sets_the_bias_and_shows_nothing() -> None:
    layer = image(1, 5, 2)
    membranes, seen = run(layer, [[0] * 5], [], cycles=20)
    assert membranes.reads == [(index, index // 2) for index in range(5)]
    assert membranes.writes == [(index + 4, index // 2, index % 2, int(layer.spec.bias[index])) for index in range(5)]
    assert seen.watched["initializing"] == [1] * 5 + [0] * 15
    assert traced(seen) == []
    assert seen.given["results"] == []


def test_latencies_of_the_last_sweep_and_its_results() -> None:
    layer = image(2, 4, 2)
    bias = layer.spec.bias.tolist()
    membranes, seen = run(layer, [[10, 40, 30, 20]], [(20, (1, 1))], cycles=60)
    assert membranes.reads[4:] == [(21, 0), (22, 0), (23, 1), (24, 1)]
    assert seen.taken["marks"] == [(24, (1, 1))]
    assert [cycle for cycle, _, _ in traced(seen)] == [24, 25, 26, 27]
    assert [write[0] for write in membranes.writes[4:]] == [25, 26, 27, 28]
    # The first score six cycles after the last class was read, the others every second cycle, the class at once.
    assert seen.cycles("results") == [30, 32, 34, 36, 37]
    scores = [added + of_class for added, of_class in zip([10, 40, 30, 20], bias, strict=True)]
    assert seen.beats("results") == [*((score, 0, 0) for score in scores), (int(np.argmax(scores)), 1, 1)]


@pytest.mark.parametrize("delay", [0, 1, 7])
def test_sweep_waits_until_the_result_has_been_taken(delay: int) -> None:
    layer = image(3, 3, 1)
    taken = 100 + delay
    membranes, seen = run(layer, [[1, 2, 3]] * 2, [LAST, LAST], cycles=150, ready=lambda cycle: cycle >= taken)
    last = next(cycle for cycle, beat in seen.given["results"] if isinstance(beat, tuple) and beat[1])
    assert last >= taken
    assert [cycle for cycle, row in membranes.reads][6] == last + 2


def test_ties_go_to_the_lowest_class() -> None:
    layer = image(4, 6, 4)
    bias = layer.spec.bias
    for winners in ([1, 3, 5], [0, 5], [2, 3], list(range(6))):
        inputs = [int((77 if c in winners else 76) - bias[c]) for c in range(6)]
        _, seen = run(layer, [inputs], [LAST])
        assert packets(seen)[0][-1] == (winners[0], 1, 0)


def test_negative_scores_have_a_highest_too() -> None:
    layer = image(5, 3, 2)
    bias = layer.spec.bias
    _, seen = run(layer, [[int(v - b) for v, b in zip([-9, -3, -4], bias, strict=True)]], [LAST])
    assert packets(seen) == [[(-9, 0, 0), (-3, 0, 0), (-4, 0, 0), (1, 1, 0)]]


def test_single_class() -> None:
    layer = image(6, 1, 1)
    _, seen = run(layer, [[5], [6]], [LAST, LAST], cycles=60)
    assert [packet[-1] for packet in packets(seen)] == [(0, 1, 0), (0, 1, 0)]


def test_image_has_the_bias_of_a_class_per_word() -> None:
    layer = image(7, 5, 4)
    dut = ReadoutUpdate(layer, state_bits=BITS, score_bits=SCORE_BITS, name="layer1")
    mask = (1 << len(dut.rom.data)) - 1
    assert dut.rom._words == [int(b) & mask for b in layer.spec.bias]


@pytest.mark.parametrize("seed", range(5))
def test_samples_equal_the_equations(seed: int) -> None:
    rng = random.Random(seed)
    lanes = (1, 2, 4, 8, 16)[seed]
    classes = rng.randint(1, 9)
    decay = rng.choice([TAU_1_05, TAU_2, Decay(0, 0)])
    layer = image(seed, classes, lanes, decay)
    stall = rng.choice([0.0, 0.4])
    lengths = [rng.randint(1, 5) for _ in range(4)]
    marks: list[Beat] = [(int(t == length - 1), rng.randrange(2)) for length in lengths for t in range(length)]
    inputs = [[rng.randint(-60, 60) for _ in range(classes)] for _ in marks]
    _, seen = run(
        layer,
        inputs,
        marks,
        wait=lambda: rng.randrange(4),
        pause=lambda: rng.random() < stall,
        cycles=len(marks) * (classes + 25) + 20 * classes + 200,
    )
    bias = layer.spec.bias.tolist()
    v, score = list(bias), [0] * classes
    expected_trace, expected_packets = [], []
    for added, (last, error) in zip(inputs, marks, strict=True):
        v = [state + value for state, value in zip(v, added, strict=True)]
        expected_trace += list(enumerate(v))
        score = [total + value for total, value in zip(score, v, strict=True)]
        v = [b if last else decay(value) + b for value, b in zip(v, bias, strict=True)]
        if last:
            best = score.index(max(score))
            expected_packets.append([*((value, 0, 0) for value in score), (best, 1, error)])
            score = [0] * classes
    assert [item[1:] for item in traced(seen)] == expected_trace, f"seed {seed}"
    assert packets(seen) == expected_packets, f"seed {seed}"
