"""Files that are read, and every way in which one can be wrong."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from nir_files import affine, fill, li, lif, path_of, ports, recurrent, write
from spikewright.contract.errors import InputError
from spikewright.nir.chain import chain
from spikewright.nir.graph import read_graph
from spikewright.nir.nodes import KINDS, fields_of, read_node

Nodes = dict[str, dict[str, Any]]
Edges = list[tuple[str, str]]


def refused(path: Path) -> str:
    """The message, in one line, without the name of the file that it begins with."""
    with pytest.raises(InputError) as raised:
        try:
            chain(read_graph(path))
        except InputError as error:
            raise InputError(str(error).removeprefix(str(path)).lstrip(": ")) from None
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_a_recurrent_network_is_read(tmp_path: Path) -> None:
    graph = read_graph(write(tmp_path / "net.nir", *recurrent()))
    assert sorted(graph.nodes) == ["fc", "input", "li", "lif", "out", "output", "w_rec"]
    order = chain(graph)
    assert order.input_shape == (5,)
    assert [(layer.name, layer.shape) for layer in order.layers] == [("lif", (6,)), ("li", (3,))]
    assert [[step.name for step in layer.forward] for layer in order.layers] == [["fc"], ["out"]]
    assert [None if layer.loop is None else [step.name for step in layer.loop] for layer in order.layers] == [
        ["w_rec"],
        None,
    ]


def nested(inner_edges: Edges, prefix: str = "") -> tuple[Nodes, Edges]:
    """The recurrent network with its loop in a sub-graph."""
    nodes, _ = recurrent()
    ends = {name: {"type": kind, "shape": np.array([6])} for name, kind in (("input", "Input"), ("output", "Output"))}
    inner = {
        f"{prefix}{name}": fields for name, fields in {**ends, "lif": nodes["lif"], "w_rec": nodes["w_rec"]}.items()
    }
    edges = [(f"{prefix}{a}", f"{prefix}{b}") for a, b in inner_edges]
    outer = {name: nodes[name] for name in ("input", "output", "fc", "out", "li")}
    outer["rec"] = {"type": "NIRGraph", "nodes": inner, "edges": edges}
    return outer, path_of("input", "fc", "rec", "out", "li", "output")


LOOP = [("input", "lif"), ("lif", "w_rec"), ("w_rec", "lif"), ("lif", "output")]


def test_a_sub_graph_is_dissolved(tmp_path: Path) -> None:
    order = chain(read_graph(write(tmp_path / "net.nir", *nested(LOOP))))
    assert [layer.name for layer in order.layers] == ["rec.lif", "li"]
    assert order.layers[0].loop is not None
    assert order.layers[0].loop[0].name == "rec.w_rec"


def test_the_loop_of_spyx_leads_past_its_weights_only_where_the_dialect_says_so(tmp_path: Path) -> None:
    spyx = [("input", "w_rec"), ("lif", "w_rec"), ("w_rec", "lif"), ("lif", "output")]
    path = write(tmp_path / "net.nir", *nested(spyx, prefix="rec."))
    order = chain(read_graph(path), past_weights=True)
    assert [(layer.name, len(layer.loop or ())) for layer in order.layers] == [("rec.lif", 1), ("li", 0)]
    assert "node 'rec.w_rec': edges must lead to it from one node, not 2" in refused(path)


def test_a_sub_graph_must_have_the_shape_that_it_declares(tmp_path: Path) -> None:
    nodes, edges = nested(LOOP)
    nodes["rec"]["nodes"]["input"]["shape"] = np.array([7])
    assert refused(write(tmp_path / "net.nir", nodes, edges)) == "node 'rec.input': shape must be (6,), not (7,)"


def test_a_batch_before_the_shape_is_no_part_of_it(tmp_path: Path) -> None:
    nodes, edges = recurrent()
    nodes["input"]["shape"], nodes["output"]["shape"] = np.array([4, 5]), np.array([4, 3])
    order = chain(read_graph(write(tmp_path / "net.nir", nodes, edges)))
    assert order.input_shape == (5,)
    assert len(order.assumed) == 2


def change(node: str, field: str, value: Any) -> Callable[[Nodes, Edges], None]:
    def apply(nodes: Nodes, edges: Edges) -> None:
        nodes[node][field] = value

    return apply


def drop(node: str, field: str) -> Callable[[Nodes, Edges], None]:
    return lambda nodes, edges: nodes[node].pop(field)


def add(*edges: tuple[str, str], **nodes: dict[str, Any]) -> Callable[[Nodes, Edges], None]:
    def apply(present: Nodes, links: Edges) -> None:
        present.update(nodes)
        links.extend(edges)

    return apply


NAN = np.where(np.eye(6, 5) > 0, np.nan, 1.0)
FAULTS = {
    "nan": (change("fc", "weight", NAN), "node 'fc': weight[0, 0] must be finite, not nan"),
    "infinite": (change("lif", "v_leak", np.full(6, np.inf)), "node 'lif': v_leak[0] must be finite, not inf"),
    "tau infinite": (change("lif", "tau", np.full(6, -np.inf)), "node 'lif': tau[0] must be finite, not -inf"),
    "beyond single precision": (
        change("fc", "bias", np.full(6, -1e31)),
        "node 'fc': bias[0] must be at most 1e+30 in size, not -1e+31",
    ),
    "tiny": (
        change("lif", "v_threshold", np.full(6, 1e-31)),
        "node 'lif': v_threshold must be at least 1e-30, not 1e-31",
    ),
    "type": (change("lif", "type", "Izhikevich"), "node 'lif': type must be one of ..., not 'Izhikevich'"),
    "no type": (drop("lif", "type"), "node 'lif': type must be one of ..., not left out"),
    "type a number": (change("lif", "type", 3), "node 'lif': type must be one of ..., not numbers or a group"),
    "type numbers": (change("lif", "type", np.ones(2)), "node 'lif': type must be one of ..., not numbers or a group"),
    "type nothing": (change("lif", "type", np.ones(0)), "node 'lif': type must be one of ..., not numbers or a group"),
    "field missing": (drop("lif", "tau"), "node 'lif': tau must be given, not left out"),
    "field unknown": (change("li", "tua", np.ones(3)), "node 'li': tua must be left out: LI has tau, r, v_leak"),
    "text": (change("fc", "bias", "zero"), "node 'fc': bias must be numbers, not text"),
    "one tau less": (
        change("lif", "tau", np.full(5, 1e-3)),
        "node 'lif': tau must have shape (6,), that of the other parameters, not (5,)",
    ),
    "bias": (change("fc", "bias", np.zeros(5)), "node 'fc': bias must have shape (6,), one for each row of ..."),
    "three dimensions": (
        change("fc", "weight", np.zeros((6, 5, 1))),
        "node 'fc': weight must have 2 dimensions, not shape (6, 5, 1)",
    ),
    "empty": (change("fc", "weight", np.zeros((6, 0))), "node 'fc': weight must hold at least one value, ..."),
    "tau 0": (change("li", "tau", np.zeros(3)), "node 'li': tau must be above 0, not 0"),
    "tau negative": (change("lif", "tau", np.full(6, -1.0)), "node 'lif': tau must be above 0, not -1"),
    "threshold 0": (change("lif", "v_threshold", np.zeros(6)), "node 'lif': v_threshold must be above 0, not 0"),
    "between nodes": (
        change("out", "weight", np.zeros((3, 7))),
        "node 'out': weight must be for values of shape (6,), not (7,)",
    ),
    "loop of another size": (
        change("w_rec", "weight", np.zeros((6, 7))),
        "node 'w_rec': weight must be for values of shape (6,), not (7,)",
    ),
    "input": (change("input", "shape", np.array([4])), "node 'fc': weight must be for values of shape (4,), ..."),
    "output": (change("output", "shape", np.array([4])), "node 'output': shape must be (3,), not (4,)"),
    "huge": (change("input", "shape", np.array([1 << 40])), "node 'input': shape must be whole numbers, ..."),
    "large": (change("input", "shape", np.array([1 << 23])), "node 'input': shape must be lengths ..."),
    "length 0": (change("input", "shape", np.array([0])), "node 'input': shape must be lengths ..."),
    "half": (change("input", "shape", np.array([2.5])), "node 'input': shape must be whole numbers, ..."),
    "ghost": (add(("lif", "ghost")), "node 'ghost': edges must be between nodes of the graph, not 'lif' -> 'ghost'"),
    "twice": (add(("fc", "lif")), "node 'fc': edges must differ from each other, not hold 'fc' -> 'lif' twice"),
    "skip": (
        add(("input", "skip"), ("skip", "li"), skip=affine(np.zeros((3, 5)))),
        "node 'input': edges must lead to one node, not 2 ('fc', 'skip'): no skips or branches",
    ),
    "join": (
        add(("late", "li"), late=affine(np.zeros((3, 6)))),
        "node 'li': edges must lead to it from one layer, not from 'late' too",
    ),
    "alone": (add(alone=lif(2)), "node 'alone': edges must make it a part of the way from input to output"),
    "circle of weights": (
        add(("a", "b"), ("b", "a"), a=affine(np.eye(2)), b=affine(np.eye(2))),
        "node 'a': edges must make no circle without a neuron in it",
    ),
    "two loops": (
        add(("lif", "w_2"), ("w_2", "lif"), w_2=affine(np.eye(6))),
        "node 'lif': edges must make one loop at most, not 2",
    ),
    "two inputs": (add(other=ports((5,), (3,))["input"]), "nodes must hold one Input, not 2 ('input', 'other')"),
    "into the input": (
        add(("w_rec", "input")),
        "node 'input': edges must not lead to an input",
    ),
    "name": (add(**{"a\nb": lif(2)}), "node 'a\\nb': name must be 1 .. 200 printable characters"),
    "negative delay": (
        add(d={"type": "Delay", "delay": np.array([-1.0])}),
        "node 'd': delay must be at least 0, not -1",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named(tmp_path: Path, fault: str) -> None:
    nodes, edges = recurrent()
    apply, expected = FAULTS[fault]
    apply(nodes, edges)
    message = refused(write(tmp_path / "net.nir", nodes, edges))
    assert re.fullmatch(re.escape(expected).replace(r"\.\.\.", ".*"), message), message


def test_numbers_of_any_width_are_read(tmp_path: Path) -> None:
    nodes, edges = recurrent()
    nodes["fc"]["weight"] = nodes["fc"]["weight"].astype(np.float16)
    nodes["fc"]["bias"] = np.arange(6, dtype=">i2")
    found = read_graph(write(tmp_path / "net.nir", nodes, edges)).nodes["fc"]
    assert fields_of(found)["weight"].tolist() == nodes["fc"]["weight"].tolist()
    assert fields_of(found)["bias"].tolist() == [0, 1, 2, 3, 4, 5]


def test_a_loop_over_two_layers_is_refused(tmp_path: Path) -> None:
    nodes = {**ports((2,), (2,)), "a": lif(2), "b": lif(2), "back": affine(np.eye(2))}
    edges = path_of("input", "a", "b", "output") + path_of("b", "back", "a")
    message = refused(write(tmp_path / "net.nir", nodes, edges))
    assert message == "node 'a': edges must lead to it from one layer, not from 'back' too"


def conv(**changed: Any) -> dict[str, Any]:
    fields = {
        "weight": np.ones((4, 2, 3, 1)),
        "bias": np.zeros(4),
        "stride": np.array([2, 1]),
        "padding": np.array([1, 0]),
    }
    return {"type": "Conv2d", **fields, "dilation": 1, "groups": 1, **changed}


def image(*nodes: dict[str, Any], output: tuple[int, ...] = (4, 4, 5)) -> tuple[Nodes, Edges]:
    """Nodes between an input of 2x7x5 and integrators."""
    names = [f"n{index}" for index in range(len(nodes))]
    whole = li(1)
    whole = {name: np.full(output, value[0]) if name != "type" else value for name, value in whole.items()}
    found = {**ports((2, 7, 5), output), **dict(zip(names, nodes, strict=True)), "li": whole}
    return found, path_of("input", *names, "li", "output")


def test_kernels_that_are_not_square_have_the_shape_that_pytorch_gives_them(tmp_path: Path) -> None:
    order = chain(read_graph(write(tmp_path / "net.nir", *image(conv()))))
    assert order.layers[0].shape == (4, 4, 5)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"groups": 3}, "node 'n0': groups must divide the 4 channels of weight, not be 3"),
        ({"stride": 0}, "node 'n0': stride must be 1 or 2 numbers of at least 1, not (0, 0)"),
        ({"padding": "same"}, "node 'n0': padding must be numbers where stride is (2, 1), not 'same'"),
        ({"padding": "sometimes"}, "node 'n0': padding must be 'same', 'valid' or numbers, not 'sometimes'"),
        ({"dilation": 9, "padding": 0}, "node 'n0': kernel must fit into (7, 5) with its padding, not be (3, 1)"),
        ({"input_shape": np.array([7, 6])}, "node 'n0': input_shape must be for values of shape (7, 5), not (7, 6)"),
        ({"weight": np.ones((4, 3, 3, 1))}, "node 'n0': weight must be for values of shape (2,), not (3,)"),
    ],
)
def test_a_wrong_convolution_is_refused(tmp_path: Path, changed: dict[str, Any], message: str) -> None:
    assert refused(write(tmp_path / "net.nir", *image(conv(**changed)))) == message


def test_an_output_that_is_too_large_is_refused(tmp_path: Path) -> None:
    message = refused(write(tmp_path / "net.nir", *image(conv(padding=np.array([1 << 20, 1 << 20])))))
    assert message.startswith("node 'n0': output must be lengths of at least 1 and 4194304 values at most")


def test_damage_is_refused(tmp_path: Path) -> None:
    whole = write(tmp_path / "net.nir", *recurrent()).read_bytes()
    (tmp_path / "half.nir").write_bytes(whole[: len(whole) // 2])
    assert "must be a complete HDF5 file, not a damaged or different one" in refused(tmp_path / "half.nir")
    (tmp_path / "text.nir").write_text("no HDF5")
    assert "must be a complete HDF5 file" in refused(tmp_path / "text.nir")
    assert refused(tmp_path / "none.nir") == "must be a NIR file (HDF5), not missing"
    with h5py.File(tmp_path / "other.nir", "w") as file:
        file["spikes"] = np.zeros(3)
    assert refused(tmp_path / "other.nir") == "node must be a group of type NIRGraph, not something else"


def patched(path: Path, name: str, make: Callable[[h5py.File], None]) -> Path:
    with h5py.File(path, "a") as file:
        del file[name]
        make(file)
    return path


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda file: file.__setitem__("node/nodes/lif/tau", h5py.SoftLink("/node/nodes/lif/r")), "behind a link"),
        (lambda file: file.__setitem__("node/nodes/lif/tau", h5py.ExternalLink("x.h5", "/r")), "behind a link"),
        (lambda file: file.__setitem__("node/nodes/lif/tau", file["node"]), "must be at most 24 groups deep"),
        (
            lambda file: file.create_dataset(
                "node/nodes/lif/tau", shape=(1 << 40,), dtype="f8", chunks=(1 << 20,), compression="gzip"
            ),
            "node/nodes/lif/tau must hold no more than the file promises, not 1099511627776 values",
        ),
        (
            lambda file: file.create_dataset("node/nodes/lif/tau", (6,), h5py.vlen_dtype(np.float32)),
            "node/nodes/lif/tau must be numbers or text, not object",
        ),
        (
            lambda file: file.create_dataset("node/nodes/lif/tau", (6,), np.dtype([("a", "f4")])),
            "node/nodes/lif/tau must be numbers or text, not ",
        ),
        (
            lambda file: file.create_dataset("node/nodes/lif/tau", (6,), h5py.ref_dtype),
            "node/nodes/lif/tau must be numbers or text, not object",
        ),
        (lambda file: file.create_dataset("node/nodes/lif/tau", data=h5py.Empty("f4")), "must have a value, not none"),
        (
            lambda file: file.create_dataset("node/nodes/lif/tau", data=np.full(6, 1 + 1j)),
            "node/nodes/lif/tau must be numbers or text, not complex128",
        ),
    ],
    ids=["soft", "external", "circle", "bomb", "rows", "compound", "references", "nothing", "complex"],
)
def test_what_hdf5_can_hold_and_nir_has_not_is_refused(tmp_path: Path, make: Any, message: str) -> None:
    path = patched(write(tmp_path / "net.nir", *recurrent()), "node/nodes/lif/tau", make)
    assert message in refused(path)


@pytest.mark.parametrize("edges", [[1, 2], ["a"], [["a", "b", "c"]]])
def test_edges_are_pairs_of_names(tmp_path: Path, edges: Any) -> None:
    path = write(tmp_path / "net.nir", *recurrent())
    kind = {"dtype": h5py.string_dtype()} if isinstance(edges[0], list | str) else {}
    patched(path, "node/edges", lambda file: file.create_dataset("node/edges", data=edges, **kind))
    assert refused(path) == "edges must be pairs of names, not something else"


def test_a_node_has_the_fields_that_make_it_again(tmp_path: Path) -> None:
    nodes, _ = recurrent()
    everything = [*nodes.values(), conv(padding="valid", stride=1), {"type": "Flatten", "start_dim": 0, "end_dim": -1}]
    everything += [{"type": "SumPool2d", "kernel_size": 2, "stride": 2, "padding": 0}]
    with h5py.File(tmp_path / "nodes.h5", "w") as file:
        for index, fields in enumerate(everything):
            fill(file.create_group(str(index)), fields)
    for fields in everything:
        arrays = {name: value if isinstance(value, str) else np.asarray(value) for name, value in fields.items()}
        node = read_node(arrays)
        again = read_node(fields_of(node))
        assert type(again) is type(node) is KINDS[fields["type"]]
        for name, value in vars(node).items():
            np.testing.assert_array_equal(getattr(again, name), value)
