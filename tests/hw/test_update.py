import random
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest
from component_bench import Beat, Membranes, Seen, play
from core_bench import to_signed

from random_networks import TAU_1_05, TAU_2, random_network
from spikewright.pack import pack
from spikewright.spec import Decay, LayerImage, NetworkSpec
from spikewright_hw.update import NeuronUpdate

BITS = 16


def image(
    seed: int, neurons: int, lanes: int, *, decay: Decay = TAU_1_05, reset: Literal["hard", "soft"] = "hard"
) -> LayerImage:
    network = random_network(seed, (3, neurons, 2), decay=decay, reset=reset)
    rng = np.random.default_rng(seed)
    layer = replace(
        network.layers[0], bias=rng.integers(-40, 41, neurons), threshold=rng.integers(1, 120, neurons), reset=reset
    )
    return pack(NetworkSpec(layers=(layer, network.layers[1]), timesteps=20), lanes).layers[0]


def run(layer: LayerImage, inputs: list[Any], marks: list[Beat], **kwargs: Any) -> tuple[NeuronUpdate, Membranes, Seen]:
    dut = NeuronUpdate(layer, state_bits=BITS, name="layer0")
    wait = kwargs.pop("wait", lambda: 0)
    membranes = Membranes(dut, inputs, per_sweep=layer.rows * layer.lanes, wait=wait)
    names = ("valid", "row", "spikes", "v")
    seen = play(
        dut,
        kwargs.pop("cycles", (len(inputs) + 1) * (layer.rows + 8) + 8),
        send={"marks": marks},
        take={"spikes": lambda cycle: True},
        each=membranes.each,
        watch={"initializing": dut.initializing, **{name: getattr(dut.trace, name) for name in names}},
        **kwargs,
    )
    return dut, membranes, seen


def traced(layer: LayerImage, seen: Seen) -> list[tuple[int, int, list[int], list[int]]]:
    """(cycle, row, spikes, v) of every traced row, both by lane."""
    rows = []
    for cycle, valid in enumerate(seen.watched["valid"]):
        if valid:
            spikes, v = seen.watched["spikes"][cycle], seen.watched["v"][cycle]
            rows.append(
                (
                    cycle,
                    seen.watched["row"][cycle],
                    [spikes >> lane & 1 for lane in range(layer.lanes)],
                    [to_signed(v >> BITS * lane, BITS) for lane in range(layer.lanes)],
                )
            )
    return rows


def zeros(layer: LayerImage, steps: int) -> list[Any]:
    return [np.zeros((layer.rows, layer.lanes), dtype=int).tolist() for _ in range(steps)]


def test_sweep_after_reset_sets_the_bias_and_shows_nothing() -> None:
    layer = image(1, 7, 2)
    _, membranes, seen = run(layer, zeros(layer, 1), [], cycles=20)
    bias = layer.by_position(layer.spec.bias, 0)
    assert membranes.reads == [(row, row) for row in range(4)]
    assert membranes.writes == [(row + 4, row, lane, bias[row, lane]) for row in range(4) for lane in range(2)]
    assert seen.watched["initializing"] == [1] * 4 + [0] * 16
    assert not any(seen.watched["valid"])
    assert seen.given["spikes"] == []


def test_latencies_of_a_sweep() -> None:
    layer = image(2, 12, 4)
    fire = np.full((3, 4), 1000).tolist()
    _, membranes, seen = run(layer, [fire], [(20, (1, 1))], cycles=40)
    # The sweep starts in the cycle after the mark waits, and takes it as the last row is read.
    assert membranes.reads[3:] == [(21, 0), (22, 1), (23, 2)]
    assert seen.taken["marks"] == [(23, (1, 1))]
    # Rows that fired leave three cycles after they were read, the mark behind the last of them.
    assert seen.given["spikes"] == [*((24 + row, (row, 15, 0, 0, 0)) for row in range(3)), (27, (0, 0, 1, 1, 1))]
    assert [(cycle, row) for cycle, row, _, _ in traced(layer, seen)] == [(24, 0), (25, 1), (26, 2)]
    # A state is written back four cycles after it was read.
    assert [write[:3] for write in membranes.writes[12:]] == [
        (25 + row, row, lane) for row in range(3) for lane in range(4)
    ]


def test_sweep_waits_for_the_lanes_and_for_the_sweep_before() -> None:
    layer = image(3, 6, 2)
    waits = iter([9, 0, 0])
    _, membranes, seen = run(layer, zeros(layer, 3), [(0, 0)] * 3, wait=lambda: next(waits))
    begins = [cycle for cycle, row in membranes.reads if row == 0][1:]
    assert begins[0] == membranes.starts[0] + 1
    # The mark waited and `start` was given in the cycle of the last write: five cycles lie between two sweeps.
    assert begins[1:] == [begins[0] + 8, begins[0] + 16]
    assert [cycle for cycle, _ in seen.taken["marks"]] == [begin + 2 for begin in begins]


def test_fires_at_its_threshold_and_not_below() -> None:
    layer = image(4, 8, 4)
    threshold = layer.by_position(layer.spec.threshold, 1)
    bias = layer.by_position(layer.spec.bias, 0)
    for offset, fires in ((-1, 0), (0, 1), (1, 1)):
        _, membranes, seen = run(layer, [(threshold - bias + offset).tolist()], [(0, 0)])
        assert membranes.before[0] == (threshold + offset).tolist()
        assert [spikes for _, _, spikes, _ in traced(layer, seen)] == [[fires] * 4] * 2


