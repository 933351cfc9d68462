import random
from typing import Any

import pytest
from component_bench import Beat, Seen, play

from spikewright.spec import delay_ring
from spikewright_hw.delay import DelayBuffer

MARK = (0, 0, 1, 0, 0)
LAST = (0, 0, 1, 1, 0)


def spike(axon: int) -> Beat:
    return (axon, 1, 0, 0, 0)


def marks(transfers: list[tuple[int, Beat]]) -> int:
    return sum(bool(beat[2]) for _, beat in transfers if isinstance(beat, tuple))


def run(dut: DelayBuffer, beats: list[Beat], cycles: int, **kwargs: Any) -> Seen:
    return play(
        dut,
        cycles,
        send={"spikes": beats},
        take={"events": kwargs.pop("ready", lambda cycle: True)},
        # The spikes of a step follow from its delayed spikes, all of which have been taken.
        gate={"spikes": lambda seen: marks(seen.taken["spikes"]) < marks(seen.given["events"])},
        **kwargs,
    )


def steps(beats: list[Beat]) -> list[list[int]]:
    """Axons between marks, in the order in which they came; what follows the last mark is left out."""
    found: list[list[int]] = [[]]
    for axon, _, mark, _, _ in beats:
        if mark:
            found.append([])
        else:
            found[-1].append(axon)
    return found[:-1]


@pytest.mark.parametrize(
    ("neurons", "longest", "words", "width", "depth"),
    [(1, 0, 1, 16, 1), (16, 3, 1, 16, 4), (17, 40, 2, 16, 82), (64, 2, 4, 16, 12), (65, 2, 3, 32, 12)],
)
def test_geometry(neurons: int, longest: int, words: int, width: int, depth: int) -> None:
    dut = DelayBuffer([longest] * neurons, name="layer0")
    assert (dut.words, dut.width, dut.slots, dut.depth) == (words, width, longest + 1, depth)
    assert (words, width, depth) == delay_ring(neurons, longest)
    assert dut.rom._words[0] == longest


@pytest.mark.parametrize("neurons", [3, 70])
def test_step_is_read_five_cycles_after_the_mark_and_offered_six_later(neurons: int) -> None:
    dut = DelayBuffer([0] * neurons, name="layer0")
    # The spike is in the first word of the slot; it is taken in the first cycle possible, the mark behind it.
    seen = run(dut, [spike(2), MARK, LAST], 150)
    first_read = dut.depth  # after reset every slot is cleared, one word a cycle
    # The mark follows the last word through the same stages, one cycle behind.
    assert seen.cycles("events")[0] == first_read + dut.words + 6
    assert seen.cycles("spikes")[:2] == [seen.cycles("events")[0] + 1, seen.cycles("events")[0] + 2]
    read = seen.cycles("spikes")[1] + 5
    assert seen.given["events"][1] == (read + 6, spike(2))
    assert seen.cycles("events")[2] == read + dut.words + 6
    # After the last mark of a sample all slots are cleared before the next step is read.
    assert seen.cycles("events")[3] == seen.cycles("spikes")[2] + 5 + dut.depth + dut.words + 6


def test_takes_a_spike_every_cycle_and_sends_them_without_a_gap() -> None:
    neurons = 70
    dut = DelayBuffer([0] * neurons, name="layer0")
    seen = run(dut, [*map(spike, range(neurons)), MARK], 300)
    taken, sent = seen.cycles("spikes"), seen.cycles("events")
    assert taken == list(range(taken[0], taken[0] + neurons + 1))
    assert sent[1:] == list(range(taken[-1] + 11, taken[-1] + 11 + neurons + 1))
    assert steps(seen.beats("events")) == [[], list(range(neurons))]


def test_words_without_spikes_are_skipped() -> None:
    dut = DelayBuffer([0] * 64, name="layer0")
    seen = run(dut, [spike(0), spike(63), MARK], 150)
    assert steps(seen.beats("events")) == [[], [0, 63]]
    # The words are read in four cycles, the two in between are not sent.
    first, second, mark = seen.cycles("events")[1:]
    assert (second - first, mark - second) == (3, 1)


@pytest.mark.parametrize("delay", [0, 1, 5])
def test_delay_counts_from_the_next_step(delay: int) -> None:
    dut = DelayBuffer([delay, 5], name="layer0")
    seen = run(dut, [MARK, spike(0), *[MARK] * 9], 400)
    expected: list[list[int]] = [[] for _ in range(11)]
    expected[1 + 1 + delay] = [0]
    assert steps(seen.beats("events")) == expected


def test_spikes_in_flight_do_not_reach_the_next_sample() -> None:
    dut = DelayBuffer([0, 1, 2, 3], name="layer0")
    sample = [*map(spike, range(4)), MARK, *map(spike, range(4)), LAST]
    seen = run(dut, [*sample, *[MARK] * 6], 400)
    assert steps(seen.beats("events")) == [[], [0], [], [], [], [], [], [], []]
    assert all(beat[3:] == (0, 0) for beat in seen.beats("events") if beat[2])


def reference(spikes: list[list[int]], delays: list[int]) -> list[list[int]]:
    arriving: list[list[int]] = [[] for _ in range(len(spikes))]
    for t, fired in enumerate(spikes):
        for neuron in fired:
            if t + 1 + delays[neuron] < len(spikes):
                arriving[t + 1 + delays[neuron]].append(neuron)
    return [sorted(step) for step in arriving]


@pytest.mark.parametrize("seed", range(4))
def test_every_spike_arrives_once_in_its_step(seed: int) -> None:
    rng = random.Random(seed)
    neurons = (1, 5, 40, 70)[seed]
    delays = [rng.randint(0, 6) for _ in range(neurons)]
    stall = rng.choice([0.0, 0.3])
    beats: list[Beat] = []
    expected: list[list[int]] = []
    for _ in range(3):
        spikes = [
            sorted(rng.sample(range(neurons), rng.randint(0, min(neurons, 8)))) for _ in range(rng.randint(1, 12))
        ]
        expected += reference(spikes, delays)
        beats += [beat for fired in spikes for beat in [*map(spike, fired), MARK]]
        beats[-1] = LAST
    seen = run(DelayBuffer(delays, name="layer0"), beats, 2500, pause=lambda: rng.random() < stall)
    # One step more: the first of a sample that never comes.
    assert steps(seen.beats("events")) == [*expected, []], f"seed {seed}"
