"""Payloads of the streams inside a core. A field that a beat does not use may have any value."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any

from amaranth.hdl import Mux, Signal
from amaranth.lib import data

from spikewright.contract.integers import unsigned_bits
from spikewright.contract.layout import LayerImage

MARK = data.StructLayout({"last": 1, "error": 1})
"""End of a step: `last` ends the sample too, `error` says that something in the sample so far was out of range."""


def event(axons: int, value_bits: int = 1) -> data.StructLayout:
    """An event of one step, or, with `mark`, the end of the step.

    `axon` is 0 .. axons - 1, `value` its count; `last` and `error` belong to the mark, see `MARK`.
    """
    return data.StructLayout({"axon": unsigned_bits(axons - 1), "value": value_bits, "mark": 1, "last": 1, "error": 1})


def run(image: LayerImage) -> data.StructLayout:
    """A run of synapses from address `start` on, whose weights count `value` times.

    `synapses` is their extent, see `Encoding`: their number, or what stands for it. With `mark` it ends a step, and
    `start` and `synapses` are the `last` and `error` of `MARK`. A value of one bit is always 1, and left out: for all
    lanes it would be one register with wires across the whole device.
    """
    value_bits = image.spec.value_bits
    value = value_bits if value_bits > 1 else 0
    return data.StructLayout({"start": image.start_bits, "synapses": image.extent_bits, "value": value, "mark": 1})


def bit_row(rows: int, width: int) -> data.StructLayout:
    """One row of a bit matrix of `rows` rows; with `mark`, no bits but the end of the step."""
    return data.StructLayout({"index": unsigned_bits(rows - 1), "bits": width, "mark": 1, "last": 1, "error": 1})


def position_bits(rows: int, width: int) -> int:
    """Width of a position in a bit matrix: row times width (a power of two) plus bit."""
    return unsigned_bits(rows * width - 1)


def assign_fields(to: Any, source: Any) -> Iterator[Any]:
    """Statements that assign the fields of `to` from those of the same name, whose widths may differ."""
    for name, _field in to.shape():
        yield to[name].eq(source[name])


def delayed(m: Any, signal: Any, cycles: int, *, name: str) -> list[Any]:
    """`signal`, and what it was one to `cycles` cycles ago."""
    stages = [signal]
    for k in range(cycles):
        stage = Signal(signal.shape(), name=f"{name}{k + 1}")
        m.d.sync += stage.eq(stages[-1])
        stages.append(stage)
    return stages


def by_layer(layer: Any, values: Sequence[int]) -> Any:
    """What of `values` belongs to `layer`; no logic if they are all the same."""
    chosen: Any = values[-1]
    for index in reversed(range(len(values) - 1)):
        if any(value != values[index] for value in values[index + 1 :]):
            chosen = Mux(layer == index, values[index], chosen)
    return chosen


def of_layer(layer: Any, rules: Sequence[Hashable], value: Callable[[Any], Any]) -> Any:
    """`value` of the rule, of `rules`, that belongs to `layer`; no logic for rules that have the very same value."""
    values = {rule: value(rule) for rule in rules}
    distinct = {id(each): each for each in values.values()}
    chosen = values[rules[0]]
    for other in list(distinct.values())[1:]:
        theirs = by_layer(layer, [int(values[rule] is other) for rule in rules])
        chosen = Mux(theirs, other, chosen)
    return chosen