def test_negative_membranes_leak_towards_minus_infinity() -> None:
    layer = image(5, 4, 4, decay=TAU_2)
    bias = layer.by_position(layer.spec.bias, 0)
    states = np.array([[-1, -2, -3, -4]])
    _, membranes, seen = run(layer, [(states - bias).tolist()], [(0, 0)])
    assert [v for _, _, _, v in traced(layer, seen)] == [[-1, -2, -3, -4]]
    assert membranes.states == [[-1 + bias[0, 0], -1 + bias[0, 1], -2 + bias[0, 2], -2 + bias[0, 3]]]


def test_last_step_forgets() -> None:
    layer = image(6, 5, 2)
    bias = layer.by_position(layer.spec.bias, 0)
    _, membranes, _ = run(layer, [np.full((3, 2), -5000).tolist()], [(1, 0)])
    assert membranes.states == bias.tolist()


def test_positions_without_a_neuron_stay_silent() -> None:
    layer = image(7, 3, 8)
    assert layer.rows == 1
    inputs = np.zeros((1, 8), dtype=int)
    inputs[0, :3] = 5000
    _, membranes, seen = run(layer, [inputs.tolist()] * 4, [(0, 0)] * 3 + [(1, 0)])
    assert [spikes for _, _, spikes, _ in traced(layer, seen)] == [[1, 1, 1, 0, 0, 0, 0, 0]] * 4
    assert all(write[3] == 0 for write in membranes.writes if write[2] >= 3)


def test_image_has_a_word_per_row_threshold_below_bias() -> None:
    layer = image(8, 3, 2)
    dut = NeuronUpdate(layer, state_bits=BITS, name="layer0")
    spec = layer.spec
    assert spec.threshold is not None
    bits = int(spec.threshold.max()).bit_length()
    width = len(dut.rom.data) // 2
    assert dut.rom.depth == 2
    for row, word in enumerate(dut.rom._words):
        for lane in range(2):
            field = word >> lane * width & ((1 << width) - 1)
            position = row * 2 + lane
            neuron = layer.order[position] if position < 3 else None
            assert field & ((1 << bits) - 1) == (1 if neuron is None else spec.threshold[neuron])
            assert to_signed(field >> bits, width - bits) == (0 if neuron is None else spec.bias[neuron])


def reference(layer: LayerImage, before: list[list[int]], last: int) -> tuple[Any, Any, Any]:
    """Spikes, membranes and next states of a step, by row and lane."""
    threshold = layer.by_position(layer.spec.threshold, 1)
    bias = layer.by_position(layer.spec.bias, 0)
    u = np.array(before)
    fired = u >= threshold
    v = np.where(fired, 0 if layer.spec.reset == "hard" else u - threshold, u)
    decay = layer.spec.decay
    return fired.astype(int), v, bias + (0 if last else (v * decay.multiplier) >> decay.shift)


@pytest.mark.parametrize("seed", range(6))
def test_steps_equal_the_equations(seed: int) -> None:
    rng = random.Random(seed)
    lanes = (1, 2, 4, 8, 16, 4)[seed]
    neurons = rng.randint(1, 4 * lanes)
    layer = image(
        seed,
        neurons,
        lanes,
        decay=rng.choice([TAU_1_05, TAU_2, Decay(0, 0), Decay(15, 4)]),
        reset=("hard", "soft")[seed % 2],
    )
    steps = 12
    real = np.arange(layer.rows * lanes).reshape(layer.rows, lanes) < neurons
    inputs = [
        (np.array([[rng.randint(-90, 150) for _ in range(lanes)] for _ in range(layer.rows)]) * real).tolist()
        for _ in range(steps)
    ]
    marks: list[Beat] = [(int(rng.random() < 0.25), rng.randrange(2)) for _ in range(steps)]
    _, membranes, seen = run(
        layer, inputs, marks, wait=lambda: rng.randrange(6), cycles=(steps + 1) * (layer.rows + 20)
    )
    rows = traced(layer, seen)
    sweeps = [rows[k : k + layer.rows] for k in range(0, len(rows), layer.rows)]
    assert len(sweeps) == steps
    expected_spikes: list[Beat] = []
    for t, sweep in enumerate(sweeps):
        fired, v, state = reference(layer, membranes.before[t], marks[t][0])
        assert [row for _, row, _, _ in sweep] == list(range(layer.rows))
        assert [spikes for _, _, spikes, _ in sweep] == fired.tolist(), f"seed {seed}, step {t}"
        assert [values for _, _, _, values in sweep] == v.tolist(), f"seed {seed}, step {t}"
        size = layer.rows * lanes
        written = [value for *_, value in membranes.writes[(t + 1) * size : (t + 2) * size]]
        assert written == state.reshape(-1).tolist(), f"seed {seed}, step {t}"
        for row, bits in enumerate(fired.tolist()):
            if any(bits):
                expected_spikes.append((row, sum(bit << lane for lane, bit in enumerate(bits)), 0, 0, 0))
        expected_spikes.append((0, 0, 1, *marks[t]))
    got = [(0, 0, *beat[2:]) if beat[2] else (*beat[:2], 0, 0, 0) for beat in seen.beats("spikes")]
    assert got == expected_spikes, f"seed {seed}"
