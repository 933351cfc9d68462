"""NIR files: a checked graph of nodes, its sub-graphs dissolved."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikewright.contract.errors import InputError
from spikewright.data.isolated import reading
from spikewright.nir.nodes import Input, Node, Output, Port, read_node

Edge = tuple[str, str]

MAX_NODES = 1 << 12
_LONGEST_NAME = 200


@dataclass(frozen=True)
class Graph:
    """Nodes by name, and edges from one to another.

    A node of a sub-graph has the name of that before its own, with a point between, unless its name begins so by
    itself. The ends of sub-graphs are nodes too: `Input` and `Output`, named in `inner`.
    """

    nodes: dict[str, Node]
    edges: tuple[Edge, ...]
    inner: frozenset[str] = frozenset()


def read_graph(path: Path | str) -> Graph:
    """Read a NIR file, every field checked; nothing in it is executed.

    Raises
    ------
    InputError
        If the file is missing, damaged, or anything in it is not as it should be; names the file, the node and the
        field.
    """
    path = Path(path)
    with reading(path, "a NIR file (HDF5)") as reader:
        tree = reader.tree(path)
    try:
        top = tree.get("node")
        if not isinstance(top, dict) or not _is_graph(top):
            raise InputError("node must be a group of type NIRGraph, not something else")
        return _read(top, "")
    except InputError as error:
        raise InputError(f"{path}: {error}") from None


def named(name: str) -> str:
    """A node, for messages."""
    return f"node {name!r:.80}"


def check_links(graph: Graph) -> None:
    """InputError unless each edge leads from a node to another, once, and none into an input or out of an output."""
    seen = set()
    for edge in graph.edges:
        for name in edge:
            if name not in graph.nodes:
                raise InputError(f"{named(name)}: edges must be between nodes of the graph, not {_arrow(edge)}")
        if edge in seen:
            raise InputError(f"{named(edge[0])}: edges must differ from each other, not hold {_arrow(edge)} twice")
        seen.add(edge)


def _arrow(edge: Edge) -> str:
    return f"{edge[0]!r:.60} -> {edge[1]!r:.60}"


def _read(group: dict[str, Any], where: str) -> Graph:
    """A graph in a group; `where` is its name, empty for the outermost."""
    label = f"{named(where)}: " if where else ""
    members = group.get("nodes")
    if not isinstance(members, dict):
        raise InputError(f"{label}nodes must be a group of nodes, not {'left out' if members is None else 'data'}")
    nodes: dict[str, Node] = {}
    subgraphs: dict[str, Graph] = {}
    for name, fields in members.items():
        _check_name(name)
        full = _full(where, name)
        if not isinstance(fields, dict):
            raise InputError(f"{named(full)}: must be a group of fields, not data")
        if _is_graph(fields):
            subgraphs[name] = _read(fields, full)
            continue
        try:
            node = read_node(fields)
        except InputError as error:
            raise InputError(f"{named(full)}: {error}") from None
        if full in nodes:
            raise InputError(f"{named(full)}: name must be that of one node, not of two")
        nodes[full] = node
    own = Graph(dict(nodes), ())
    # Edges are checked with the names that this graph gives its members, sub-graphs among them.
    edges = [(_full(where, a), _full(where, b)) for a, b in _edges(group, label)]
    whole = {**own.nodes, **{_full(where, name): Node() for name in subgraphs}}
    check_links(Graph(whole, tuple(edges)))
    return _dissolve(own, edges, {_full(where, name): graph for name, graph in subgraphs.items()})


def _is_graph(fields: dict[str, Any]) -> bool:
    kind = fields.get("type")
    return isinstance(kind, str) and kind == "NIRGraph"


def _full(where: str, name: str) -> str:
    return name if not where or name.startswith(f"{where}.") else f"{where}.{name}"


def _check_name(name: str) -> None:
    if not name.isprintable() or not name.strip() or len(name) > _LONGEST_NAME:
        raise InputError(f"{named(name)}: name must be 1 .. {_LONGEST_NAME} printable characters")


def _edges(group: dict[str, Any], label: str) -> list[Edge]:
    edges = group.get("edges")
    if edges is None:
        raise InputError(f"{label}edges must be given, not left out")
    if not isinstance(edges, list) or not all(
        isinstance(edge, list) and len(edge) == 2 and all(isinstance(name, str) for name in edge) for edge in edges
    ):
        raise InputError(f"{label}edges must be pairs of names, not something else")
    return [(edge[0], edge[1]) for edge in edges]


def _dissolve(own: Graph, edges: list[Edge], subgraphs: dict[str, Graph]) -> Graph:
    """One graph out of a graph and its sub-graphs: their ends stay, as nodes that hand on what they are given."""
    nodes = dict(own.nodes)
    inner: set[str] = set()
    inputs: dict[str, str] = {}
    outputs: dict[str, str] = {}
    for name, graph in subgraphs.items():
        for kind, ends in ((Input, inputs), (Output, outputs)):
            found = [other for other, node in graph.nodes.items() if type(node) is kind and other not in graph.inner]
            if len(found) != 1:
                raise InputError(f"{named(name)}: nodes must hold one {kind.__name__}, not {len(found)}")
            ends[name] = found[0]
        for other, node in graph.nodes.items():
            if other in nodes:
                raise InputError(f"{named(other)}: name must be that of one node, not of two")
            nodes[other] = node
        inner |= graph.inner | {inputs[name], outputs[name]}
    if len(nodes) > MAX_NODES:
        raise InputError(f"nodes must be at most {MAX_NODES}, not {len(nodes)}")
    joined = [(outputs.get(a, a), inputs.get(b, b)) for a, b in edges]
    for graph in subgraphs.values():
        joined += graph.edges
    return Graph(nodes, tuple(joined), frozenset(inner))


def without_ports(graph: Graph, *, past_weights: bool = False) -> Graph:
    """The graph without the ends of its sub-graphs: what leads to one leads to what it leads to.

    Parameters
    ----------
    past_weights : bool
        An edge from the input of a sub-graph to recurrent weights means one to their neuron, as Spyx writes it.

    Raises
    ------
    InputError
        If values of the ends have another shape than what they lead to, or an end leads nowhere.
    """
    edges = list(graph.edges)
    for name in sorted(graph.inner):
        before = [a for a, b in edges if b == name]
        after = [b for a, b in edges if a == name]
        port = graph.nodes[name]
        if not isinstance(port, Port) or not before or not after:
            raise InputError(f"{named(name)}: edges must lead to it and from it, not only one of both")
        if past_weights and type(port) is Input:
            after = [_neuron_behind(graph, edges, other) for other in after]
        edges = [edge for edge in edges if name not in edge]
        edges += [(a, b) for a in before for b in after]
    return Graph({name: node for name, node in graph.nodes.items() if name not in graph.inner}, tuple(edges))


def _neuron_behind(graph: Graph, edges: list[Edge], name: str) -> str:
    """The neuron whose recurrent weights `name` are; `name` itself if it is none such."""
    for a, b in edges:
        if a == name and graph.nodes[b].is_neuron and (b, name) in edges:
            return b
    return name
