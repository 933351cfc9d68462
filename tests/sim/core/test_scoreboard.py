"""The scoreboard against recordings made from the model itself, intact and damaged."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from random_networks import random_counts, random_network
from spikewright.contract.bounds import layer_bounds
from spikewright.contract.core import CoreSpec
from spikewright.integer.reference import IntegerNetwork, Trace
from spikewright.layout.pack import pack
from spikewright.predict.cycles import CycleModel
from spikewright_sim.core.recording import Recording
from spikewright_sim.core.scoreboard import SHOWN, Report, compare, unpack_signed

SPEC = random_network(3, (6, 7, 5, 3), recurrent=(False, True), timesteps=6)
CORE = pack(SPEC, 2)
COUNTS = random_counts(3, SPEC, 2)
TRACE = IntegerNetwork(SPEC).run(torch.from_numpy(COUNTS))


def ideal(core: CoreSpec, trace: Trace) -> Recording:
    """What a core that is right would show."""
    seen = Recording(rows=[[] for _ in core.layers])
    model = CycleModel(core)
    start = 500
    for b in range(len(COUNTS)):
        cycles = model.run(COUNTS[b], [layer[b].numpy() for layer in trace.spikes], start)
        for k, image in enumerate(core.layers):
            bits = layer_bounds(image.spec, SPEC.timesteps).state_bits
            lanes = image.lanes
            for t in range(SPEC.timesteps):
                v = trace.membranes[k][b, t].numpy()[image.order].tolist()
                s = [0] * len(v) if image.spec.readout else trace.spikes[k][b, t].numpy()[image.order].tolist()
                for row in range(-(-len(v) // lanes)):
                    members = range(row * lanes, min((row + 1) * lanes, len(v)))
                    word = sum((v[h] & (1 << bits) - 1) << bits * (h % lanes) for h in members)
                    fired = sum(int(s[h]) << h % lanes for h in members)
                    seen.rows[k].append((int(cycles.steps[k, t]) + row, row, fired, word))
        scores = trace.scores[b].tolist()
        seen.beats += [(cycles.done - 1, score & 0xFFFFFF, 0) for score in scores]
        seen.beats.append((cycles.done, int(trace.classes[b]), 1))
        seen.starts.append(start)
        seen.accepted.append(cycles.accepted)
        start = cycles.done + 1000
    return seen


def judge(seen: Recording) -> Report:
    return compare(CORE, COUNTS, TRACE, seen, output_bytes=3)


@pytest.fixture
def seen() -> Recording:
    return copy.deepcopy(ideal(CORE, TRACE))


def test_a_core_that_is_right_passes(seen: Recording) -> None:
    report = judge(seen)
    assert (report.mismatches, report.cycle_mismatches, report.details) == (0, 0, [])
    assert report.classes == TRACE.classes.tolist()
    assert report.latencies == [sample.latency for sample in report.predicted]


def test_a_wrong_membrane_is_named(seen: Recording) -> None:
    place = 2 * 4 + 1  # layer 0 has 4 rows of 2 lanes: step 2, row 1
    cycle, row, fired, v = seen.rows[0][place]
    seen.rows[0][place] = (cycle, row, fired, v ^ 1)
    neuron = int(CORE.layers[0].order[2])
    value = int(TRACE.membranes[0][0, 2, neuron])
    report = judge(seen)
    assert report.mismatches == 1
    assert report.details == [f"sample 0, layer 0, step 2, neuron {neuron} membrane: expected {value}, got {value ^ 1}"]


def test_a_wrong_spike_is_named(seen: Recording) -> None:
    place = SPEC.timesteps * 3 + 4 * 3 + 2  # layer 1 has 3 rows: sample 1, step 4, row 2
    cycle, row, fired, v = seen.rows[1][place]
    seen.rows[1][place] = (cycle, row, fired ^ 1, v)
    neuron = int(CORE.layers[1].order[4])
    spike = int(TRACE.spikes[1][1, 4, neuron])
    report = judge(seen)
    assert report.mismatches == 1
    assert report.details == [f"sample 1, layer 1, step 4, neuron {neuron}: expected {spike}, got {1 - spike}"]


def test_a_late_step_is_a_mismatch_of_cycles(seen: Recording) -> None:
    cycle, row, fired, v = seen.rows[2][3]
    assert row == 0
    seen.rows[2][3] = (cycle + 1, row, fired, v)
    report = judge(seen)
    assert (report.mismatches, report.cycle_mismatches) == (0, 1)
    assert report.details == [f"sample 0, layer 2, step 1, cycle: expected {cycle - 500}, got {cycle - 499}"]


def test_rows_out_of_order_are_reported(seen: Recording) -> None:
    seen.rows[0][0], seen.rows[0][1] = seen.rows[0][1], seen.rows[0][0]
    assert judge(seen).details[0] == "sample 0, layer 0, step 0, rows: expected [0, 1, 2, 3], got [1, 0, 2, 3]"


def test_wrong_results_are_reported(seen: Recording) -> None:
    scores = TRACE.scores[0].tolist()
    cycle, data, last = seen.beats[1]
    seen.beats[1] = (cycle, (data + 1) & 0xFFFFFF, last)
    cycle, data, last = seen.beats[3]
    seen.beats[3] = (cycle, (data + 1) % 3 | 1 << 23, last)
    report = judge(seen)
    assert report.mismatches == 3
    assert report.details == [
        f"sample 0, scores: expected {scores}, got {[scores[0], scores[1] + 1, scores[2]]}",
        f"sample 0, class: expected {data}, got {(data + 1) % 3}",
        "sample 0, error flag: expected 0, got 1",
    ]


def test_a_core_that_hangs_is_not_right(seen: Recording) -> None:
    hung = replace(seen, rows=[rows[: len(rows) // 2 + 1] for rows in seen.rows], beats=seen.beats[:4])
    report = judge(hung)
    assert report.mismatches == 4
    assert report.details[-1] == "results: expected 2, got 1"
    assert judge(Recording(rows=[[], [], []])).mismatches == 4


def test_all_differences_are_counted_and_the_first_described(seen: Recording) -> None:
    seen.rows[0] = [(cycle, row, fired, 0) for cycle, row, fired, _ in seen.rows[0]]
    report = judge(seen)
    assert report.mismatches == int((TRACE.membranes[0] != 0).sum())
    assert len(report.details) == SHOWN


def test_unpack_signed() -> None:
    assert unpack_signed([0b110_011_100, 0], 3, 3).tolist() == [[-4, 3, -2], [0, 0, 0]]
    assert unpack_signed([], 3, 2).shape == (0, 2)
    assert np.issubdtype(unpack_signed([1], 3, 2).dtype, np.int64)
