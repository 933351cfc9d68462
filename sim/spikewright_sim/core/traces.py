"""Traces of a core in a C++ loop: how they are read, and what they should be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from spikewright.contract.core import CoreSpec
from spikewright.contract.image import LayerImage


@dataclass(frozen=True)
class TracedLayer:
    """Layout of the trace of a layer: a row of neurons at a time, their membranes of so many bits side by side."""

    image: LayerImage
    bits: int

    @property
    def lanes(self) -> int:
        return self.image.lanes

    @property
    def rows(self) -> int:
        return self.image.rows

    @property
    def words(self) -> int:
        return -(-self.lanes * self.bits // 32)

    @property
    def spike_bits(self) -> int:
        return self.image.spec.count_bits

    @property
    def spike_words(self) -> int:
        return -(-self.lanes * self.spike_bits // 32)


def layers_of(core: CoreSpec) -> list[TracedLayer]:
    return [TracedLayer(image, core.membrane_bits(index)) for index, image in enumerate(core.layers)]


def header(core: CoreSpec, traced: bool = True) -> str:
    """`layers.h`, which `core.h` includes: how many layers, how wide, and an accessor of their traces.

    A core that is not `traced` has no ports for them.
    """
    layers = layers_of(core)

    def table(name: str, values: list[int]) -> str:
        return f"static const int {name}[LAYERS] = {{{', '.join(map(str, values))}}};\n"

    cases = ""
    for k, layer in enumerate(layers):
        words = layer.spike_words
        spikes = "spikes[0] = 0" if layer.image.spec.readout else f"words_of(top.trace{k}_spikes, spikes, {words})"
        read = f"row = top.trace{k}_row; {spikes}; words_of(top.trace{k}_v, v, {layer.words}); break;"
        cases += f"    case {k}: {read}\n"
    return (
        "// Written by spikewright_sim.core.traces for one core; the rest is in core.h.\n#pragma once\n"
        f"#define LAYERS {len(layers)}\n#define CLASSES {core.network.classes}\n"
        f"#define TRACED {int(traced)}\n#define LOADABLE {int(core.loadable)}\n"
        f"#define MAX_WORDS {max(layer.words for layer in layers)}\n"
        f"#define MAX_SPIKE_WORDS {max(layer.spike_words for layer in layers)}\n"
        + table("ROWS", [layer.rows for layer in layers])
        + table("LANES", [layer.lanes for layer in layers])
        + table("BITS", [layer.bits for layer in layers])
        + table("WORDS", [layer.words for layer in layers])
        + table("SPIKE_BITS", [layer.spike_bits for layer in layers])
        + table("SPIKE_WORDS", [layer.spike_words for layer in layers])
        + f"static uint32_t rows_of(const Vtop& top) {{ return {'top.trace_valid' if traced else '0'}; }}\n"
        "static void read_trace(const Vtop& top, int layer, uint32_t& row, uint32_t* spikes, uint32_t* v) {\n"
        "    switch (layer) {\n" + (cases if traced else "") + "    }\n}\n"
    )


def expected_rows(
    layer: TracedLayer, spikes: npt.NDArray[Any] | None, membranes: npt.NDArray[Any]
) -> npt.NDArray[np.uint32]:
    """(T * rows, spike words + words): the spikes of a traced row, then its membranes, as the core packs them.

    Parameters
    ----------
    spikes : (T, neurons) bool or integers, or None for a read-out
    membranes : (T, neurons) integers
    """
    steps = len(membranes)
    order = layer.image.order
    positions = layer.rows * layer.lanes

    def deal(values: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        padded = np.zeros((steps, positions), dtype=np.int64)
        padded[:, : len(order)] = values[:, order]
        return padded.reshape(steps * layer.rows, layer.lanes)

    def packed(values: npt.NDArray[Any], width: int, words: int) -> npt.NDArray[np.uint32]:
        bits = deal(values)[:, :, None] >> np.arange(width) & 1
        flat = np.zeros((len(bits), 32 * words), dtype=np.uint8)
        flat[:, : layer.lanes * width] = bits.reshape(len(bits), -1)
        return np.packbits(flat, axis=1, bitorder="little").view("<u4")

    of_spikes = np.zeros((steps * layer.rows, layer.spike_words), dtype=np.uint32)
    if spikes is not None:
        of_spikes = packed(spikes, layer.spike_bits, layer.spike_words)
    return np.concatenate([of_spikes, packed(membranes, layer.bits, layer.words)], axis=1)
