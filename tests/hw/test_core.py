import random
from dataclasses import replace

import numpy as np
import pytest
import torch
from amaranth.hdl import Fragment
from core_bench import run
from load_bench import Beats, play

from random_networks import SOFT, TAU_1_05, TAU_2, random_counts, random_network, with_own
from spikewright.contract.encoding import encoding_names
from spikewright.contract.names import Layers
from spikewright.contract.network import NetworkSpec
from spikewright.contract.neurons.lif import IntegerLIF
from spikewright.integer.reference import IntegerNetwork
from spikewright.layout.capacity import capacity_for, pack_into
from spikewright.layout.pack import pack
from spikewright.predict.cycles import CycleModel
from spikewright_hw.core import AxiCore
from spikewright_sim.core.dut import beats


def check(
    spec: NetworkSpec,
    lanes: int,
    seed: int,
    *,
    samples: int = 2,
    stalls: float = 0.0,
    layers: Layers = "parallel",
    encoding: str = "auto",
    most_steps: int | None = None,
) -> None:
    """Spikes, membranes, scores, classes and, without stalls, cycles of a few samples back to back.

    The core may be made for samples of `most_steps`, more than those of `spec`.
    """
    counts = random_counts(seed, spec, samples)
    trace = IntegerNetwork(spec).run(torch.from_numpy(counts))
    core = pack(replace(spec, timesteps=most_steps or spec.timesteps), lanes, layers=layers, encoding=encoding)
    rng = random.Random(seed)
    stall = (lambda: rng.random() < stalls) if stalls else (lambda: False)
    seen = run(core, counts, stall_input=stall, stall_output=stall)
    steps = samples * spec.timesteps
    for index, membranes in enumerate(trace.membranes):
        expected = membranes.reshape(steps, -1).numpy()
        np.testing.assert_array_equal(seen.membranes(core, index), expected, f"membranes of layer {index}, seed {seed}")
    for index, spikes in enumerate(trace.spikes):
        image = core.layers[index]
        width = image.spec.count_bits
        fired = [
            sum(bits >> width * lane & (1 << width) - 1 for lane in range(image.lanes))
            for _, _, bits, _ in seen.rows[index]
        ]
        count = np.array(fired).reshape(steps, -1).sum(axis=1)
        np.testing.assert_array_equal(count, spikes.reshape(steps, -1).sum(dim=1).numpy())
    assert [scores for scores, _, _ in seen.results] == trace.scores.tolist()
    assert [best for _, best, _ in seen.results] == trace.classes.tolist()
    assert not any(error for _, _, error in seen.results)
    if stalls:
        return
    model = CycleModel(replace(core, network=spec))
    for b in range(samples):
        predicted = model.run(counts[b], [s[b].numpy() for s in trace.spikes], seen.starts[b])
        assert predicted.accepted == seen.accepted[b]
        for index in range(len(spec.layers)):
            simulated = seen.step_cycles(index)[b * spec.timesteps : (b + 1) * spec.timesteps]
            assert predicted.steps[index].tolist() == simulated, f"layer {index}, sample {b}, seed {seed}"
        assert predicted.done == seen.done[b]


@pytest.mark.parametrize(
    ("lanes", "encoding"),
    [(1, "bitmap"), (2, "relative"), (4, "absolute"), (8, "bitmap"), (32, "auto"), (64, "absolute")],
)
def test_equals_the_integer_network_and_the_cycle_model(lanes: int, encoding: str) -> None:
    check(random_network(lanes, timesteps=9), lanes, lanes, encoding=encoding)


@pytest.mark.parametrize("layers", ["parallel", "shared"])
@pytest.mark.parametrize("steps", [1, 2, 7])
def test_samples_may_end_before_the_last_step_that_the_core_is_made_for(layers: Layers, steps: int) -> None:
    spec = random_network(steps, (9, 14, 8, 5), recurrent=(True, False), max_delay=4, timesteps=steps)
    check(spec, 4, steps, samples=3, layers=layers, most_steps=24)


@pytest.mark.parametrize("seed", range(4))
def test_soft_reset_long_delays_and_deep_recurrence(seed: int) -> None:
    sizes = (9, 12, 10, 7, 4)
    options = {"neuron": SOFT, "decay": TAU_2, "weight_shift": seed, "timesteps": 16}
    spec = random_network(seed, sizes, recurrent=(True,), max_delay=12, **options)
    check(spec, (1, 4, 2, 8)[seed], seed, encoding=("relative", "bitmap", "absolute", "auto")[seed])


@pytest.mark.parametrize("density", [0.0, 0.05, 1.0])
@pytest.mark.parametrize("encoding", encoding_names())
def test_empty_and_dense_networks(density: float, encoding: str) -> None:
    check(random_network(5, (10, 12, 9, 4), density=density, decay=TAU_1_05, timesteps=9), 4, 5, encoding=encoding)


def test_read_out_alone() -> None:
    check(random_network(6, (7, 3)), 2, 6, samples=3)


@pytest.mark.parametrize("layers", ["parallel", "shared"])
def test_constants_of_single_neurons(layers: Layers) -> None:
    """Leaks and starts, those of the read-out among them, floors, and a bit beside the membrane of one layer."""
    spec = random_network(6, (7, 9, 6, 3), recurrent=(True, False), floor="own", timesteps=8)
    first = replace(spec.layers[0], neuron=IntegerLIF("twice"))
    spec = with_own(6, replace(spec, layers=(first, *spec.layers[1:])), ("leaks", "starts"))
    check(spec, 2, 6, layers=layers)


