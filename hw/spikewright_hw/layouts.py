"""Payloads of the streams inside a core. A field that a beat does not use may have any value."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from typing import Any

from amaranth.hdl import Cat, Mux, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from spikewright.contract.delays import DelayPlan
from spikewright.contract.image import LayerImage
from spikewright.contract.integers import unsigned_bits

MARK = data.StructLayout({"last": 1, "error": 1})
"""End of a step: `last` ends the sample too, `error` says that something in the sample so far was out of range."""


def event(axons: int, value_bits: int = 1) -> data.StructLayout:
    """An event of one step, or, with `mark`, the end of the step.

    `axon` is 0 .. axons - 1, `value` its count; `last` and `error` belong to the mark, see `MARK`.
    """
    return data.StructLayout({"axon": unsigned_bits(axons - 1), "value": value_bits, "mark": 1, "last": 1, "error": 1})


def pair(axons: int, value_bits: int) -> data.StructLayout:
    """Two events of one step, the second one of a higher axon, or, with `mark`, the end of the step, see `event`.

    There is no second one where its value is 0.
    """
    one = event(axons, value_bits)
    axon, value = one["axon"].shape, one["value"].shape
    return data.StructLayout({**dict(one.members), "second_axon": axon, "second_value": value})


def offer(payload: data.Layout) -> wiring.Signature:
    """As a stream, but what waits may give way to something else: a payload counts only in the cycle it is taken in.

    A stream can be connected to an input of this kind, but an output of this kind to no stream.
    """
    return wiring.Signature({"payload": Out(payload), "valid": Out(1), "ready": In(1)})


def run(image: LayerImage) -> data.StructLayout:
    """A run of synapses, or, with `mark`, the end of a step.

    `what` is one of two. Of a run it is `run`: `start`, the first address, and `synapses`, the extent, which is their
    number or what stands for it, see `Encoding`. Of a mark it is `flags`, which are those of `MARK`, each in as many
    bits as the field of a run has in its place, so that whoever writes one writes all of it.

    The weights of a run count `value` times. A value of one bit is always 1, and left out: for all lanes it would be
    one register with wires across the whole device.
    """
    value_bits = image.spec.event_bits
    value = value_bits if value_bits > 1 else 0
    start, synapses = image.start_bits, image.extent_bits
    what = data.UnionLayout(
        {
            "run": data.StructLayout({"start": start, "synapses": synapses}),
            "flags": data.StructLayout({"last": start, "error": synapses}),
        }
    )
    return data.StructLayout({"what": what, "value": value, "mark": 1})


def delay_entry(plan: DelayPlan) -> data.StructLayout:
    """A word of the program of delays, see `DelayBuffer`."""
    return data.StructLayout(
        {
            "offset": unsigned_bits(plan.ring_words - 1),
            "delay": unsigned_bits(plan.slots - 1),
            "row": plan.row_bits,
            "mask": plan.lanes,
        }
    )


def delay_program(plan: DelayPlan) -> list[int]:
    """The words of a program of delays."""
    entry = delay_entry(plan)
    return [
        entry.const(
            {
                "offset": ((item.delay + 1) * plan.rows - item.row) % plan.ring_words,
                "delay": item.delay,
                "row": item.row,
                "mask": sum(1 << lane for lane in item.lanes),
            }
        ).as_bits()
        for item in plan.program
    ]


def bit_row(rows: int, width: int, value_bits: int = 1) -> data.StructLayout:
    """One row of a bit matrix of `rows` rows; with `mark`, no bits but the end of the step.

    Where a bit stands for a value of several bits, `values` are those of all of them.
    """
    values = {"values": width * value_bits} if value_bits > 1 else {}
    fields = {"index": unsigned_bits(rows - 1), "bits": width, "mark": 1, "last": 1, "error": 1, **values}
    return data.StructLayout(fields)


def fired(spikes: Sequence[Any]) -> Any:
    """A bit for each of some numbers of spikes: whether it is not 0."""
    return Cat(number if len(number) == 1 else number.any() for number in spikes)


def widened(bits: Any, width: int) -> Any:
    """Every bit in the place of a number of so many."""
    return bits if width == 1 else Cat(bit.replicate(width) for bit in bits)


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
