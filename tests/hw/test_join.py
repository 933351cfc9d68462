import random
from collections.abc import Callable
from typing import Any

import pytest
from component_bench import Seen, play

from spikewright_hw.join import StepJoin


class Lanes:
    """Plays lanes that start a step at `starts[step][lane]`, not before the step before was cleared."""

    def __init__(self, dut: StepJoin, starts: list[list[int]], room: Callable[[int], bool]) -> None:
        self._dut = dut
        self._starts = [list(step) for step in zip(*starts, strict=True)]  # by lane
        self._flags = [(step % 2, step // 2 % 2) for step in range(len(starts))]
        self._room = room
        self._started = [False] * len(self._starts)
        self._begun = 0
        self.began: list[int] = []

    def each(self, get: Callable[[Any], int], put: Callable[[Any, int], None], cycle: int) -> None:
        for lane, starts in enumerate(self._starts):
            if starts and not self._started[lane] and cycle >= starts[0]:
                self._started[lane] = True
                starts.pop(0)
        put(self._dut.started, sum(started << lane for lane, started in enumerate(self._started)))
        last, error = self._flags[min(self._begun, len(self._flags) - 1)]
        put(self._dut.flags.last, last)
        put(self._dut.flags.error, error)
        put(self._dut.room, self._room(cycle))
        if get(self._dut.begin):
            self.began.append(cycle)
            self._begun += 1
            self._started = [False] * len(self._starts)


def run(
    rows: int, starts: list[list[int]], cycles: int, room: Callable[[int], bool] = lambda cycle: True
) -> tuple[list[int], Seen]:
    dut = StepJoin(rows=rows, lanes=len(starts[0]))
    lanes = Lanes(dut, starts, room)
    names = ("row", "valid", "index", "mark", "last", "error")
    seen = play(dut, cycles, each=lanes.each, watch={name: getattr(dut, name) for name in names})
    return lanes.began, seen


def ones(seen: Seen, name: str) -> list[int]:
    return [cycle for cycle, value in enumerate(seen.watched[name]) if value]


def test_begins_after_the_last_lane_and_reads_a_row_a_cycle() -> None:
    began, seen = run(4, [[3, 9, 5]], 30)
    assert began == [10]
    assert seen.watched["row"][11:15] == [0, 1, 2, 3]
    assert ones(seen, "valid") == [12, 13, 14, 15]
    assert [seen.watched["index"][cycle] for cycle in range(12, 16)] == [0, 1, 2, 3]
    assert ones(seen, "mark") == [16]


@pytest.mark.parametrize("rows", [1, 2, 6])
def test_steps_lie_rows_and_a_gap_apart(rows: int) -> None:
    began, seen = run(rows, [[0, 0]] * 4, 80)
    # The lanes start again in the cycle after they were cleared.
    gap = rows + StepJoin.GAP
    assert began == [1 + gap * step for step in range(4)]
    assert ones(seen, "mark") == [cycle + rows + 2 for cycle in began]
    marks = [(seen.watched["last"][cycle], seen.watched["error"][cycle]) for cycle in ones(seen, "mark")]
    assert marks == [(0, 0), (1, 0), (0, 1), (1, 1)]


def test_waits_for_room() -> None:
    began, _ = run(2, [[0], [0]], 60, lambda cycle: cycle in (20, 21, 40))
    assert began == [20, 40]


@pytest.mark.parametrize("seed", range(3))
def test_every_step_once(seed: int) -> None:
    rng = random.Random(seed)
    rows, lanes = rng.randint(1, 5), rng.randint(1, 9)
    starts = [[rng.randint(0, 30 * step) for _ in range(lanes)] for step in range(10)]
    began, seen = run(rows, starts, 900, lambda cycle: rng.random() < 0.7)
    assert len(began) == len(ones(seen, "mark")) == 10
    assert [seen.watched["index"][cycle] for cycle in ones(seen, "valid")] == list(range(rows)) * 10
