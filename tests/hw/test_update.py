import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from component_bench import play

from random_networks import HARD, TAU_1_05, TAU_2, random_network, with_own
from spikewright.contract.decay import Decay
from spikewright.contract.image import LayerImage
from spikewright.contract.network import NetworkSpec
from spikewright.contract.neuron import Neuron, all_neurons
from spikewright.contract.neurons.lif import IntegerLIF
from spikewright.layout.pack import pack
from spikewright_hw.currents import CurrentUpdate
from spikewright_hw.update import NeuronUpdate

BITS = 16


def image(
    seed: int,
    neurons: int,
    lanes: int,
    *,
    decay: Decay = TAU_1_05,
    neuron: Neuron = HARD,
    floor: str = "",
    current: Decay | None = None,
) -> LayerImage:
    network = random_network(seed, (3, neurons, 2), decay=decay, neuron=neuron, current_decays=(current,))
    rng = np.random.default_rng(seed)
    threshold = rng.integers(1, 120, neurons) if neuron.most == 1 else 1 << rng.integers(0, 7, neurons)
    floors = {"": None, "threshold": -threshold, "own": rng.integers(-100, 1, neurons)}[floor]
    layer = replace(network.layers[0], bias=rng.integers(-40, 41, neurons), threshold=threshold, floor=floors)
    return pack(NetworkSpec(layers=(layer, network.layers[1]), timesteps=20), lanes).layers[0]


def sweep(
    dut: Any, reads: list[tuple[int, int, int]], cycles: int | None = None
) -> tuple[list[tuple[int, ...]], list[tuple[int, ...]]]:
    """Read (row, state, last), one a cycle from cycle 0 on.

    Returns (cycle, row, spike or 0, v) of what is done, and (cycle, row, state) of what is written.
    """
    done: list[tuple[int, ...]] = []
    written: list[tuple[int, ...]] = []

    def each(get: Callable[[Any], int], put: Callable[[Any, int], None], cycle: int) -> None:
        put(dut.state, reads[cycle - 1][1] if 1 <= cycle <= len(reads) else 12345)
        put(dut.read, cycle < len(reads))
        if cycle < len(reads):
            row, _, last = reads[cycle]
            put(dut.row, row)
            put(dut.last, last)
        if get(dut.done):
            done.append((cycle, get(dut.done_row), get(dut.spike) if hasattr(dut, "spike") else 0, get(dut.v)))
        if get(dut.write):
            written.append((cycle, get(dut.write_row), get(dut.next_state)))

    play(dut, cycles or len(reads) + 8, each=each)
    return done, written


def lane_values(layer: LayerImage, lane: int) -> tuple[list[int], list[int]]:
    assert layer.spec.threshold is not None
    thresholds = layer.by_position(layer.spec.threshold, 1)[:, lane]
    return thresholds.tolist(), layer.by_position(layer.spec.bias, 0)[:, lane].tolist()


def test_latencies() -> None:
    layer = image(2, 12, 4)
    dut = NeuronUpdate(layer, lane=1, state_bits=BITS, name="layer0")
    done, written = sweep(dut, [(row, 1000, 0) for row in range(3)])
    assert [item[:3] for item in done] == [(3, 0, 1), (4, 1, 1), (5, 2, 1)]
    assert [item[:2] for item in written] == [(4, 0), (5, 1), (6, 2)]


def test_end_of_a_sample_sets_the_bias_whatever_was_there() -> None:
    layer = image(1, 7, 2)
    for lane in range(2):
        dut = NeuronUpdate(layer, lane=lane, state_bits=BITS, name="layer0")
        _, written = sweep(dut, [(row, 3000 * row - 4000, 1) for row in range(4)])
        assert [state for *_, state in written] == lane_values(layer, lane)[1]


