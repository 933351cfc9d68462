"""A graph as layers in sequence: what hardware can do, and what it cannot is refused by name."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from spikewright.contract.errors import InputError
from spikewright.nir.fields import MAX_VALUES, Shape
from spikewright.nir.graph import Edge, Graph, check_links, named, without_ports
from spikewright.nir.nodes import Input, Node, Output, Port


@dataclass(frozen=True)
class Step:
    """A node that is no neuron, on its way: it is given values of the shape `given` and gives such of `shape`."""

    name: str
    node: Node
    given: Shape
    shape: Shape


@dataclass(frozen=True)
class Layer:
    """Neurons, and what leads to them.

    Parameters
    ----------
    name : str
    node : Node or None
        The neurons; None behind the last weights of a network that ends with them: they are scores as they are.
    shape : tuple of int
    forward : tuple of Step
        From the layer before, or the input.
    loop : tuple of Step, or None
        From the neurons' own spikes, a step later; empty for an edge from the neurons to themselves, None without.
    """

    name: str
    node: Node | None
    shape: Shape
    forward: tuple[Step, ...]
    loop: tuple[Step, ...] | None


@dataclass(frozen=True)
class Chain:
    """All layers in their order."""

    input_name: str
    input_shape: Shape
    layers: tuple[Layer, ...]
    assumed: tuple[str, ...]
    """What the file does not say plainly, one sentence each."""


def chain(graph: Graph, *, past_weights: bool = False) -> Chain:
    """The layers of a graph.

    Parameters
    ----------
    graph : Graph
    past_weights : bool
        See `without_ports`.

    Raises
    ------
    InputError
        If the graph is not a sequence of layers, each with at most one loop to itself, or shapes do not fit; names a
        node.
    """
    return _Walk(graph, past_weights).layers()


class _Walk:
    def __init__(self, graph: Graph, past_weights: bool) -> None:
        self.declared = graph
        graph = without_ports(graph, past_weights=past_weights)
        check_links(graph)
        self.nodes = graph.nodes
        self.after: dict[str, list[str]] = {name: [] for name in graph.nodes}
        self.before: dict[str, list[str]] = {name: [] for name in graph.nodes}
        for a, b in graph.edges:
            self.after[a].append(b)
            self.before[b].append(a)
        self.seen: set[str] = set()
        self.assumed: list[str] = []
        self._refuse_circles(graph.edges)

    def layers(self) -> Chain:
        start, end = (self._only(kind) for kind in (Input, Output))
        for name, others in ((start, self.before), (end, self.after)):
            if others[name]:
                raise InputError(f"{named(name)}: edges must not lead {'to an input' if name == start else 'on'}")
        shape = self._input_shape(start)
        input_shape = shape
        self.seen.add(start)
        found: list[Layer] = []
        last, forward = start, self._forward_of(start)
        while True:
            steps, target = self._way(last, forward)
            walked = self._shapes(steps, shape)
            shape = walked[-1].shape if walked else shape
            if target == end:
                if walked:
                    found.append(Layer(walked[-1].name, None, shape, walked, None))
                break
            layer, forward = self._layer(target, last, walked, shape)
            found.append(layer)
            last, shape = target, layer.shape
        if not found:
            raise InputError(f"{named(end)}: edges must lead there from weights or neurons, not from the input")
        self._check(end, shape)
        self.seen.add(end)
        for name in self.nodes:
            if name not in self.seen:
                raise InputError(f"{named(name)}: edges must make it a part of the way from input to output")
        self._check_ports(start, input_shape, found)
        return Chain(start, input_shape, tuple(found), tuple(self.assumed))

    def _only(self, kind: type[Port]) -> str:
        names = [name for name, node in self.nodes.items() if type(node) is kind]
        if len(names) != 1:
            listed = f" ({', '.join(map(repr, names[:4]))})" if names else ""
            raise InputError(f"nodes must hold one {kind.__name__}, not {len(names)}{listed:.200}")
        return names[0]

    def _forward_of(self, name: str) -> str:
        others = self.after[name]
        if len(others) != 1:
            raise InputError(f"{named(name)}: edges must lead to one node, {_found(others)}: no skips or branches")
        return others[0]

    def _way(self, origin: str, first: str) -> tuple[list[str], str]:
        """Nodes that are no neurons, from `first` on, and the neuron or output that they lead to."""
        steps: list[str] = []
        previous, name = origin, first
        while not self.nodes[name].is_neuron and not isinstance(self.nodes[name], Port):
            if self.before[name] != [previous]:
                raise InputError(
                    f"{named(name)}: edges must lead to it from one node, {_found(self.before[name])}: no joins"
                )
            steps.append(name)
            previous, name = name, self._forward_of(name)
        if isinstance(self.nodes[name], Output) and len(self.before[name]) != 1:
            raise InputError(f"{named(name)}: edges must lead to it from one node, {_found(self.before[name])}")
        return steps, name

    def _layer(self, name: str, last: str, forward: tuple[Step, ...], given: Shape) -> tuple[Layer, str]:
        """The layer of a neuron that `forward` leads to, and where it leads on."""
        if name in self.seen:
            raise InputError(f"{named(name)}: edges must lead on to new layers: no loops over several layers")
        self.seen.add(name)
        shape = self._shape_behind(name, given)
        if getattr(self.nodes[name], "shape", None) not in ((), shape):
            self.assumed.append(f"{named(name)}: its parameters have one value each, that of all {math.prod(shape)}")
        loops: list[tuple[list[str], str]] = []
        ways: list[tuple[list[str], str]] = []
        for other in self.after[name]:
            steps, target = self._way(name, other)
            (loops if target == name else ways).append((steps, other))
        if len(ways) != 1:
            raise InputError(f"{named(name)}: edges must lead to one node, {_found([other for _, other in ways])}")
        if len(loops) > 1:
            raise InputError(f"{named(name)}: edges must make one loop at most, not {len(loops)}")
        expected = {forward[-1].name if forward else last}
        loop = None
        if loops:
            loop = self._shapes(loops[0][0], shape)
            back = loop[-1].shape if loop else shape
            if back != shape:
                raise InputError(f"{named(loop[-1].name)}: values must have shape {shape} again, not {back}")
            expected.add(loop[-1].name if loop else name)
        if extra := [other for other in self.before[name] if other not in expected]:
            raise InputError(f"{named(name)}: edges must lead to it from one layer, not from {extra[0]!r:.60} too")
        return Layer(name, self.nodes[name], shape, forward, loop), ways[0][1]

    def _shapes(self, names: list[str], given: Shape) -> tuple[Step, ...]:
        steps = []
        for name in names:
            shape = self._shape_behind(name, given)
            steps.append(Step(name, self.nodes[name], given, shape))
            self.seen.add(name)
            given = shape
        return tuple(steps)

    def _shape_behind(self, name: str, given: Shape) -> Shape:
        try:
            shape = self.nodes[name].output_shape(given)
            if math.prod(shape) > MAX_VALUES:
                raise InputError(f"values must be at most {MAX_VALUES}, not {math.prod(shape)}")
        except InputError as error:
            raise InputError(f"{named(name)}: {error}") from None
        return shape

    def _input_shape(self, name: str) -> Shape:
        """Shape of a sample's step: without what a library may have written before it."""
        port = self.nodes[name]
        assert isinstance(port, Port)
        first = self.nodes[self._forward_of(name)]
        wanted = getattr(first, "shape", None) or getattr(first, "input_type", None)
        if wanted and math.prod(wanted) == 1 < math.prod(port.shape):
            wanted = None  # one value for all
        rank = len(wanted) if wanted else first.rank
        shape = port.shape if rank is None else port.shape[-rank:]
        if shape != port.shape:
            self.assumed.append(f"{named(name)}: the first of {port.shape} is the batch, not a part of the shape")
        return shape

    def _check(self, name: str, shape: Shape) -> None:
        port = self.nodes[name]
        assert isinstance(port, Port)
        self._shape_behind(name, shape)
        if port.shape != shape:
            self.assumed.append(f"{named(name)}: the first of {port.shape} is the batch, not a part of the shape")

    def _check_ports(self, start: str, input_shape: Shape, layers: Iterable[Layer]) -> None:
        """Shapes that the ends of sub-graphs declare are those of what they are given."""
        given = {start: input_shape}
        for layer in layers:
            given.update({step.name: step.shape for step in (*layer.forward, *(layer.loop or ()))})
            given[layer.name] = layer.shape
        pending = sorted(self.declared.inner)
        while pending:
            ready = [(name, a) for name in pending for a, b in self.declared.edges if b == name and a in given]
            if not ready:
                raise InputError(f"{named(pending[0])}: edges must lead to it from a node")
            for name, origin in ready:
                try:
                    given[name] = self.declared.nodes[name].output_shape(given[origin])
                except InputError as error:
                    raise InputError(f"{named(name)}: {error}") from None
            pending = [name for name in pending if name not in given]

    def _refuse_circles(self, edges: Iterable[Edge]) -> None:
        """A circle without a neuron has no first value."""
        left = {name for name, node in self.nodes.items() if not node.is_neuron}
        inner = [(a, b) for a, b in edges if a in left and b in left]
        while left:
            roots = left - {b for a, b in inner if a in left}
            if not roots:
                name = min(b for a, b in inner if a in left)
                raise InputError(f"{named(name)}: edges must make no circle without a neuron in it")
            left -= roots
            inner = [(a, b) for a, b in inner if a in left]


def _found(names: list[str]) -> str:
    return f"not {len(names)}" + (f" ({', '.join(map(repr, names[:4]))})"[:200] if names else "")
