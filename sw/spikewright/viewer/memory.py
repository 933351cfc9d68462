"""Memories of a core: what lies in which word of which lane, what is unused, and bits against the limit."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from spikewright.contract.core import CoreSpec
from spikewright.contract.cores import SharedCore
from spikewright.contract.devices import FAMILIES
from spikewright.contract.image import LayerImage
from spikewright.contract.integers import IntArray
from spikewright.layout.limit import bits_per_synapse
from spikewright.layout.placement import encodings
from spikewright.layout.price import Memory, place, split
from spikewright.predict.resources import memories

UNUSED = -1


@dataclass(frozen=True)
class Lanes:
    """The synapse memories of a layer, or of all layers that share lanes.

    Parameters
    ----------
    name : str
    kinds : tuple of str
        What words hold: "inputs", "recurrent", of several layers with their names.
    words : (lanes, words) integers
        Index into `kinds`, or `UNUSED`.
    axons : (lanes, words) integers
        Axon of the synapse, or `UNUSED`.
    """

    name: str
    kinds: tuple[str, ...]
    words: IntArray
    axons: IntArray

    @property
    def unused(self) -> float:
        """Share of the words, up to the longest lane, that are never read."""
        return float((self.words == UNUSED).mean())


@dataclass(frozen=True)
class Density:
    """Stored bits per synapse of a memory, and the least that any encoding takes.

    Parameters
    ----------
    name : str
    synapses : int
    chosen : str
        Encoding that it has.
    stored : dict
        Bits per synapse by encoding, pointers included.
    limit : float
    """

    name: str
    synapses: int
    chosen: str
    stored: dict[str, float]
    limit: float


@dataclass(frozen=True)
class Place:
    """Memories of one kind, those of all lanes together.

    Parameters
    ----------
    name : str
    count : int
    words : (fewest, most)
    width : int
    brams : int
        Block RAMs, 0 if it is made of LUTs or registers.
    bits : int
        Stored.
    unused : float or None
        Share of the bits of the block RAMs that holds nothing.
    """

    name: str
    count: int
    words: tuple[int, int]
    width: int
    brams: int
    bits: int
    unused: float | None


def lanes_of(core: CoreSpec) -> list[Lanes]:
    """What lies where, by memory."""
    return [_map(name, image, _kinds(core, name)) for name, image in core.memories.items()]


def _kinds(core: CoreSpec, name: str) -> list[tuple[str, int]]:
    """Names of the kinds of axons of a memory, and how many axons each has, in their order."""
    several = isinstance(core, SharedCore)
    images = [(index, image) for index, image in enumerate(core.layers) if several or core.memories[name] is image]
    kinds = []
    for index, image in images:
        before = f"layer {index}, " if several else ""
        kinds.append((f"{before}inputs", image.spec.inputs))
        if image.spec.recurrent:
            kinds.append((f"{before}recurrent", image.spec.neurons))
    return kinds


def _map(name: str, image: LayerImage, kinds: list[tuple[str, int]]) -> Lanes:
    longest = image.capacity.synapses if image.capacity else max(map(len, image.data))
    axons = np.full((image.lanes, max(1, longest)), UNUSED, dtype=np.int64)
    for lane in range(image.lanes):
        starts, lengths = image.starts[:, lane], image.lengths[:, lane]
        for axon in np.flatnonzero(lengths).tolist():
            axons[lane, starts[axon] : starts[axon] + lengths[axon]] = axon
    ends = np.cumsum([count for _, count in kinds])
    words = np.where(axons == UNUSED, UNUSED, np.searchsorted(ends, axons, side="right"))
    return Lanes(name, tuple(kind for kind, _ in kinds), words, axons)


def densities(core: CoreSpec) -> list[Density]:
    """By memory; those without synapses are left out."""
    found = []
    for name, image in core.memories.items():
        specs = [image.spec] if not isinstance(core, SharedCore) else [layer.spec for layer in core.layers]
        weights, synapses = sum(spec.weights.size for spec in specs), sum(spec.synapses for spec in specs)
        if not synapses:
            continue
        stored = {encoding: taken.bits / synapses for encoding, taken in encodings(image).items()}
        limit = bits_per_synapse(weights, synapses, image.spec.weight_bits)
        found.append(Density(name, synapses, image.encoding, stored, limit))
    return found


def whole_density(core: CoreSpec, bits: int) -> tuple[float, float] | None:
    """Bits per synapse of all memories that hold `bits`, and the limit of the whole network; None without a synapse.

    Neither is there one of slotted layers, whose words are not among the memories of runs.
    """
    layers = core.network.layers
    synapses = sum(layer.synapses for layer in layers)
    if not synapses or not bits:
        return None
    weights = sum(layer.weights.size for layer in layers)
    return bits / synapses, bits_per_synapse(weights, synapses, layers[0].weight_bits)


def places(core: CoreSpec, target: str) -> list[Place]:
    """All memories of a core as they lie in the devices of a family."""
    family = FAMILIES[target]
    block = max(words * width for words, width in family.shapes)
    groups: dict[str, list[Memory]] = {}
    for memory in memories(core):
        groups.setdefault(re.sub(r"(?<=synapses)\d+$", "", memory.name), []).append(memory)
    found = []
    for name, members in groups.items():
        brams = sum(part.count * place(part, family).brams for memory in members for part in split(memory, family))
        bits = sum(memory.count * memory.words * memory.width for memory in members)
        in_blocks = sum(_in_blocks(split(memory, family), target) for memory in members)
        found.append(
            Place(
                name,
                sum(memory.count for memory in members),
                (min(memory.words for memory in members), max(memory.words for memory in members)),
                members[0].width,
                brams,
                bits,
                1 - in_blocks / (brams * block) if brams else None,
            )
        )
    return found


def _in_blocks(parts: Iterable[Memory], target: str) -> int:
    """Bits of those that lie in block RAMs."""
    placed = [part for part in parts if place(part, FAMILIES[target]).brams]
    return sum(part.count * part.words * part.width for part in placed)