@pytest.mark.parametrize("neuron", all_neurons(), ids=lambda neuron: neuron.label)
def test_fires_at_its_threshold_or_above_and_not_below(neuron: Any) -> None:
    layer = image(4, 8, 4, neuron=neuron)
    thresholds, _ = lane_values(layer, 2)
    dut = NeuronUpdate(layer, lane=2, state_bits=BITS, name="layer0")
    bit = int(neuron.remembers)
    for offset in (-1, 0, 1):
        done, _ = sweep(dut, [(row, threshold + offset << bit, 0) for row, threshold in enumerate(thresholds)])
        fires = offset > 0 if neuron.strict else offset >= 0
        for threshold, (_, _, spike, v) in zip(thresholds, done, strict=True):
            assert spike == (min((threshold + offset) // threshold, neuron.most) if fires else 0)
            left = {"hard": 0, "dead": 0, "soft": threshold + offset - spike * threshold, "twice": offset}
            assert v == left.get(neuron.reset * fires, threshold + offset)


@pytest.mark.parametrize("strict", [False, True])
@pytest.mark.parametrize("reset", ["dead", "twice"])
def test_a_bit_is_kept_from_one_step_to_the_next(reset: Any, strict: bool) -> None:
    layer = image(4, 2, 1, decay=Decay(1, 0), neuron=IntegerLIF(reset, strict))
    (threshold, _), (bias, _) = lane_values(layer, 0)
    dut = NeuronUpdate(layer, lane=0, state_bits=BITS, name="layer0")
    first = threshold + strict
    # Sum of a step, bit of the step before; then whether it fires, what is left, and the bit that is kept.
    told = {
        "dead": [(first, 0, 1, 0, 1), (first - 1, 0, 0, first - 1, 0), (9 * first, 1, 0, 0, 0), (-5, 1, 0, 0, 0)],
        "twice": [
            (first, 0, 1, int(strict), 0),
            (first + threshold - 1, 0, 1, first - 1, 0),
            (first + threshold, 0, 1, first, 1),
            (first + threshold - 1, 1, 0, first + threshold - 1, 1),
            (first, 1, 0, first, 1),
            (first - 1, 1, 0, first - 1, 0),
            (first + threshold, 1, 1, first, 1),
            (first + 2 * threshold, 1, 1, first + threshold, 1),
        ],
    }[reset]
    for last in (0, 1):
        done, written = sweep(dut, [(0, u << 1 | before, last) for u, before, *_ in told])
        assert [item[2:] for item in done] == [(spike, v) for *_, spike, v, _ in told]
        kept = [(bias if last else v + bias, 0 if last else bit) for *_, v, bit in told]
        assert [(state >> 1, state & 1) for *_, state in written] == kept


def test_negative_membranes_leak_towards_minus_infinity() -> None:
    layer = image(5, 4, 1, decay=TAU_2)
    _, biases = lane_values(layer, 0)
    dut = NeuronUpdate(layer, lane=0, state_bits=BITS, name="layer0")
    done, written = sweep(dut, [(row, -1 - row, 0) for row in range(4)])
    assert [v for *_, v in done] == [-1, -2, -3, -4]
    assert [state for *_, state in written] == [half + b for half, b in zip([-1, -1, -2, -2], biases, strict=True)]


def test_positions_without_a_neuron_stay_silent() -> None:
    layer = image(7, 3, 2)
    assert (layer.lanes, layer.rows) == (2, 2)
    dut = NeuronUpdate(layer, lane=1, state_bits=BITS, name="layer0")
    done, written = sweep(dut, [(1, 0, 0)])
    assert (done[0][2:], written[0][2]) == ((0, 0), 0)


def test_image_has_a_word_per_row_threshold_below_bias() -> None:
    layer = image(8, 3, 2)
    thresholds, biases = lane_values(layer, 0)
    dut = NeuronUpdate(layer, lane=0, state_bits=BITS, name="layer0")
    spec = layer.spec
    assert spec.threshold is not None
    bits = int(spec.threshold.max()).bit_length()
    mask = (1 << len(dut.rom.data) - bits) - 1
    assert dut.rom.words == [t | (b & mask) << bits for t, b in zip(thresholds, biases, strict=True)]


@pytest.mark.parametrize("seed", range(13))
def test_sweeps_equal_the_equations(seed: int) -> None:
    rng = random.Random(seed)
    lanes = (1, 2, 4, 8, 16, 4, 2, 1)[seed % 8]
    decay = rng.choice([TAU_1_05, TAU_2, Decay(0, 0), Decay(15, 4), Decay(1, 0)])
    neuron: Any = all_neurons()[seed]
    floor = ("", "own", "threshold")[seed % 3]
    layer = image(seed, rng.randint(lanes, 4 * lanes), lanes, decay=decay, neuron=neuron, floor=floor)
    assert (layer.floor_bits > 0) == (floor == "own")
    network = NetworkSpec(
        layers=(
            layer.spec,
            random_network(seed, (layer.spec.neurons, 2), value_bits=neuron.most.bit_length()).layers[0],
        ),
        timesteps=20,
    )
    own = ((), ("leaks",), ("starts",), ("leaks", "starts"))[seed // 3 % 4]
    layer = pack(with_own(seed, network, own), layer.lanes).layers[0]
    lane = rng.randrange(layer.lanes)
    thresholds, biases = lane_values(layer, lane)
    lowest = np.full(layer.spec.neurons, -1000) if layer.spec.floor is None else layer.spec.floor
    floors = layer.by_position(lowest, {"": -1000, "own": 0, "threshold": -1}[floor])[:, lane].tolist()
    multipliers = [layer.spec.decay.multiplier] * layer.rows
    if layer.spec.multipliers is not None:
        multipliers = layer.by_position(layer.spec.multipliers, 0)[:, lane].tolist()
    starts = [0] * layer.rows if layer.spec.start is None else layer.by_position(layer.spec.start, 0)[:, lane].tolist()
    last = rng.randrange(2)
    sums = [(rng.randint(-200, 300), rng.randrange(2) if neuron.remembers else 0) for _ in range(60)]
    reads = [(rng.randrange(layer.rows), u << neuron.remembers | before, last) for u, before in sums]
    done, written = sweep(NeuronUpdate(layer, lane=lane, state_bits=BITS, name="layer0"), reads)
    for k, ((row, _, _), (u, before)) in enumerate(zip(reads, sums, strict=True)):
        threshold = thresholds[row]
        dead = before and neuron.reset == "dead"
        spike = not dead and u >= threshold * (1 + before) + neuron.strict
        spike *= min(u // threshold, neuron.most)
        left = {"hard": 0, "dead": 0, "soft": u - threshold * spike, "twice": u - threshold}.get(neuron.reset, u)
        v = left if spike else 0 if dead else max(u, floors[row])
        late = threshold * (spike > 0 and neuron.reset == "late")
        kept = {"dead": spike, "twice": v >= threshold + neuron.strict}.get(neuron.reset, False)
        carried = (starts[row] if last else v) * multipliers[row] >> layer.spec.decay.shift
        state = biases[row] + carried - (0 if last else late)
        assert done[k] == (k + 3, row, int(spike), v), f"seed {seed}, read {k}"
        word = state << neuron.remembers | (kept and not last)
        assert written[k] == (k + 4, row, word), f"seed {seed}, read {k}"


@pytest.mark.parametrize("seed", range(4))
def test_currents_charge_membranes_of_their_own(seed: int) -> None:
    rng = random.Random(seed)
    decay, current = rng.choice([TAU_2, Decay(15, 4)]), rng.choice([TAU_2, Decay(7, 3), Decay(0, 0)])
    neuron: Any = all_neurons()[seed]
    layer = image(seed, 7, 2, decay=decay, neuron=neuron, current=current)
    thresholds, biases = lane_values(layer, 1)
    dut = CurrentUpdate(layer, lane=1, state_bits=BITS, membrane_bits=BITS + 2, name="layer0")
    assert dut.v.shape().width == BITS + 2
    # Sweeps with pauses, as a lane makes them; the first ends a sample, as after a reset.
    sweeps = [[(row, rng.randint(-200, 300), int(k in (0, 5))) for row in range(4)] + [(3, 0, -1)] * 6
              for k in range(8)]  # fmt: skip
    reads = [read for each in sweeps for read in each]
    done, written = [], []

    def each(get: Callable[[Any], int], put: Callable[[Any, int], None], cycle: int) -> None:
        put(dut.state, reads[cycle - 1][1] if 1 <= cycle <= len(reads) else 12345)
        row, _, last = reads[cycle] if cycle < len(reads) else (0, 0, -1)
        put(dut.read, last >= 0)
        put(dut.row, row)
        put(dut.last, last == 1)
        if get(dut.done):
            done.append((cycle, get(dut.done_row), get(dut.spike), get(dut.v)))
        if get(dut.write):
            written.append((cycle, get(dut.write_row), get(dut.next_state)))

    play(dut, len(reads) + 8, each=each)
    carried = [0] * 4
    begins = [k for k, (_, _, last) in enumerate(reads) if last >= 0]
    for number, begin in enumerate(begins):
        row, state, last = reads[begin]
        u = carried[row] + state
        spike = u >= thresholds[row] + neuron.strict
        v = {"hard": 0, "soft": u - thresholds[row]}.get(neuron.reset * spike, u)
        carried[row] = 0 if last else decay(v) - thresholds[row] * (spike and neuron.reset == "late")
        if number >= 4:  # what the first sweep finds in the memory is anything
            assert done[number] == (begin + 3, row, int(spike), v), f"seed {seed}, read {number}"
        left = 0 if last else current(state)
        assert written[number] == (begin + 4, row, biases[row] + left), f"seed {seed}, read {number}"
