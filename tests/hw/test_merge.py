import random

import pytest
from component_bench import Beat, play

from random_networks import random_network
from spikewright.contract.neurons.lif import IntegerLIF
from spikewright_hw.merge import EventMerge

INPUTS, NEURONS = 6, 5
SPEC = random_network(0, (INPUTS, NEURONS, 3), recurrent=(True,), value_bits=3).layers[0]
MARK = (0, 0, 1, 0, 0)
LAST = (0, 0, 1, 1, 0)


def feed(axon: int, value: int = 1) -> Beat:
    return (axon, value, 0, 0, 0)


def marks(transfers: list[tuple[int, Beat]]) -> int:
    return sum(beat == MARK for _, beat in transfers)


def always(cycle: int) -> bool:
    return True


def test_no_latency_and_delayed_spikes_first() -> None:
    seen = play(
        EventMerge(SPEC),
        12,
        send={"feed": [feed(1, 5), feed(4, 7), MARK], "delayed": [feed(0), feed(3), (0, 0, 1, 0, 0)]},
        take={"o": always},
    )
    assert seen.given["o"] == [
        (0, (INPUTS + 0, 1, 0, 0, 0)),
        (1, (INPUTS + 3, 1, 0, 0, 0)),
        (2, (1, 5, 0, 0, 0)),
        (3, (4, 7, 0, 0, 0)),
        (4, MARK),
    ]
    assert seen.cycles("delayed") == [0, 1, 2]


def test_delayed_spikes_bring_their_number() -> None:
    several = IntegerLIF("soft", max_spikes=9)
    spec = random_network(0, (INPUTS, NEURONS, 3), recurrent=(True,), value_bits=1, neuron=several).layers[0]
    send = {"feed": [feed(1), MARK], "delayed": [feed(0, 9), feed(3, 2), MARK]}
    seen = play(EventMerge(spec), 12, send=send, take={"o": always})
    assert seen.beats("o") == [feed(INPUTS, 9), feed(INPUTS + 3, 2), feed(1), MARK]


def test_feed_passes_while_no_delayed_spike_waits() -> None:
    seen = play(
        EventMerge(SPEC),
        20,
        send={"feed": [feed(0), feed(1), MARK], "delayed": [(5, feed(2)), (9, MARK)]},
        take={"o": always},
    )
    # The feed-forward mark waits for the mark of the delayed spikes, and passes in the cycle after it.
    assert seen.cycles("o") == [0, 1, 5, 10]
    assert [beat[0] for beat in seen.beats("o")[:3]] == [0, 1, INPUTS + 2]
    assert seen.beats("o")[3] == MARK


def test_delayed_mark_is_taken_at_once_although_nothing_leaves() -> None:
    seen = play(
        EventMerge(SPEC),
        30,
        send={"feed": [feed(2), LAST], "delayed": [(4, MARK)]},
        take={"o": lambda cycle: cycle >= 20},
    )
    assert seen.cycles("delayed") == [4]
    assert seen.given["o"] == [(20, feed(2)), (21, LAST)]


def test_passing_mark_is_shown() -> None:
    merge = EventMerge(SPEC)
    delayed = [(3, MARK), (8, MARK)]
    watch = {"mark": merge.mark, "last": merge.last}
    seen = play(merge, 12, send={"feed": [MARK, LAST], "delayed": delayed}, take={"o": always}, watch=watch)
    passed = [(cycle, seen.watched["last"][cycle]) for cycle, mark in enumerate(seen.watched["mark"]) if mark]
    assert passed == [(4, 0), (9, 1)]


def test_last_and_error_of_the_feed_are_kept() -> None:
    beats = [(0, 0, 1, last, error) for last in (0, 1) for error in (0, 1)]
    delayed = [(2 * step, MARK) for step in range(4)]
    seen = play(EventMerge(SPEC), 30, send={"feed": beats, "delayed": delayed}, take={"o": always})
    assert seen.beats("o") == beats


@pytest.mark.parametrize("seed", range(4))
def test_every_step_holds_its_events_of_both_sides(seed: int) -> None:
    rng = random.Random(seed)
    steps = 30
    stall = rng.choice([0.0, 0.3, 0.6])
    own = [sorted(rng.sample(range(NEURONS), rng.randint(0, NEURONS))) for _ in range(steps)]
    others = [sorted(rng.sample(range(INPUTS), rng.randint(0, INPUTS))) for _ in range(steps)]
    seen = play(
        EventMerge(SPEC),
        2000,
        send={
            "feed": [beat for axons in others for beat in [*(feed(a, 1 + a % 7) for a in axons), MARK]],
            "delayed": [beat for axons in own for beat in [*(feed(a) for a in axons), MARK]],
        },
        take={"o": always},
        # The delayed spikes of a step exist only after the step before is over.
        gate={"delayed": lambda seen: marks(seen.taken["delayed"]) <= marks(seen.given["o"])},
        pause=lambda: rng.random() < stall,
        stable=False,
    )
    step: list[Beat] = []
    got = []
    for beat in seen.beats("o"):
        if beat == MARK:
            got.append(sorted(step))
            step = []
        else:
            step.append(beat)
    expected = [
        sorted([feed(a, 1 + a % 7) for a in others[t]] + [(INPUTS + a, 1, 0, 0, 0) for a in own[t]])
        for t in range(steps)
    ]
    assert got == expected, f"seed {seed}"
