"""Simulations hold the cycle model to the RTL; here, what can be counted by hand from the documented latencies."""

import zlib
from dataclasses import replace

import numpy as np
import pytest
import torch

from random_networks import SOFT, TAU_2, random_counts, random_network
from spikewright.contract.decay import Decay
from spikewright.contract.errors import InputError
from spikewright.contract.layer import LayerSpec
from spikewright.contract.network import NetworkSpec
from spikewright.integer.reference import IntegerNetwork
from spikewright.layout.pack import pack
from spikewright.predict.cycles import CycleModel


def readout(weights: np.ndarray, value_bits: int = 1) -> LayerSpec:
    classes, inputs = weights.shape
    return LayerSpec(
        inputs=inputs,
        neurons=classes,
        weights=weights,
        bias=np.zeros(classes, dtype=np.int64),
        threshold=None,
        delays=None,
        decay=Decay(1, 1),
        value_bits=value_bits,
    )


def test_silent_step_of_a_read_out() -> None:
    network = NetworkSpec(layers=(readout(np.zeros((3, 2), dtype=np.int64)),), timesteps=1)
    cycles = CycleModel(pack(network, 1)).run(np.zeros((1, 2), dtype=np.int64), [], start=100)
    # The mark: taken at 100, leaves the gate two cycles later, the fetch four after that, and the queue two later.
    left = 108
    assert cycles.accepted == 100
    # Six cycles until the join begins, two until it shows the first row.
    assert cycles.steps.tolist() == [[left + 6 + 2]]
    # Three classes are read, the mark follows, the first score two cycles behind, two cycles a score, then the class.
    assert cycles.done == left + 8 + 3 + 2 + 2 * 2 + 1
    assert cycles.latency == cycles.done - 100 + 1


@pytest.mark.parametrize("synapses", [1, 2, 7, 20])
def test_a_synapse_costs_one_cycle_and_a_zero_none(synapses: int) -> None:
    weights = np.zeros((20, 2), dtype=np.int64)
    weights[:synapses, 1] = 1
    network = NetworkSpec(layers=(readout(weights),), timesteps=1)
    both = CycleModel(pack(network, 1)).run(np.array([[1, 1]]), [], start=0)
    # Gate 2, a cycle behind the event before, fetch 4, queue 2, the walk, and 8 as in a silent step; the mark itself
    # is there one cycle behind the event.
    assert both.steps.tolist() == [[1 + 2 + 4 + 2 + max(1, synapses) + 8]]
    without = CycleModel(pack(network, 1)).run(np.array([[1, 0]]), [], start=0)
    assert without.steps.tolist() == [[1 + 2 + 4 + 2 + 8]]
    # All cycles of the lane from its first synapse to the mark are synapses.
    assert (both.integrating.tolist(), without.integrating.tolist()) == ([synapses], [0])


def test_lanes_share_the_work() -> None:
    network = random_network(1, (30, 32, 8), recurrent=(False,), density=1.0, timesteps=5)
    counts = random_counts(1, network, 1, rate=1.0)
    trace = IntegerNetwork(network).run(torch.from_numpy(counts))
    spikes = [trace.spikes[0][0].numpy()]
    by_lanes = [CycleModel(pack(network, lanes)).run(counts[0], spikes, 0).latency for lanes in (1, 2, 4, 8)]
    for slow, fast in zip(by_lanes[:-1], by_lanes[1:], strict=True):
        assert 0.5 * slow < fast < 0.65 * slow


def test_samples_continue_one_timeline() -> None:
    network = random_network(4, (8, 9, 7, 3), recurrent=(True, True), timesteps=9)
    core = pack(network, 2)
    counts = random_counts(4, network, 2)
    trace = IntegerNetwork(network).run(torch.from_numpy(counts))
    spikes = [[layer[b].numpy() for layer in trace.spikes] for b in range(2)]
    model = CycleModel(core)
    first = model.run(counts[0], spikes[0], 1000)
    close = model.run(counts[1], spikes[1], first.accepted + 1)
    alone = CycleModel(core).run(counts[1], spikes[1], 0)
    later = CycleModel(core)
    later.run(counts[0], spikes[0], 1000)
    far = later.run(counts[1], spikes[1], first.done + 10_000)
    assert close.done > first.done
    assert close.latency >= alone.latency  # it waits for the sample before
    assert far.latency == alone.latency
    assert (far.steps - far.start).tolist() == (alone.steps - alone.start).tolist()


@pytest.mark.parametrize("shape", [(6, 20), (19, 6), (20, 5), (1, 20, 6)])
def test_a_sample_in_another_order_is_an_error_that_shows_both_shapes(shape: tuple[int, ...]) -> None:
    model = CycleModel(pack(random_network(4, (6, 5, 3)), 2))
    spikes = np.zeros((20, 5), dtype=np.bool_)
    with pytest.raises(InputError) as error:
        model.run(np.zeros(shape, dtype=np.int64), [spikes], 0)
    assert str(error.value) == f"values must be (20 steps, 6 channels), not {shape}"
    with pytest.raises(InputError) as error:
        model.run(np.zeros((20, 6), dtype=np.int64), [spikes.T], 0)
    assert str(error.value) == "spikes must be (steps, neurons) of every spiking layer, [(20, 5)], not [(5, 20)]"


def dense() -> NetworkSpec:
    network = random_network(3, (40, 64, 8), recurrent=(False,), timesteps=8)
    layer, last = network.layers
    return replace(network, layers=(replace(layer, weights=np.ones((64, 40), dtype=np.int64)), last))


