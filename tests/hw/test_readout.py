import random
from collections.abc import Callable, Collection
from typing import Any

import numpy as np
import pytest
from component_bench import Beat, Seen, play
from test_update import sweep

from random_networks import TAU_1_05, TAU_2, random_network, with_own
from spikewright.contract.decay import Decay
from spikewright.contract.decision import DECISIONS
from spikewright.contract.image import LayerImage
from spikewright.layout.pack import pack
from spikewright_hw.readout import ReadoutUpdate, ScoreSender

BITS, SCORE_BITS = 14, 18


def image(seed: int, classes: int, lanes: int, decay: Decay = TAU_1_05, own: Collection[str] = ()) -> LayerImage:
    return pack(with_own(seed, random_network(seed, (3, classes, classes), decay=decay), own), lanes).layers[-1]


def update(layer: LayerImage, lane: int, readout: str = "sum") -> ReadoutUpdate:
    decision = DECISIONS[readout]
    return ReadoutUpdate(layer, lane=lane, state_bits=BITS, score_bits=SCORE_BITS, name="layer1", decision=decision)


def test_latencies_are_those_of_a_spiking_lane() -> None:
    layer = image(2, 4, 2)
    done, written = sweep(update(layer, 0), [(0, 10, 0), (1, -20, 0)])
    assert done == [(3, 0, 0, 10), (4, 1, 0, -20)]
    assert [item[:2] for item in written] == [(4, 0), (5, 1)]


def test_end_of_a_sample_sets_the_bias() -> None:
    layer = image(1, 5, 2)
    bias = layer.by_position(layer.spec.bias, 0)
    _, written = sweep(update(layer, 1), [(row, 999, 1) for row in range(layer.rows)])
    assert [state for *_, state in written] == bias[:, 1].tolist()


@pytest.mark.parametrize("own", [("leaks",), ("starts",), ("leaks", "starts")])
def test_leaks_and_starts_of_single_classes(own: Collection[str]) -> None:
    layer = image(3, 5, 2, own=own)
    spec = layer.spec
    leaks = np.full(5, spec.decay.multiplier) if spec.multipliers is None else spec.multipliers
    starts = np.zeros(5, dtype=np.int64) if spec.start is None else spec.start
    columns = [layer.by_position(values, 0)[:, 0].tolist() for values in (spec.bias, leaks, starts)]
    reads = [(row, 37 * row - 50, last) for last in (0, 1) for row in range(layer.rows)]
    done, written = sweep(update(layer, 0), reads)
    assert [v for *_, v in done] == [state for _, state, _ in reads]
    for (row, state, last), (*_, found) in zip(reads, written, strict=True):
        bias, leak, start = (column[row] for column in columns)
        assert found == bias + ((start if last else state) * leak >> spec.decay.shift)


def test_image_has_the_bias_of_a_row_per_word() -> None:
    layer = image(7, 5, 4)
    dut = update(layer, 1)
    mask = (1 << len(dut.rom.data)) - 1
    assert dut.rom.words == [int(b) & mask for b in layer.by_position(layer.spec.bias, 0)[:, 1]]


