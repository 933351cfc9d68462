import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest
from component_bench import play

from random_networks import random_network
from spikewright.contract.delays import DelayPlan
from spikewright.contract.image import LayerImage
from spikewright.contract.network import NetworkSpec
from spikewright.contract.neurons.lif import IntegerLIF
from spikewright.layout.pack import pack
from spikewright_hw.delay import DelayBuffer, OnwardBuffer


def image(delays: list[int], lanes: int, most: int = 1) -> LayerImage:
    """The neurons in order: neuron n sits at position n, and sends so many spikes in a step at most."""
    network = random_network(0, (2, len(delays), 2), recurrent=(True,), neuron=IntegerLIF("soft", max_spikes=most))
    layer = replace(network.layers[0], delays=np.array(delays))
    packed = pack(NetworkSpec(layers=(layer, network.layers[1]), timesteps=50), lanes).layers[0]
    return replace(packed, order=np.arange(len(delays)))


def row_of(plan: DelayPlan, row: int, spikes: list[int]) -> int:
    """A row of the spikes of a step: of a neuron as many as it is there."""
    first = row * plan.lanes
    return sum(spikes.count(first + lane) << lane * plan.value_bits for lane in range(plan.lanes))


@dataclass
class Steps:
    """Delayed spikes by step, in the order in which they came; cycles of the events, of marks passed, of rows.

    A neuron is there as often as it sent a spike.
    """

    delayed: list[list[int]] = field(default_factory=lambda: [[]])
    events: list[int] = field(default_factory=list)
    passed: list[int] = field(default_factory=list)
    complete: list[int] = field(default_factory=list)


def run(
    layer: LayerImage,
    spikes: list[list[int]],
    *,
    last: Callable[[int], bool] = lambda step: False,
    ahead: int = 20,
    wait: Callable[[], int] = lambda: 0,
    ready: Callable[[int], bool] = lambda cycle: True,
    cycles: int = 3000,
) -> Steps:
    """Pass the mark of a step `wait` cycles after that of its delayed spikes; its rows come `ahead` cycles later."""
    assert layer.loop is not None
    dut = DelayBuffer(layer.loop, name="layer0", ahead=64)
    seen = Steps()
    rows: dict[int, int] = {}  # by cycle, what is written
    complete: set[int] = set()
    due = [-1]
    free = [0]

    def each(get: Callable[[Any], int], put: Callable[[Any, int], None], cycle: int) -> None:
        put(dut.mark, cycle == due[0])
        step = len(seen.passed)
        if cycle == due[0] and step < len(spikes):
            put(dut.last, last(step))
            seen.passed.append(cycle)
            begin = max(cycle + ahead, free[0])
            for row in range(layer.rows):
                rows[begin + row] = row_of(layer.loop, row, spikes[step])
            complete.add(begin + layer.rows)
            seen.complete.append(begin + layer.rows)
            free[0] = begin + layer.rows + 1
        put(dut.valid, cycle in rows)
        put(dut.bits, rows.get(cycle, 0))
        put(dut.complete, cycle in complete)
        takes = ready(cycle)
        put(dut.events.ready, takes)
        if takes and get(dut.events.valid):
            seen.events.append(cycle)
            if get(dut.events.payload.mark):
                seen.delayed.append([])
                due[0] = cycle + 1 + wait() if len(seen.passed) < len(spikes) else -1
            else:
                seen.delayed[-1] += [get(dut.events.payload.axon)] * get(dut.events.payload.value)

    play(dut, cycles, each=each)
    assert len(seen.passed) == len(spikes)
    return seen


def reference(spikes: list[list[int]], delays: list[int], last: Callable[[int], bool]) -> list[list[int]]:
    """By step, one more than there are; a spike does not outlive its sample."""
    arriving: list[list[int]] = [[] for _ in range(len(spikes) + 1)]
    for t, fired in enumerate(spikes):
        for neuron in fired:
            at = t + 1 + delays[neuron]
            if at <= len(spikes) and not any(last(step) for step in range(t, at)):
                arriving[at].append(neuron)
    return [sorted(step) for step in arriving]


