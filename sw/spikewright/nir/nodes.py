"""Nodes of a NIR graph: one record per kind, with the shapes that it takes and gives.

Neurons and their equations are explained in `rules.py`. Shapes are those of one step of one sample.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from spikewright.contract.errors import InputError
from spikewright.nir.fields import (
    Array,
    Shape,
    check_shape,
    counts,
    padding,
    read_fields,
    shape,
    values,
    whole,
)


@dataclass(frozen=True, eq=False)
class Node:
    """What all kinds have in common."""

    is_neuron: ClassVar[bool] = False
    rank: ClassVar[int | None] = None
    """Dimensions of what it takes, where that is known without a look at its fields."""

    def check(self) -> None:
        """InputError where fields contradict each other; names a field."""

    def output_shape(self, given: Shape) -> Shape:
        """Shape of what it gives for what it is given; InputError if it cannot take that."""
        return given

    def facts(self) -> str:
        """Shape and numbers, for people."""
        return ""


def _must_take(field: str, takes: Shape, given: Shape) -> None:
    if takes != given:
        raise InputError(f"{field} must be for values of shape {given}, not {takes}")


@dataclass(frozen=True, eq=False)
class Port(Node):
    """The end of a graph."""

    shape: Shape = shape()

    def output_shape(self, given: Shape) -> Shape:
        # Some libraries write a batch, or steps, before the shape.
        if self.shape[-len(given) :] != given:
            raise InputError(f"shape must be {given}, not {self.shape}")
        return given

    def facts(self) -> str:
        return "x".join(map(str, self.shape))


class Input(Port):
    """Where values come in."""


class Output(Port):
    """Where values leave."""


@dataclass(frozen=True, eq=False)
class Linear(Node):
    """y = W x."""

    rank: ClassVar[int | None] = 1
    weight: Array = values(dimensions=2)

    def output_shape(self, given: Shape) -> Shape:
        _must_take("weight", (self.weight.shape[1],), given)
        return (self.weight.shape[0],)

    def facts(self) -> str:
        return f"{'x'.join(map(str, self.weight.shape))}, {zeros(self.weight)}"


@dataclass(frozen=True, eq=False)
class Affine(Linear):
    """y = W x + b."""

    bias: Array = values(dimensions=1)

    def check(self) -> None:
        _must_be("bias", self.bias, (self.weight.shape[0],), "one for each row of weight")


@dataclass(frozen=True, eq=False)
class Scale(Node):
    """y = scale * x, value by value."""

    scale: Array = values()

    def output_shape(self, given: Shape) -> Shape:
        if self.scale.shape:
            _must_take("scale", self.scale.shape, given)
        return given


@dataclass(frozen=True, eq=False)
class Delay(Node):
    """y(t) = x(t - delay), value by value; in seconds."""

    delay: Array = values(least=0)

    def output_shape(self, given: Shape) -> Shape:
        if self.delay.shape:
            _must_take("delay", self.delay.shape, given)
        return given


@dataclass(frozen=True, eq=False)
class Flatten(Node):
    """Values in their order, as one dimension in place of `start_dim` .. `end_dim`."""

    start_dim: int = whole(1)
    end_dim: int = whole(-1)
    input_type: Shape | None = shape(None)

    def output_shape(self, given: Shape) -> Shape:
        if self.input_type is not None:
            _must_take("input_type", self.input_type[-len(given) :], given)
        first, last = (place + len(given) if place < 0 else place for place in (self.start_dim, self.end_dim))
        if first == 1 and last >= len(given) - 1:
            return (math.prod(given),)  # PyTorch counts the batch: everything but that
        if not 0 <= first <= last < len(given):
            raise InputError(f"start_dim and end_dim must be dimensions of {given}, not {first} and {last}")
        return (*given[:first], math.prod(given[first : last + 1]), *given[last + 1 :])


@dataclass(frozen=True, eq=False)
class Conv(Node):
    """Convolution, as PyTorch computes it: weight (C_out, C_in / groups, kernel...)."""

    dimensions: ClassVar[int]
    weight: Array
    bias: Array
    stride: Shape
    padding: Shape | str
    dilation: Shape
    groups: int
    input_shape: Shape | None

    @property
    def kernel(self) -> Shape:
        return tuple(self.weight.shape[2:])

    @property
    def margins(self) -> tuple[tuple[int, int], ...]:
        """Zeros put before and behind, for each dimension."""
        if self.padding == "valid":
            return ((0, 0),) * self.dimensions
        if isinstance(self.padding, str):
            totals = [step * (size - 1) for step, size in zip(self.dilation, self.kernel, strict=True)]
            return tuple((total // 2, total - total // 2) for total in totals)
        return tuple((size, size) for size in self.padding)

    def check(self) -> None:
        channels = self.weight.shape[0]
        _must_be("bias", self.bias, (channels,), "one for each channel of weight")
        if channels % self.groups:
            raise InputError(f"groups must divide the {channels} channels of weight, not be {self.groups}")
        if self.padding == "same" and max(self.stride) > 1:
            raise InputError(f"padding must be numbers where stride is {self.stride}, not 'same'")

    def output_shape(self, given: Shape) -> Shape:
        if len(given) != self.dimensions + 1:
            raise InputError(f"weight must be for values of shape {given}, not {self.dimensions + 1} dimensions")
        _must_take("weight", (self.weight.shape[1] * self.groups,), given[:1])
        if self.input_shape is not None:
            _must_take("input_shape", self.input_shape, given[1:])
        return self.weight.shape[0], *windows(given[1:], self.kernel, self.stride, self.margins, self.dilation)

    def facts(self) -> str:
        return f"{'x'.join(map(str, self.weight.shape))}, stride {self.stride}, {zeros(self.weight)}"


@dataclass(frozen=True, eq=False)
class Conv1d(Conv):
    dimensions: ClassVar[int] = 1
    rank: ClassVar[int | None] = 2
    weight: Array = values(dimensions=3)
    bias: Array = values(dimensions=1)
    stride: Shape = counts(1, 1)
    padding: Shape | str = padding(1)
    dilation: Shape = counts(1, 1)
    groups: int = whole(low=1)
    input_shape: Shape | None = shape(None, 1)


@dataclass(frozen=True, eq=False)
class Conv2d(Conv):
    dimensions: ClassVar[int] = 2
    rank: ClassVar[int | None] = 3
    weight: Array = values(dimensions=4)
    bias: Array = values(dimensions=1)
    stride: Shape = counts(1, 2)
    padding: Shape | str = padding(2)
    dilation: Shape = counts(1, 2)
    groups: int = whole(low=1)
    input_shape: Shape | None = shape(None, 2)


@dataclass(frozen=True, eq=False)
class Pool(Node):
    """Sums or means of windows; padded zeros count, as PyTorch has it, and what is left at the end is dropped."""

    rank: ClassVar[int | None] = 3
    kernel_size: Shape = counts(1, 2)
    stride: Shape = counts(1, 2)
    padding: Shape = counts(0, 2)

    def output_shape(self, given: Shape) -> Shape:
        if len(given) != 3:
            raise InputError(f"kernel_size must be for values of shape {given}, not 3 dimensions")
        if any(2 * margin > size for margin, size in zip(self.padding, self.kernel_size, strict=True)):
            raise InputError(f"padding must be at most half of kernel_size {self.kernel_size}, not {self.padding}")
        margins = tuple((size, size) for size in self.padding)
        return given[0], *windows(given[1:], self.kernel_size, self.stride, margins, (1, 1))

    def facts(self) -> str:
        return f"{'x'.join(map(str, self.kernel_size))}, stride {self.stride}"


class SumPool2d(Pool):
    """Sums of windows."""


class AvgPool2d(Pool):
    """Means of windows."""


@dataclass(frozen=True, eq=False)
class Neuron(Node):
    """Neurons of one shape: that of each of their parameters, whose single value is that of all neurons."""

    is_neuron: ClassVar[bool] = True
    fires: ClassVar[bool] = True

    def check(self) -> None:
        arrays = {name: value for name, value in vars(self).items() if isinstance(value, np.ndarray)}
        alike = [array.shape for name, array in arrays.items() if name != "w_in" or array.shape]
        usual = max(alike, key=alike.count)
        for name, array in arrays.items():
            if name != "w_in" or array.shape:
                _must_be(name, array, usual, "that of the other parameters")

    @property
    def shape(self) -> Shape:
        """Empty where all are alike."""
        found: Shape = next(value.shape for value in vars(self).values() if isinstance(value, np.ndarray))
        return found

    def output_shape(self, given: Shape) -> Shape:
        if math.prod(self.shape) > 1:
            name = next(iter(vars(self)))
            _must_take(name, self.shape, given)
        return given


@dataclass(frozen=True, eq=False)
class Threshold(Neuron):
    """Fires in a step in which its input is above the threshold; nothing is left of it."""

    threshold: Array = values()


@dataclass(frozen=True, eq=False)
class I(Neuron):  # noqa: E742 - its name in NIR
    """Adds up what it is given."""

    fires: ClassVar[bool] = False
    r: Array = values(infinite=True)


@dataclass(frozen=True, eq=False)
class IF(Neuron):
    """Integrate and fire."""

    v_threshold: Array = values(positive=True)
    r: Array = values(infinite=True)
    v_reset: Array | None = values(None)


@dataclass(frozen=True, eq=False)
class LI(Neuron):
    """Leaky integrator."""

    fires: ClassVar[bool] = False
    tau: Array = values(positive=True, infinite=True)
    r: Array = values(infinite=True)
    v_leak: Array = values()


@dataclass(frozen=True, eq=False)
class LIF(Neuron):
    """Leaky integrate and fire."""

    tau: Array = values(positive=True, infinite=True)
    r: Array = values(infinite=True)
    v_leak: Array = values()
    v_threshold: Array = values(positive=True)
    v_reset: Array | None = values(None)


@dataclass(frozen=True, eq=False)
class CubaLI(Neuron):
    """Leaky integrator of a current that leaks itself."""

    fires: ClassVar[bool] = False
    tau_mem: Array = values(positive=True, infinite=True)
    tau_syn: Array = values(positive=True, infinite=True)
    r: Array = values(infinite=True)
    v_leak: Array = values()
    w_in: Array | None = values(None, infinite=True)


@dataclass(frozen=True, eq=False)
class CubaLIF(Neuron):
    """Leaky integrate and fire, of a current that leaks itself."""

    tau_mem: Array = values(positive=True, infinite=True)
    tau_syn: Array = values(positive=True, infinite=True)
    r: Array = values(infinite=True)
    v_leak: Array = values()
    v_threshold: Array = values(positive=True)
    v_reset: Array | None = values(None)
    w_in: Array | None = values(None, infinite=True)


KINDS: dict[str, type[Node]] = {
    kind.__name__: kind
    for kind in (
        Input,
        Output,
        Linear,
        Affine,
        Scale,
        Delay,
        Flatten,
        Conv1d,
        Conv2d,
        SumPool2d,
        AvgPool2d,
        Threshold,
        I,
        IF,
        LI,
        LIF,
        CubaLI,
        CubaLIF,
    )
}


def read_node(fields: Mapping[str, Any]) -> Node:
    """The record of a node.

    Parameters
    ----------
    fields : mapping
        `type`, a text, and the fields of that kind: arrays of numbers, or texts.

    Raises
    ------
    InputError
        If the type is unknown, or a field is not what it should be; names the field.
    """
    kind = fields.get("type")
    if not isinstance(kind, str) or kind not in KINDS:
        found = "left out" if kind is None else repr(kind) if isinstance(kind, str) else "numbers or a group"
        raise InputError(f"type must be one of {', '.join(KINDS)}, not {found:.60}")
    node = KINDS[kind](**read_fields(KINDS[kind], fields))
    node.check()
    return node


def fields_of(node: Node) -> dict[str, Any]:
    """What `read_node` makes the same node of."""
    found: dict[str, Any] = {"type": type(node).__name__}
    for item in dataclasses.fields(node):
        value = getattr(node, item.name)
        if value is not None:
            found[item.name] = value if isinstance(value, str | np.ndarray) else np.asarray(value, np.int64)
    return found


def windows(given: Shape, kernel: Shape, stride: Shape, margins: tuple[tuple[int, int], ...], dilation: Shape) -> Shape:
    """How many windows fit, for each dimension; InputError if one does not, or there are too many."""
    found = tuple(
        (length + sum(margin) - step * (size - 1) - 1) // stride_ + 1
        for length, size, stride_, margin, step in zip(given, kernel, stride, margins, dilation, strict=True)
    )
    if min(found) < 1:
        raise InputError(f"kernel must fit into {given} with its padding, not be {kernel}")
    check_shape("output", found)
    return found


def zeros(weight: Array) -> str:
    """Share of zero weights, for people."""
    return f"{100 * (1 - np.count_nonzero(weight) / weight.size):.1f} % zero"


def _must_be(name: str, array: Array, expected: Shape, why: str) -> None:
    if array.shape != expected:
        raise InputError(f"{name} must have shape {expected}, {why}, not {array.shape}")
