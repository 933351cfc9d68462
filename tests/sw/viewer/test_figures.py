from base64 import b64decode

import numpy as np
import pytest

from spikewright.viewer import figures
from spikewright.viewer.activity import Cycles, Recording
from spikewright.viewer.memory import Density, Lanes


def decoded(spec):
    return np.frombuffer(b64decode(spec["bytes"]), f"<{spec['kind']}").reshape(spec["shape"]) * spec["scale"]


def plain(value):
    """A figure as Plotly would get it."""
    if isinstance(value, dict):
        return decoded(value).tolist() if "bytes" in value else {name: plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return "#123456" if isinstance(value, str) and value.startswith("@") else value


def recording(label=1):
    scores = np.array([[0, 1, 2], [5, 1, 2]])
    spikes = (np.array([[True, False], [True, True]]),)
    cycles = Cycles(40, np.array([10, 20]), np.array([[1, 2], [3, 4]]), np.array([9, 9]))
    return Recording(np.array([[3, 0, 0], [0, 1, 0]]), spikes, scores, label, cycles)


LANES = Lanes("layer0", ("inputs", "recurrent"), np.array([[0, 1, -1]]), np.array([[2, 9, -1]]))
FIGURES = {
    "matrix": figures.matrix(np.array([[0, -3, 2]]), 1, "input", "d")[0],
    "dense": figures.matrix(np.ones((1024, 512)), 1, "input", "d")[0],
    "histogram": figures.histogram([("a", np.array([1.0, 2.5])), ("b", np.array([2.0]))], "x"),
    "raster": figures.raster(recording().events, "input", "@ink", None),
    "spikes": figures.raster(recording().spikes[0], "neuron", "@c1", 0),
    "scores": figures.scores(recording(), ["a", "b", "c"]),
    "cycles": figures.cycles(recording().cycles, ["Layer 0", "Read-out"]),
    "memory": figures.memory_map(LANES),
    "density": figures.density([Density("layer0", 5, "absolute", {"absolute": 9.0, "bitmap": 12.0}, 8.5)]),
}


@pytest.mark.parametrize("name", FIGURES)
def test_plotly_knows_all_that_is_asked_of_it(name):
    from plotly.graph_objects import Figure

    Figure(plain(FIGURES[name]))  # refuses what it does not know


def test_a_matrix_keeps_its_weights_and_leaves_zeros_empty():
    spec, note = figures.matrix(np.array([[0, -3, 2]]), 1, "input", "d")
    [trace] = spec["data"]
    assert decoded(trace["z"]).tolist() == [[0, -3, 2]]
    assert (trace["z"]["empty"], trace["meta"], note) == (0, {"layer": 1}, "")
    assert trace["zmin"] == -trace["zmax"]


def test_a_large_matrix_becomes_blocks():
    weights = np.zeros((1024, 1024))
    weights[:2, :1] = 1
    spec, note = figures.matrix(weights, 0, "input", "d")
    [trace] = spec["data"]
    shares = decoded(trace["z"])
    assert shares.shape == (512, 512)
    assert (trace["dx"], trace["dy"], trace["x0"], trace["y0"]) == (2, 2, 0.5, 0.5)
    assert shares[0, 0] == pytest.approx(0.5)
    assert shares.sum() == pytest.approx(0.5)
    assert note == "A point is a block of 2 x 2 weights: the share that is not zero."
    assert (1024, 1024) not in [tuple(decoded(trace["z"]).shape)]


def test_blocks_cover_all_even_where_sides_do_not_divide():
    values = np.arange(15).reshape(3, 5)
    found, tall, wide = figures.blocks(values, np.maximum, most=4)
    assert found.size <= 4
    assert found.max() == 14
    assert -(-3 // tall) * -(-5 // wide) == found.size
    same, tall, wide = figures.blocks(values, np.maximum)
    assert (same is values, tall, wide) == (True, 1, 1)


def test_a_histogram_counts_every_value_once():
    spec = figures.histogram([("a", np.array([1, 2, 2, 9])), ("b", np.array([3]))], "x", whole=True)
    first, second = spec["data"]
    bars = dict(zip(decoded(first["x"]).round(2).tolist(), decoded(first["y"]).tolist(), strict=True))
    assert {round(x): n for x, n in bars.items() if n} == {1: 1, 2: 2, 9: 1}
    assert decoded(second["y"]).sum() == 1
    floats = figures.histogram([("a", np.array([0.5, -0.5, 0.5]))], "x")
    assert decoded(floats["data"][0]["y"]).sum() == 3
    assert decoded(figures.histogram([("a", np.zeros(0))], "x")["data"][0]["y"]).sum() == 0


def test_a_raster_has_a_row_for_each_neuron():
    [trace] = FIGURES["spikes"]["data"]
    assert decoded(trace["z"]).tolist() == [[1, 1], [0, 1]]
    [trace] = FIGURES["raster"]["data"]
    assert (decoded(trace["z"]).tolist(), trace["zmax"]) == ([[3, 0], [0, 1], [0, 0]], 3)
    assert "meta" not in trace


def test_decision_and_truth_stand_out_last():
    names = [(line["name"], line["showlegend"]) for line in FIGURES["scores"]["data"]]
    assert names == [("c", False), ("a (decided)", True), ("b (spoken)", True)]
    right = figures.scores(recording(0), ["a", "b", "c"])["data"]
    assert [line["name"] for line in right] == ["b", "c", "a (decided, and right)"]
    assert decoded(right[-1]["y"]) == pytest.approx([0, 5])


def test_the_memory_map_leaves_unused_words_empty():
    [trace] = FIGURES["memory"]["data"]
    assert decoded(trace["z"]).tolist() == [[1, 2, 0]]
    assert trace["z"]["empty"] == 0
    assert (decoded(trace["customdata"]).tolist(), trace["customdata"]["empty"]) == ([[2, 9, -1]], -1)
    assert trace["colorscale"] == [[0, "@c1"], [0.5, "@c1"], [0.5, "@c2"], [1, "@c2"]]


def test_the_limit_stands_beside_the_encodings():
    bars = {bar["name"]: bar["y"] for bar in FIGURES["density"]["data"]}
    assert bars == {"absolute": [9.0], "bitmap": [12.0], "limit": [8.5]}