def test_lanes_are_busy_while_they_integrate() -> None:
    """Dense rows keep every lane at work from the first synapse of a sample to its last mark, sweeps left out."""
    network = dense()
    core = pack(network, 8)
    counts = np.ones((8, 40), dtype=np.int64)
    trace = IntegerNetwork(network).run(torch.from_numpy(counts)[None])
    cycles = CycleModel(core).run(counts, [trace.spikes[0][0].numpy()], 0)
    assert cycles.integrating[0] == 8 * 40 * 64


def test_a_step_of_a_busy_layer_costs_its_synapses_and_the_sweep() -> None:
    network = dense()
    image = pack(network, 8).layers[0]
    counts = np.ones((8, 40), dtype=np.int64)
    trace = IntegerNetwork(network).run(torch.from_numpy(counts)[None])
    cycles = CycleModel(pack(network, 8)).run(counts, [trace.spikes[0][0].numpy()], 0)
    assert np.diff(cycles.steps[0]).tolist() == [40 * 64 // 8 + image.rows + 4] * 7


@pytest.mark.parametrize("shortest", [0, 4])
def test_long_delays_let_the_next_step_begin_before_the_sweep(shortest: int) -> None:
    """Delayed spikes that can only come from older steps are looked up while lanes still work on the last one."""
    network = random_network(5, (4, 64, 4), recurrent=(True,), density=1.0, timesteps=30)
    layer = replace(network.layers[0], delays=np.full(64, shortest), threshold=np.ones(64, dtype=np.int64))
    network = replace(network, layers=(layer, network.layers[1]))
    counts = np.zeros((30, 4), dtype=np.int64)
    counts[0] = 1
    trace = IntegerNetwork(network).run(torch.from_numpy(counts)[None])
    spikes = trace.spikes[0][0].numpy()
    assert spikes.sum() > 200
    core = pack(network, 8)
    cycles = CycleModel(core).run(counts, [spikes], 0)
    fan_out = np.count_nonzero(network.layers[0].weights[:, 4:], axis=0)
    operations = sum(fan_out[spikes[t - 1 - shortest]].sum() for t in range(shortest + 1, 30))
    idle = cycles.integrating[0] - operations
    # Without it, every step waits for the sweep, the join, and the look-up.
    assert idle > 15 * 8 * 30 if shortest == 0 else idle < 10 * 8 * 30


# By network: of two samples, one right behind the other, when the last beat is taken, when the class is, a checksum of
# all steps of all layers, and cycles of integration.
PINNED = {
    "1 lanes": (500, 1036, 2347881469, 1946, 1446, 2019, 3749794440, 2257),
    "2 lanes": (261, 635, 1639879589, 1712, 937, 1254, 973773181, 2110),
    "4 lanes": (341, 580, 786586514, 3333, 829, 1085, 1641680466, 3285),
    "8 lanes": (274, 560, 2928706425, 6916, 635, 1044, 305360279, 7256),
    "32 lanes": (183, 564, 610943102, 10872, 621, 1054, 3455883159, 12544),
    "deep 0": (2778, 4684, 3686316238, 15337, 7888, 9401, 3708851321, 17544),
    "deep 1": (851, 1382, 2014224724, 14122, 2150, 2656, 2658587255, 15505),
    "deep 2": (1269, 2117, 3534630467, 11024, 2894, 3803, 3415445134, 10273),
    "deep 3": (475, 853, 1379119241, 11437, 1141, 1546, 342187295, 11802),
    "dense": (2570, 2954, 2700840826, 7999, 5009, 5397, 2516457183, 7029),
    "wide": (205, 583, 2484027576, 12016, 679, 1083, 2659272848, 14006),
    "empty": (72, 354, 3726483216, 0, 290, 648, 197528281, 0),
}


def pinned_network(name: str) -> tuple[NetworkSpec, int, int]:
    """Network, lanes, and seed of its samples: mostly those that the tests of the core hold to the RTL."""
    kind, _, number = name.partition(" ")
    if kind == "deep":
        seed = int(number)
        sizes = (9, 20, 17, 11, 6)
        options = {"recurrent": (True,), "max_delay": 12, "neuron": SOFT, "decay": TAU_2, "weight_shift": seed}
        return random_network(seed, sizes, **options), (1, 4, 2, 8)[seed], seed
    if kind == "dense":
        return random_network(5, (30, 24, 6), recurrent=(True,), max_delay=2, density=1.0, timesteps=8), 2, 5
    if kind == "wide":
        return random_network(7, (10, 40, 30, 4), recurrent=(True,), max_delay=3, timesteps=8), 16, 7
    if kind == "empty":
        return random_network(5, (10, 12, 9, 4), density=0.0), 4, 5
    return random_network(int(kind)), int(kind), int(kind)


@pytest.mark.parametrize("name", PINNED)
def test_cycles_that_the_rtl_was_held_to(name: str) -> None:
    """A change of the model shows here without a simulation; one of both, after the simulations passed, is written."""
    network, lanes, seed = pinned_network(name)
    counts = random_counts(seed, network, 2)
    trace = IntegerNetwork(network).run(torch.from_numpy(counts))
    model = CycleModel(pack(network, lanes))
    start, found = 0, []
    for b in range(2):
        sample = model.run(counts[b], [layer[b].numpy() for layer in trace.spikes], start)
        steps = zlib.crc32(sample.steps.astype("<i8").tobytes())
        found += [sample.accepted, sample.done, steps, int(sample.integrating.sum())]
        start = sample.accepted + 1
    assert tuple(found) == PINNED[name]
