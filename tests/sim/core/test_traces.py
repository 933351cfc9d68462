from dataclasses import replace

import numpy as np

from random_networks import random_network
from spikewright.contract.neurons.lif import IntegerLIF
from spikewright.layout.pack import pack
from spikewright_sim.core.traces import TracedLayer, expected_rows, header, layers_of


def test_a_traced_row_is_its_spikes_and_then_its_membranes() -> None:
    image = pack(random_network(0, (4, 3, 2), recurrent=(False,)), 2).layers[0]
    layer = TracedLayer(replace(image, order=np.array([2, 0, 1])), 20)
    assert (layer.lanes, layer.rows, layer.words) == (2, 2, 2)
    spikes = np.array([[False, True, True]])
    rows = expected_rows(layer, spikes, np.array([[-1, 5, 7]]))
    # Neuron 2 in lane 0 and neuron 0 in lane 1; then neuron 1 alone.
    assert rows.tolist() == [[1, 7 | 0xFFF << 20, 0xFF], [1, 5, 0]]
    assert expected_rows(layer, None, np.array([[-1, 5, 7]]))[:, 0].tolist() == [0, 0]


def test_the_header_tells_the_loop_of_every_layer() -> None:
    core = pack(random_network(0, (4, 70, 3), recurrent=(False,)), 4)
    bits = [layer.bits for layer in layers_of(core)]
    text = header(core)
    for line in (
        "#define LAYERS 2",
        "#define CLASSES 3",
        "#define LOADABLE 0",
        f"#define MAX_WORDS {-(-4 * max(bits[0], bits[1] * core.layers[1].lanes // 4) // 32)}",
        f"static const int BITS[LAYERS] = {{{bits[0]}, {bits[1]}}};",
        f"static const int ROWS[LAYERS] = {{18, {core.layers[1].rows}}};",
    ):
        assert line in text.splitlines(), line
    assert f"words_of(top.trace0_spikes, spikes, 1); words_of(top.trace0_v, v, {-(-4 * bits[0] // 32)});" in text
    assert "row = top.trace1_row; spikes[0] = 0;" in text


def test_several_spikes_of_a_neuron_are_numbers_side_by_side() -> None:
    spec = random_network(0, (4, 21, 3), neuron=IntegerLIF("soft", max_spikes=7))
    layer = layers_of(pack(spec, 16))[0]
    assert (layer.spike_bits, layer.spike_words) == (3, 2)
    spikes = np.random.default_rng(1).integers(0, 8, (5, 21))
    found = expected_rows(layer, spikes, np.zeros((5, 21), dtype=np.int64))[:, :2].astype(np.uint64)
    by_position = np.zeros((5, 32), dtype=np.int64)
    by_position[:, :21] = spikes[:, layer.image.order]
    words = found[:, 0] | found[:, 1] << np.uint64(32)
    for row, numbers in zip(words.tolist(), by_position.reshape(10, 16).tolist(), strict=True):
        assert [row >> 3 * lane & 7 for lane in range(16)] == numbers
