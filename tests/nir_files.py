"""NIR files for tests, written by h5py alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

Fields = dict[str, Any]


def ports(inputs: tuple[int, ...], outputs: tuple[int, ...]) -> dict[str, Fields]:
    """The ends of a graph, `input` and `output`."""
    return {
        "input": {"type": "Input", "shape": np.array(inputs)},
        "output": {"type": "Output", "shape": np.array(outputs)},
    }


def lif(neurons: int, tau: float = 1e-3, r: float = 10.0, threshold: float = 1.0) -> Fields:
    """As snnTorch writes it: leak 0.9 and gain 1 at dt 1e-4."""
    named = {"tau": tau, "r": r, "v_leak": 0.0, "v_threshold": threshold, "v_reset": 0.0}
    return {"type": "LIF", **{name: np.full(neurons, value) for name, value in named.items()}}


def li(neurons: int, tau: float = 1e-3, r: float = 10.0) -> Fields:
    named = {"tau": tau, "r": r, "v_leak": 0.0}
    return {"type": "LI", **{name: np.full(neurons, value) for name, value in named.items()}}


def affine(weight: np.ndarray[Any, Any], bias: np.ndarray[Any, Any] | None = None) -> Fields:
    bias = np.zeros(len(weight)) if bias is None else bias
    return {"type": "Affine", "weight": weight.astype(np.float32), "bias": bias.astype(np.float32)}


def path_of(*names: str) -> list[tuple[str, str]]:
    """Edges from each name to the next."""
    return list(zip(names, names[1:], strict=False))


def recurrent(seed: int = 0) -> tuple[dict[str, Fields], list[tuple[str, str]]]:
    """A network of 5 inputs, 6 recurrent neurons `lif` and 3 integrators `li`: nodes and edges."""
    draw = np.random.default_rng(seed)
    nodes = {
        **ports((5,), (3,)),
        "fc": affine(draw.normal(size=(6, 5)), draw.normal(size=6) * 0.1),
        "lif": lif(6),
        "w_rec": affine(draw.normal(size=(6, 6)) * 0.5, draw.normal(size=6) * 0.1),
        "out": {"type": "Linear", "weight": draw.normal(size=(3, 6))},
        "li": li(3),
    }
    edges = path_of("input", "fc", "lif", "out", "li", "output") + path_of("lif", "w_rec", "lif")
    return nodes, edges


def write(path: Path, nodes: dict[str, Fields], edges: list[tuple[str, str]]) -> Path:
    """A file of these nodes; a node may hold `nodes` and `edges` of its own."""
    with h5py.File(path, "w") as file:
        file["version"] = "1.0.8"
        fill(file.create_group("node"), {"type": "NIRGraph", "nodes": nodes, "edges": edges})
    return path


def fill(group: h5py.Group, values: Fields) -> None:
    for name, value in values.items():
        if isinstance(value, dict):
            fill(group.create_group(name), value)
        elif name == "edges":
            group.create_dataset(name, data=np.array(value, dtype=object), dtype=h5py.string_dtype())
        else:
            group[name] = value
