import random

import pytest
from component_bench import Beat, play

from random_networks import random_network
from spikewright_hw.guard import InputGuard

INPUTS, STEPS = 5, 4
NETWORK = random_network(0, (INPUTS, 4, 3), value_bits=3, timesteps=STEPS)
MARK = (0, 0, 1, 0, 0)
LAST = (0, 0, 1, 1, 0)


def event(axon: int, value: int = 1) -> Beat:
    return (axon, value, 0, 0, 0)


def through(beats: list[Beat]) -> list[Beat]:
    seen = play(InputGuard(NETWORK), len(beats) + 5, send={"i": beats}, take={"o": lambda cycle: True})
    assert seen.cycles("i") == list(range(len(beats)))  # one event a cycle
    return seen.beats("o")


def test_events_leave_two_cycles_after_they_came() -> None:
    beats = [event(0), event(1, 7), event(4, 2), MARK, event(2), LAST]
    seen = play(InputGuard(NETWORK), 10, send={"i": beats}, take={"o": lambda cycle: True})
    assert seen.given["o"] == [(cycle + 2, beat) for cycle, beat in enumerate(beats)]


def test_event_of_value_zero_is_dropped_silently_but_keeps_its_place() -> None:
    assert through([event(1), event(2, 0), event(3), LAST]) == [event(1), event(3), LAST]
    assert through([event(2, 0), event(2), LAST]) == [(0, 0, 1, 1, 1)]


@pytest.mark.parametrize(
    "bad",
    [
        [event(3), event(3)],  # twice
        [event(3), event(1)],  # not in order
        [event(5)],  # beyond the inputs
        [event(7, 0)],  # as well, of value 0
    ],
)
def test_event_out_of_place_is_dropped_and_flagged_until_the_sample_ends(bad: list[Beat]) -> None:
    error, last_error = (0, 0, 1, 0, 1), (0, 0, 1, 1, 1)
    got = through([MARK, *bad, event(4), MARK, event(0), LAST, event(1), MARK, event(1), LAST])
    # All but the bad event are accepted, and the next sample is free of the error.
    expected = [MARK, *bad[:-1], event(4), error, event(0), last_error, event(1), MARK, event(1), LAST]
    # The error flag has a meaning with a mark only.
    assert [beat if beat[2] else (*beat[:4], 0) for beat in got] == expected


def test_last_on_an_event_ends_the_sample_with_an_error() -> None:
    got = through([event(0), MARK, (2, 1, 0, 1, 0), event(1), LAST])
    assert got[:2] == [event(0), MARK]
    assert got[2][2:] == (1, 1, 1)
    assert got[3:] == [event(1), LAST]


def test_more_steps_than_allowed_are_flagged_and_passed() -> None:
    exact = [MARK] * (STEPS - 1) + [LAST]
    assert through(exact * 2) == exact * 2
    long = through([MARK] * (STEPS + 1) + [LAST] + exact)
    assert long[:STEPS] == [MARK] * STEPS
    assert long[STEPS : STEPS + 2] == [(0, 0, 1, 0, 1), (0, 0, 1, 1, 1)]
    assert long[STEPS + 2 :] == exact


def test_error_of_the_input_is_ignored() -> None:
    assert through([(0, 1, 0, 0, 1), (0, 0, 1, 1, 1)]) == [event(0), LAST]


def reference(beats: list[Beat]) -> list[Beat]:
    """The rules of the docstring, beat by beat; fields that mean nothing are zero."""
    out: list[Beat] = []
    error = step = 0
    least = 0
    for axon, value, mark, last, _ in beats:
        ends = mark or last
        fits = mark or (least <= axon < INPUTS and not last)
        if not fits or (ends and step == STEPS):
            error = 1
        if ends:
            out.append((0, 0, 1, last, error))
            least, step = 0, min(step + 1, STEPS)
            if last:
                step = error = 0
        elif fits:
            least = axon + 1
            if value:
                out.append((axon, value, 0, 0, 0))
    return out


@pytest.mark.parametrize("seed", range(4))
def test_random_beats_follow_the_rules(seed: int) -> None:
    rng = random.Random(seed)
    stall = rng.choice([0.0, 0.4])
    beats: list[Beat] = []
    while len(beats) < 250:
        beats += [event(axon, rng.randrange(8)) for axon in sorted(rng.sample(range(8), rng.randint(0, 4)))]
        if rng.random() < 0.2:
            beats.append((rng.randrange(8), rng.randrange(8), rng.randrange(2), rng.randrange(2), rng.randrange(2)))
        beats.append(LAST if rng.random() < 0.3 else MARK)
    seen = play(
        InputGuard(NETWORK),
        1500,
        send={"i": beats},
        take={"o": lambda cycle: True},
        pause=lambda: rng.random() < stall,
    )
    got = [(0, 0, *beat[2:]) if beat[2] else (*beat[:2], 0, 0, 0) for beat in seen.beats("o")]
    assert got == reference(beats), f"seed {seed}"
