"""The delay buffer in Verilator: every spike arrives once, in its step and in its cycle."""

import random
from pathlib import Path
from typing import Any

import pytest

from random_components import SEEDS, stall_of
from spikewright.errors import CheckFailed
from spikewright_hw.delay import DelayBuffer
from spikewright_hw.layouts import event
from spikewright_sim.components import Compiled, compile_components, run_components

LONGEST = 40
BUFFERS = {"one": (1, 0), "few": (5, LONGEST), "many": (70, LONGEST)}
"""Neurons and longest delay; the last has three words of 32 bits per slot."""


def delay_buffers(seed: int) -> tuple[dict[str, DelayBuffer], dict[str, list[int]]]:
    rng = random.Random(seed)
    delays = {}
    for name, (neurons, longest) in BUFFERS.items():
        delays[name] = [rng.randint(0, longest) for _ in range(neurons)]
        delays[name][rng.randrange(neurons)] = longest
    return {name: DelayBuffer(values, name=name) for name, values in delays.items()}, delays


def random_spikes(rng: random.Random, neurons: int) -> list[list[list[int]]]:
    """Samples of steps of neurons that fire; some longer than the longest delay, some of a single step."""
    samples = []
    for steps in (rng.randint(1, 3), LONGEST + rng.randint(5, 15), 1, rng.randint(5, 20)):
        rate = rng.choice([0.05, 0.5, 1.0])
        samples.append([[n for n in range(neurons) if rng.random() < rate] for _ in range(steps)])
    return samples


def arrivals(samples: list[list[list[int]]], delays: list[int]) -> list[list[int]]:
    """Neurons by step of arrival: a spike of j at step t arrives at t + 1 + delays[j], unless its sample is over."""
    arriving = []
    for sample in samples:
        steps: list[list[int]] = [[] for _ in sample]
        for t, fired in enumerate(sample):
            for neuron in fired:
                if t + 1 + delays[neuron] < len(sample):
                    steps[t + 1 + delays[neuron]].append(neuron)
        arriving += [sorted(step) for step in steps]
    return arriving


def test_delay_buffer(tmp_path: Path) -> None:
    compiled = compile_components(delay_buffers(0)[0], tmp_path)
    for seed in SEEDS:
        folder = tmp_path / f"seed{seed}"
        folder.mkdir()
        check(compiled, folder, seed)
    # A bench that waits for what never comes gives up, and tells for what.
    job = {name: {"stall": 0.0, "mark_bit": 30, "steps": [[0]]} for name in BUFFERS}
    with pytest.raises(CheckFailed) as error:
        run_components(compiled, delay_buffers(7)[0], "spikewright_sim.bench_delay", job, folder, seed=7)
    assert str(error.value).startswith("the simulation was stopped by its bench, seed 7:\n")
    assert "AssertionError: one, few, many hanging since cycle " in str(error.value)


def check(compiled: Compiled, folder: Path, seed: int) -> None:
    rng = random.Random(f"delay {seed}")
    buffers, delays = delay_buffers(seed)
    samples, job = {}, {}
    for name, (neurons, _) in BUFFERS.items():
        samples[name] = random_spikes(rng, neurons)
        beat = event(neurons).const
        steps = []
        for sample in samples[name]:
            for t, fired in enumerate(sample):
                beats = [beat({"axon": neuron, "value": 1}) for neuron in rng.sample(fired, len(fired))]
                beats.append(beat({"mark": 1, "last": t == len(sample) - 1}))
                steps.append([item.as_bits() for item in beats])
        mark_bit = beat({"mark": 1}).as_bits().bit_length() - 1
        job[name] = {"stall": stall_of(seed), "mark_bit": mark_bit, "steps": steps}
    recording = run_components(compiled, buffers, "spikewright_sim.bench_delay", job, folder, seed=seed)
    for name, buffer in buffers.items():
        layout = event(BUFFERS[name][0])
        got: list[list[int]] = [[]]
        offered = []
        for cycle, word in recording[name]["given"]:
            beat = layout.from_bits(word)
            offered.append((cycle, beat.mark))
            if beat.mark:
                got.append([])
            else:
                got[-1].append(beat.axon)
        expected = [*arrivals(samples[name], delays[name]), []]
        for step, (want, have) in enumerate(zip(expected, got, strict=False)):
            assert have == want, f"{name}, seed {seed}, step {step}: expected {want}, got {have}"
        assert len(got) == len(expected) + 1
        if stall_of(seed) == 0:
            check_cycles(buffer, recording[name]["taken"], offered, expected, layout, f"{name}, seed {seed}")


def check_cycles(
    buffer: DelayBuffer,
    taken: list[list[int]],
    given: list[tuple[int, int]],
    expected: list[list[int]],
    layout: Any,
    where: str,
) -> None:
    """The latencies of the docstring: the first word five cycles after the mark, its spikes six cycles later."""
    reads = [buffer.depth]  # after the reset, every slot is cleared
    for cycle, word in taken:
        beat = layout.from_bits(word)
        if beat.mark:
            reads.append(cycle + 5 + (buffer.depth if beat.last else 0))
    position = 0
    for step, axons in enumerate(expected):
        sent = -1
        for axon in axons:
            sent = max(sent + 1, reads[step] + axon // buffer.width + 6)
            assert given[position] == (sent, 0), f"{where}, step {step}, spike of neuron {axon}"
            position += 1
        # The mark follows the last word through the same stages.
        sent = max(sent + 1, reads[step] + buffer.words + 6)
        assert given[position] == (sent, 1), f"{where}, step {step}, mark"
        position += 1
