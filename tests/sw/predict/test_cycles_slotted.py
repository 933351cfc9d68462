"""Simulations hold the cycle model to the RTL; here, what can be counted by hand from the documented latencies."""

from dataclasses import replace

import numpy as np
import torch

from random_networks import random_counts, random_network
from spikewright.integer.reference import IntegerNetwork
from spikewright.layout.pack import pack
from spikewright.predict.cycles import CycleModel


def predicted(network, lanes, counts, start=0, model=None):
    trace = IntegerNetwork(network).run(torch.from_numpy(counts)[None])
    spikes = [layer[0].numpy() for layer in trace.spikes]
    return (model or CycleModel(pack(network, lanes, layers="slotted"))).run(counts, spikes, start)


def quiet(sizes, timesteps=2):
    network = random_network(1, sizes, recurrent=(False,), density=0.0, timesteps=timesteps, value_bits=1)
    return replace(network, layers=tuple(replace(layer, bias=layer.bias * 0) for layer in network.layers))


def test_silent_steps():
    rows, classes = 7, 3
    cycles = predicted(quiet((2, rows, classes)), 1, np.zeros((2, 2), dtype=np.int64))
    # The mark leaves the gate after two cycles and goes through the source and the fetch in three more; a register on
    # the way to the lanes and one of the lane, the memory and what it gave, the sum of two words; four cycles later
    # there is the first row.
    first = 2 + 3 + 2 + 2 + 1 + 4
    # The last row follows, through the mask and the queue in six cycles. The source sees it and ends the step in the
    # next cycle; its mark goes the same way.
    second = first + rows - 1 + 6 + 1 + 3 + 2 + 2 + 1 + 4
    # A step takes as long as a sweep.
    assert cycles.steps.tolist() == [[first, first + rows], [second, second + rows]]
    # Of the read-out's own rows, then two cycles a score.
    assert cycles.done == second + rows + classes + 2 * classes + 1
    assert cycles.after_input == cycles.done - 1
    assert cycles.accepted == 1  # both beats wait in the gate


def test_two_events_a_cycle():
    network = quiet((20, 4, 3))
    counts = np.ones((2, 20), dtype=np.int64)
    weights = network.layers[0].weights.copy()
    weights[0] = 1
    network = replace(network, layers=(replace(network.layers[0], weights=weights), network.layers[1]))
    cycles = predicted(network, 4, counts)
    assert (cycles.steps[0, 1] - cycles.steps[0, 0], cycles.accepted) == (11, 21)


def test_samples_follow_each_other():
    network = random_network(4, (6, 9, 8, 3), recurrent=(False, True), max_delay=5, timesteps=9)
    counts = random_counts(4, network, 2)
    core = pack(network, 4, layers="slotted")
    alone = [predicted(network, 4, sample) for sample in counts]
    model = CycleModel(core)
    first = predicted(network, 4, counts[0], model=model)
    second = predicted(network, 4, counts[1], first.accepted + 1, model)
    assert first.done == alone[0].done
    assert second.done > first.done
    assert second.done - first.accepted - 1 > alone[1].done  # it waits for the answer before it
    idle = predicted(network, 4, counts[1], second.done + 10_000, model)
    assert idle.latency == alone[1].latency
