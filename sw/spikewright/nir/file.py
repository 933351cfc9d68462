"""Checkpoints of foreign networks: safetensors with the graph and its dialect as JSON. Reading runs no code.

Such a file is a checkpoint like any other, of the network in the terms of our own: every command takes it. The network
of the other library lies beside it, which `evaluate` runs. Only one that hardware does not compute is alone in its
file, with the reason.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open

from spikewright.contract.errors import InputError
from spikewright.learn.checkpoint import FORMAT as OWN_FORMAT
from spikewright.learn.checkpoint import GRAPH, load_tensors, save_tensors
from spikewright.learn.config import Config
from spikewright.nir.convert import as_spiking_network, spiking_layers
from spikewright.nir.dialect import Dialect, from_dict
from spikewright.nir.graph import Graph, check_links, named
from spikewright.nir.network import ForeignNetwork
from spikewright.nir.nodes import Node, fields_of, read_node

FORMAT = "spikewright-foreign-1"
"""Of a network that hardware does not compute."""
NAMES = "names"
"""Among the facts of a checkpoint: the nodes of its spiking layers."""
LATENCIES = "latencies"
"""Likewise, how many steps after a neuron fired the library of the network shows it, where that is not at once."""


def is_foreign(path: Path | str) -> bool:
    """Whether `path` is a checkpoint by `save_foreign`."""
    return _format(path) is not None


def _format(path: Path | str) -> str | None:
    """Format of a checkpoint with the network of another library; None of anything else."""
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            kind = metadata.get("format")
            return kind if kind == FORMAT or (kind == OWN_FORMAT and "graph" in metadata) else None
    except (SafetensorError, OSError):
        return None


def save_foreign(path: Path | str, network: ForeignNetwork, info: dict[str, Any]) -> str | None:
    """Write a network with everything that rebuilds it. `info` (JSON-ready) tells where it comes from.

    Returns
    -------
    str or None
        Why the file holds nothing but the network of the other library; None if it is a checkpoint for every command.
    """
    nodes: dict[str, dict[str, str]] = {}
    tensors = {}
    for name, node in network.graph.nodes.items():
        nodes[name] = {}
        for key, value in fields_of(node).items():
            if isinstance(value, str):
                nodes[name][key] = value
            else:
                tensors[f"{GRAPH}{name}/{key}"] = torch.tensor(value)
    graph = network.graph
    fields = {
        "graph": {"nodes": nodes, "edges": [list(edge) for edge in graph.edges], "inner": sorted(graph.inner)},
        "dialect": network.dialect.to_dict(),
        "network": {"timesteps": network.timesteps, "decision": network.decision},
        "info": info,
    }
    try:
        own = as_spiking_network(network)
    except InputError as error:
        save_tensors(path, tensors, FORMAT, fields, refused=str(error))
        return str(error)
    names, latencies = zip(*spiking_layers(network), strict=True)
    info = {**info, NAMES: list(names), **({LATENCIES: list(latencies)} if any(latencies) else {})}
    config = Config(network=own.config).to_dict()
    save_tensors(path, {**own.state_dict(), **tensors}, OWN_FORMAT, {**fields, "info": info, "config": config})
    return None


def load_foreign(path: Path | str) -> tuple[ForeignNetwork, dict[str, Any]]:
    """A network by `save_foreign`, and where it comes from.

    Raises
    ------
    InputError
        If the file is not a complete and consistent foreign network; names the file and the field.
    """
    path = Path(path)
    tensors, fields = load_tensors(path, _format(path) or FORMAT, ("graph", "dialect", "network", "info"))
    try:
        given = {name.removeprefix(GRAPH): of.numpy() for name, of in tensors.items() if name.startswith(GRAPH)}
        graph = _graph(fields["graph"], given)
        dialect = _dialect(fields["dialect"])
        timesteps, decision = (fields["network"].get(key) for key in ("timesteps", "decision"))
        check_timesteps(timesteps)
        return ForeignNetwork(graph, dialect, timesteps=timesteps, decision=decision), fields["info"]
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def check_timesteps(timesteps: object) -> None:
    """InputError unless it is None or 1 .. 65535."""
    if timesteps is not None and not (type(timesteps) is int and 1 <= timesteps < 1 << 16):
        raise InputError(f"timesteps must be 1 .. {(1 << 16) - 1}, not {timesteps!r:.60}")


def _dialect(values: dict[str, Any]) -> Dialect:
    if not (
        isinstance(values.get("name"), str)
        and isinstance(values.get("content"), dict)
        and isinstance(values.get("settings"), dict)
        and all(isinstance(text, str) for text in values["settings"].values())
    ):
        raise InputError("metadata 'dialect' must hold a name, a content and settings, not something else")
    return from_dict(values["name"], values["content"], values["settings"])


def _graph(values: dict[str, Any], arrays: dict[str, np.ndarray[Any, Any]]) -> Graph:
    nodes, edges, inner = (values.get(key) for key in ("nodes", "edges", "inner"))
    if not (
        isinstance(nodes, dict)
        and all(isinstance(texts, dict) for texts in nodes.values())
        and isinstance(edges, list)
        and all(isinstance(edge, list) and len(edge) == 2 for edge in edges)
        and isinstance(inner, list)
        and all(isinstance(name, str) for name in (*inner, *(name for edge in edges for name in edge)))
    ):
        raise InputError("metadata 'graph' must hold nodes, edges and the inner nodes, not something else")
    found: dict[str, dict[str, Any]] = {name: dict(texts) for name, texts in nodes.items()}
    for full, array in arrays.items():
        name, _, key = full.rpartition("/")
        if name not in found:
            raise InputError(f"tensor {full!r:.100} must be a field of a node, not one of none")
        found[name][key] = array
    read: dict[str, Node] = {}
    for name, node_fields in found.items():
        try:
            read[name] = read_node(node_fields)
        except InputError as error:
            raise InputError(f"{named(name)}: {error}") from None
    graph = Graph(read, tuple((a, b) for a, b in edges), frozenset(inner))
    check_links(graph)
    if unknown := graph.inner - graph.nodes.keys():
        raise InputError(f"{named(min(unknown))}: inner must be nodes of the graph, not a name of none")
    return graph
