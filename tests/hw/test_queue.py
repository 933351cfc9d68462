import random

import pytest
from component_bench import play

from spikewright_hw.queue import Queue


def test_depth_must_be_two_at_least() -> None:
    with pytest.raises(ValueError) as error:
        Queue(8, depth=1)
    assert str(error.value) == "depth must be at least 2, not 1"
    assert Queue(8, depth=2).depth == 2


def test_entry_is_offered_one_cycle_after_it_was_taken_and_one_a_cycle() -> None:
    seen = play(Queue(8, depth=2), 40, send={"i": range(30)}, take={"o": lambda cycle: True})
    assert seen.taken["i"] == [(cycle, cycle) for cycle in range(30)]
    assert seen.given["o"] == [(cycle + 1, cycle) for cycle in range(30)]


@pytest.mark.parametrize("depth", [2, 3, 7])
def test_full_queue_takes_nothing_in_the_cycle_in_which_it_gives(depth: int) -> None:
    seen = play(Queue(8, depth=depth), 80, send={"i": range(25)}, take={"o": lambda cycle: cycle >= 12})
    taken, given = seen.cycles("i"), seen.cycles("o")
    assert taken[:depth] == list(range(depth))
    for k in range(25):
        assert taken[k] == max(taken[k - 1] + 1 if k else 0, given[k - depth] + 1 if k >= depth else 0)
        assert given[k] == max(given[k - 1] + 1 if k else 0, taken[k] + 1, 12)
    assert seen.beats("o") == list(range(25))


@pytest.mark.parametrize("seed", range(4))
def test_order_under_pauses(seed: int) -> None:
    rng = random.Random(seed)
    depth = rng.randint(2, 5)
    words = [rng.randrange(256) for _ in range(150)]
    stall = rng.choice([0.2, 0.5, 0.8])
    seen = play(
        Queue(8, depth=depth),
        2000,
        send={"i": words},
        take={"o": lambda cycle: True},
        pause=lambda: rng.random() < stall,
    )
    assert seen.beats("o") == words, f"seed {seed}"