@pytest.mark.parametrize("layers", ["parallel", "shared"])
@pytest.mark.parametrize("lanes", [1, 4])
def test_several_spikes_come_back_and_arrive_late(layers: Layers, lanes: int) -> None:
    """Of two layers, the second with wider events from the first than from itself; the third has single spikes."""
    nine = IntegerLIF("soft", max_spikes=9)
    several = random_network(3, (6, 9, 6, 5, 3), recurrent=(True,), most_onward=2, neuron=nine)
    layers_of = [replace(of, neuron=IntegerLIF(), value_bits=1) for of in several.layers]
    layers_of[0] = replace(several.layers[0], value_bits=1)
    layers_of[1] = replace(layers_of[1], neuron=IntegerLIF("hard", max_spikes=3), value_bits=4)
    layers_of[2] = replace(layers_of[2], value_bits=2)
    spec = replace(several, layers=tuple(layers_of), timesteps=8)
    trace = IntegerNetwork(spec).run(torch.from_numpy(random_counts(3, spec, 2)))
    assert [int(of.max()) for of in trace.spikes] == [9, 3, 1]
    check(spec, lanes, 3, layers=layers)


def test_stalls_at_both_ends_change_nothing() -> None:
    check(random_network(8, recurrent=(True,)), 4, 8, stalls=0.4, encoding="bitmap")


class Loaded:
    """Two networks of one shape, the core that both fit, their load images, and what they answer to some samples."""

    def __init__(self, layers: Layers = "parallel") -> None:
        networks = [random_network(seed, (6, 5, 3), recurrent=(True,), timesteps=5) for seed in (11, 12)]
        capacity = capacity_for(networks, 2, layers=layers)
        cores = [AxiCore(pack_into(network, 2, capacity)) for network in networks]
        self.dut = cores[0]
        self.images = [self.beats(core.loader.image()) for core in cores if core.loader]
        # What is never elaborated is a warning of Amaranth.
        Fragment.get(cores[1], None)
        self.counts = random_counts(11, networks[0], 3)
        mask = (1 << 8 * self.dut.format.output_bytes) - 1
        self.answers = []
        for network in networks:
            trace = IntegerNetwork(network).run(torch.from_numpy(self.counts))
            scores = (trace.scores.numpy() & mask).tolist()
            self.answers.append([[*of, int(best)] for of, best in zip(scores, trace.classes, strict=True)])
        assert self.answers[0] != self.answers[1]
        stream = self.dut.format.widths()
        self.samples = [beats(sample, stream) for sample in self.counts]

    @staticmethod
    def beats(image: bytes) -> Beats:
        return [(value, int(k == len(image) - 1)) for k, value in enumerate(image)]

    @property
    def events(self) -> Beats:
        return [beat for sample in self.samples for beat in sample]


def test_nothing_is_answered_before_a_good_image_is_loaded() -> None:
    loaded = Loaded()
    good = loaded.images[0]
    flipped = [(value ^ (k == 40), last) for k, (value, last) in enumerate(good)]
    interrupted = [*good[:50], (good[50][0], 1)]
    foreign = [(value ^ (k == 6), last) for k, (value, last) in enumerate(good)]
    loads = [(0, flipped), (400, interrupted), (600, foreign), (1000, good)]
    assert len(good) < 350
    seen = play(loaded.dut, loads, loaded.events, 2200)
    begin = seen.loaded.index(1)
    assert begin > 1000
    for cycle in (399, 599, 999):
        assert seen.errors[cycle] == 1
    assert not any(seen.loaded[:begin])
    assert seen.errors[begin:] == [0] * len(seen.errors[begin:])
    assert min(seen.event_cycles) >= begin
    assert min(seen.working) > begin
    assert seen.answers == loaded.answers[0]


def test_another_image_is_taken_between_samples() -> None:
    loaded = Loaded()
    first, second = loaded.images
    # Offered while the first sample is under way, with the others right behind it.
    seen = play(loaded.dut, [(0, first), (len(first) + 15, second)], loaded.events, 1800)
    of_first, of_second = loaded.answers
    assert seen.answers == [of_first[0], *of_second[1:]]
    begin = seen.load_cycles[len(first)]
    inside = len(loaded.samples[0])
    assert seen.event_cycles[0] < len(first) + 15 < seen.event_cycles[inside - 1]
    assert seen.answered[0] < begin < seen.event_cycles[inside]
    assert seen.errors == [0] * len(seen.errors)


def test_layers_that_share_lanes_are_loaded_too() -> None:
    loaded = Loaded("shared")
    first, second = loaded.images
    of_first, of_second = loaded.answers
    seen = play(loaded.dut, [(0, second), (len(second) + 15, first)], loaded.events, 2400)
    assert seen.answers == [of_second[0], *of_first[1:]]
    assert seen.errors == [0] * len(seen.errors)


def test_images_are_loaded_into_an_idle_core() -> None:
    loaded = Loaded()
    first, second = loaded.images
    # After an image that is refused.
    wrong = [(value ^ (k == 99), last) for k, (value, last) in enumerate(first)]
    seen = play(loaded.dut, [(0, second), (500, wrong), (900, first)], loaded.events, 2400, 1400)
    assert seen.errors[899] == 1
    assert seen.answers == loaded.answers[0]