@pytest.mark.parametrize(
    ("seed", "readout", "joined"),
    [*((seed, "sum", sum) for seed in range(3)), (3, "max", max), (4, "last", lambda of_steps: of_steps[-1])],
)
def test_scores_are_of_the_membranes_of_a_sample(seed: int, readout: str, joined: Callable[[list[int]], int]) -> None:
    rng = random.Random(seed)
    decay = rng.choice([TAU_1_05, TAU_2, Decay(0, 0)])
    layer = image(seed, rng.randint(1, 9), rng.choice([1, 2]), decay)
    dut = update(layer, 0, readout)
    biases = layer.by_position(layer.spec.bias, 0)[:, 0].tolist()
    steps = [rng.randint(1, 4) for _ in range(3)]
    reads: list[Any] = []
    expected = []
    for length in steps:
        membranes: list[list[int]] = []
        for t in range(length):
            states = [rng.randint(-900, 900) for _ in range(layer.rows)]
            membranes.append(states)
            reads += [(row, state, int(t == length - 1)) for row, state in enumerate(states)]
            reads += [None] * 5  # rows of another sweep come no earlier
        expected.append([joined(list(of_row)) for of_row in zip(*membranes, strict=True)])
    scores: list[list[int]] = []
    written: list[int] = []

    def each(get: Callable[[Any], int], put: Callable[[Any, int], None], cycle: int) -> None:
        before = reads[cycle - 1] if 1 <= cycle <= len(reads) else None
        now = reads[cycle] if cycle < len(reads) else None
        put(dut.state, before[1] if before else 4321)
        put(dut.read, now is not None)
        if now:
            put(dut.row, now[0])
            put(dut.last, now[2])
        if get(dut.write):
            written.append(get(dut.next_state))

    def read_scores(get: Callable[[Any], int], put: Callable[[Any, int], None], cycle: int) -> None:
        put(dut.read, 0)
        put(dut.score_row, min(cycle, layer.rows - 1))
        if cycle:
            scores[-1].append(get(dut.score))

    # Every sample in a run of its own up to then, as the score can only be read between sweeps.
    for count in range(1, len(steps) + 1):
        keep = reads
        reads = reads[: sum(steps[:count]) * (layer.rows + 5)]
        total = len(reads) + 6
        scores.append([])

        def both(get: Any, put: Any, cycle: int, total: int = total) -> None:
            if cycle < total:
                each(get, put, cycle)
            else:
                read_scores(get, put, cycle - total)

        written.clear()
        play(dut := update(layer, 0, readout), total + layer.rows + 1, each=both)
        reads = keep
    assert scores == expected, f"seed {seed}"
    real = [read for read in reads if read]
    assert written == [biases[row] + (0 if last else decay(v)) for row, v, last in real]


def send(scores: list[int], lanes: int, **kwargs: Any) -> Seen:
    """Start in cycle 5 and again once the class was taken."""
    layer = image(0, len(scores), lanes)
    dut = ScoreSender(layer, score_bits=SCORE_BITS)
    row = [0]

    def each(get: Callable[[Any], int], put: Callable[[Any, int], None], cycle: int) -> None:
        put(dut.start, cycle == 5)
        put(dut.error, kwargs.get("error", 0) if cycle == 5 else 1)
        for lane, port in enumerate(dut.scores):
            position = row[0] * layer.lanes + lane
            put(port, scores[position] if position < len(scores) else 9999)
        row[0] = get(dut.row)

    return play(
        dut,
        12 + 10 * len(scores),
        take={"results": kwargs.get("ready", lambda cycle: True)},
        each=each,
        watch={"taken": dut.taken},
    )


def packet(scores: list[int], best: int, error: int = 0) -> list[Beat]:
    return [*((score, 0, 0) for score in scores), (best, 1, error)]


def test_first_score_two_cycles_after_start_then_every_second_cycle_and_the_class_at_once() -> None:
    seen = send([10, 40, 30, 20], 2, error=1)
    assert seen.cycles("results") == [7, 9, 11, 13, 14]
    assert seen.beats("results") == packet([10, 40, 30, 20], 1, 1)
    assert [cycle for cycle, taken in enumerate(seen.watched["taken"]) if taken] == [14]


@pytest.mark.parametrize("lanes", [1, 2, 4, 8])
def test_ties_go_to_the_lowest_class(lanes: int) -> None:
    for winners in ([1, 3, 5], [0, 5], [2, 3], list(range(6))):
        scores = [77 if c in winners else 76 for c in range(6)]
        assert send(scores, lanes).beats("results") == packet(scores, winners[0])


def test_negative_scores_have_a_highest_too() -> None:
    assert send([-9, -3, -4], 2).beats("results") == packet([-9, -3, -4], 1)


def test_single_class_and_pauses() -> None:
    assert send([-5], 1).beats("results") == packet([-5], 0)
    rng = random.Random(1)
    seen = send([4, 9, 2], 1, ready=lambda cycle: rng.random() < 0.4)
    assert seen.beats("results") == packet([4, 9, 2], 1)
