"""The words that a lane stores of its neurons: threshold, bias, and what else a layer has of each of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from amaranth.hdl import Module, Mux, Signal, signed
from amaranth.lib import data

from spikewright.contract.capacity import LayerCapacity
from spikewright.contract.image import Constant, LayerImage
from spikewright.contract.integers import unsigned_bits
from spikewright.contract.layer import LayerSpec

from .arithmetic import leak, leak_by

_LACKED = {"threshold": 1}
"""Constants of a layer that lacks them, if not 0: a threshold of a read-out among layers that fire."""


def word_layout(
    images: Sequence[LayerImage], capacity: LayerCapacity | None = None, threshold: int = 0
) -> data.StructLayout:
    """Fields of a word that holds the constants of any neuron of several layers; those of no bits are left out.

    Parameters
    ----------
    images : sequence of LayerImage
    capacity : LayerCapacity, optional
        Of a memory that belongs to no single layer and is loaded at run time: widths in place of those of the layers.
    threshold : int
        Least bits of a threshold.
    """
    fields: dict[str, Constant] = {}
    if threshold:
        fields["threshold"] = Constant(threshold, False, np.ones(0, dtype=np.int64), 1)
    for image in images:
        for name, constant in image.constants.items():
            bits = getattr(capacity, f"{name}_bits") if capacity else constant.bits
            widest = max(bits, fields[name].bits) if name in fields else bits
            fields[name] = constant._replace(bits=widest)
    floors = [image.constants["floor"] for image in images if image.spec.floor is not None]
    if not capacity and any(constant.bits for constant in floors):
        # Where some layer stores its floors, so do those whose floors are their thresholds.
        widest = max(unsigned_bits(int(constant.values.max())) for constant in floors)
        fields["floor"] = fields["floor"]._replace(bits=widest)
    return data.StructLayout(
        {name: signed(of.bits) if of.signed else of.bits for name, of in fields.items() if of.bits}
    )


def stored_words(layout: data.StructLayout, image: LayerImage, lane: int) -> list[int]:
    """The words of a lane, by row."""
    held = image.constants
    fields = [name for name, _ in layout]
    columns = [
        image.by_position(held[name].values, held[name].fill)[:, lane].tolist()
        if name in held
        else [_LACKED.get(name, 0)] * image.rows
        for name in fields
    ]
    return [layout.const(dict(zip(fields, row, strict=True))).as_bits() for row in zip(*columns, strict=True)]


class Carrying:
    """What a neuron carries over, a cycle after its word was registered: of the constants that this needs, if any.

    Parameters
    ----------
    m : Module
    neuron : View
        The word, see `word_layout`.
    """

    def __init__(self, m: Module, neuron: Any) -> None:
        self._held: dict[str, Any] = {}
        for name in ("start", "leak"):
            if name in dict(neuron.shape()):
                field = neuron[name]
                self._held[name] = held = Signal(field.shape(), name=f"{name}_of_v")
                m.d.sync += held.eq(field)

    def begins(self, last: Any, v: Any) -> Any:
        """The membrane that the next step begins with, before its leak."""
        return Mux(last, self._held.get("start", 0), v)

    def leaked(self, spec: LayerSpec, v: Any, bias: Any) -> Any:
        """What is left of it in the next step, and the bias."""
        if spec.multipliers is None:
            return leak(v, spec.decay, bias)
        return leak_by(v, self._held["leak"], spec.decay.shift, bias)


class CarryingCurrent:
    """What a synaptic current is in the next step, as `Carrying` tells of membranes."""

    def __init__(self, m: Module, neuron: Any) -> None:
        self._held: dict[str, Any] = {}
        for name, kept in (("current_leak", "leak_of_current"), ("current_start", "start_of_current")):
            if name in dict(neuron.shape()):
                field = neuron[name]
                self._held[name] = held = Signal(field.shape(), name=kept)
                m.d.sync += held.eq(field)

    def begins(self, last: Any, current: Any) -> Any:
        """The current that the next step begins with, before its leak."""
        return Mux(last, self._held.get("current_start", 0), current)

    def leaked(self, spec: LayerSpec, current: Any, bias: Any) -> Any:
        """What is left of it in the next step, and the bias."""
        assert spec.current_decay is not None
        if spec.current_multipliers is None:
            return leak(current, spec.current_decay, bias)
        return leak_by(current, self._held["current_leak"], spec.current_decay.shift, bias)


def floor_of(neuron: Any) -> Any:
    """Lowest membrane that a step leaves, of a word: where it is not stored, the negative of the threshold."""
    return -(neuron.floor if "floor" in dict(neuron.shape()) else neuron.threshold)


def clipped(v: Any, floor: Any) -> Any:
    """A membrane, or its floor if that is higher."""
    return Mux(v < floor, floor, v)