def test_program_groups_neurons_of_a_row_by_delay_long_delays_first() -> None:
    plan = image([3, 1, 3, 3, 0, 1], 2).loop
    assert plan is not None
    assert [tuple(entry) for entry in plan.program] == [
        (3, 0, (0,)), (3, 1, (0, 1)), (1, 0, (1,)), (1, 2, (1,)), (0, 2, (0,)),
    ]  # fmt: skip
    dut = DelayBuffer(plan, name="layer0", ahead=4)
    assert dut.depth == plan.ring_words == 4 * 3
    # offset, delay, row, mask
    assert dut.rom.words[0] == 0 | 3 << 4 | 0 << 6 | 0b01 << 8
    assert dut.rom.words[1] == 4 * 3 - 1 | 3 << 4 | 1 << 6 | 0b11 << 8
    assert dut.rom.words[4] == 1 * 3 - 2 | 0 << 4 | 2 << 6 | 0b01 << 8


@pytest.mark.parametrize("lanes", [2, 16])
def test_spikes_are_offered_eight_cycles_after_the_mark(lanes: int) -> None:
    delays = [1] * 20
    seen = run(image(delays, lanes), [[0, 1], [], []], ahead=3)
    assert seen.delayed == [[], [], [0, 1], [], []]
    entries = -(-20 // lanes)
    latency = 8 + (lanes > 8)
    # The mark follows the last entry, one cycle behind.
    marks = [seen.events[0], seen.events[1], seen.events[4]]
    assert marks[1] == seen.passed[0] + latency + entries
    assert seen.events[2] == seen.passed[1] + latency
    assert marks[2] == max(seen.events[3] + 1, seen.passed[1] + latency + entries)


def test_sample_ends_at_once() -> None:
    seen = run(image([1] * 20, 2), [[0], [1], [2]], last=lambda step: step == 1)
    assert seen.delayed == [[], [], [], [], []]
    assert seen.events[2] == seen.passed[1] + 8


@pytest.mark.parametrize(("delay", "waits"), [(0, True), (1, False)])
def test_entry_waits_until_its_row_is_there(delay: int, waits: bool) -> None:
    seen = run(image([delay, 3], 1), [[0], [0], [0], [0]], ahead=40)
    for step in range(2, 4):
        first = seen.events[seen.events.index(seen.passed[step] - 1) + 1]
        if waits:
            # One cycle until it counts, seven through the stages.
            assert first == seen.complete[step] + 1 + 7
        else:
            assert first < seen.complete[step]


@pytest.mark.parametrize("delay", [0, 1, 5])
def test_delay_counts_from_the_next_step(delay: int) -> None:
    seen = run(image([delay, 5], 2), [[], [0], *[[]] * 9])
    expected: list[list[int]] = [[] for _ in range(12)]
    expected[1 + 1 + delay] = [0]
    assert seen.delayed[:12] == expected


@pytest.mark.parametrize("seed", range(6))
def test_every_spike_arrives_once_in_its_step(seed: int) -> None:
    rng = random.Random(seed)
    neurons, most = (1, 5, 20, 40, 70, 30)[seed], 1 if seed < 5 else 7
    delays = [rng.randint(0, 6) for _ in range(neurons)]
    ends = {rng.randrange(24) for _ in range(3)}
    spikes = [
        sorted(
            n for n in rng.sample(range(neurons), rng.randint(0, min(neurons, 8))) for _ in range(rng.randint(1, most))
        )
        for _ in range(24)
    ]
    stall = rng.choice([0.0, 0.3])
    seen = run(
        image(delays, (1, 2, 4, 16, 64, 16)[seed], most),
        spikes,
        last=lambda step: step in ends,
        ahead=rng.randint(1, 30),
        wait=lambda: rng.randrange(12),
        ready=lambda cycle: rng.random() >= stall,
    )
    assert [sorted(step) for step in seen.delayed[:25]] == reference(spikes, delays, lambda step: step in ends)


def onward_plan(delays: list[int], lanes: int, value_bits: int = 1) -> DelayPlan:
    return DelayPlan(np.array(delays), lanes, value_bits=value_bits)


def send_onward(
    plan: DelayPlan,
    spikes: list[list[int]],
    last: Callable[[int], bool],
    *,
    steps: int = 2,
    ready: Callable[[int], bool] = lambda cycle: True,
) -> tuple[list[list[int]], list[tuple[int, int]], list[int], list[int]]:
    """Spikes by step as they are sent, flags of the marks, cycles of all events, cycles of the marks that were given.

    A step begins as soon as there is room, and its rows come from two cycles later on.
    """
    dut = OnwardBuffer(plan, name="layer0", steps=steps)
    sent: list[list[int]] = [[]]
    flags: list[tuple[int, int]] = []
    events: list[int] = []
    marks: list[int] = []
    nothing = -1 << 20
    begun = [nothing]

    def each(get: Callable[[Any], int], put: Callable[[Any, int], None], cycle: int) -> None:
        step, row = len(marks), cycle - begun[0] - 2
        if step < len(spikes) and begun[0] == nothing and get(dut.room):
            begun[0] = cycle
        valid = 0 <= row < plan.rows
        put(dut.valid, valid)
        put(dut.bits, row_of(plan, row, spikes[step]) if valid else 0)
        ends = row == plan.rows
        put(dut.mark, ends)
        put(dut.last, ends and last(step))
        put(dut.error, ends and step % 3 == 1)
        if ends:
            marks.append(cycle)
            begun[0] = nothing
        takes = ready(cycle)
        put(dut.events.ready, takes)
        if takes and get(dut.events.valid):
            events.append(cycle)
            if get(dut.events.payload.mark):
                sent.append([])
                flags.append((get(dut.events.payload.last), get(dut.events.payload.error)))
            else:
                sent[-1] += [get(dut.events.payload.axon)] * get(dut.events.payload.value)

    play(dut, 2500, each=each)
    assert len(marks) == len(spikes)
    assert sent.pop() == []
    return sent, flags, events, marks


@pytest.mark.parametrize("steps", [1, 2])
@pytest.mark.parametrize("seed", range(4))
def test_spikes_reach_the_next_layer_in_their_step(seed: int, steps: int) -> None:
    rng = random.Random(seed)
    lanes, neurons = rng.choice([1, 2, 16]), rng.randint(3, 20)
    delays = [rng.randint(0, 4) for _ in range(neurons)]
    most = 1 if seed < 3 else 7
    spikes = [[n for n in range(neurons) if rng.random() < 0.4 for _ in range(rng.randint(1, most))] for _ in range(25)]
    ends = {4, 5, 14, 24}
    stalls = random.Random(seed + 9)
    sent, flags, _, _ = send_onward(
        onward_plan(delays, lanes, most.bit_length()),
        spikes,
        ends.__contains__,
        steps=steps,
        ready=lambda cycle: stalls.random() < 0.6,
    )
    expected: list[list[int]] = [[] for _ in spikes]
    for t, fired in enumerate(spikes):
        for neuron in fired:
            at = t + delays[neuron]
            if at < len(spikes) and not ends & set(range(t, at)):
                expected[at].append(neuron)
    assert [sorted(step) for step in sent] == [sorted(step) for step in expected]
    assert flags == [(int(t in ends), int(t % 3 == 1)) for t in range(len(spikes))]


@pytest.mark.parametrize("lanes", [2, 16])
def test_onward_spikes_are_offered_eight_cycles_after_the_mark(lanes: int) -> None:
    plan = onward_plan([0] * 20, lanes)
    sent, _, events, marks = send_onward(plan, [[0, 1], []], lambda step: step == 1)
    assert sent == [[0, 1], []]
    latency = 8 + (lanes > 8)
    assert events[0] == marks[0] + latency
    # The mark follows the last entry, one cycle behind.
    assert events[2] == max(events[1] + 1, marks[0] + latency + len(plan.program))
