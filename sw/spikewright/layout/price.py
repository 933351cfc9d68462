"""Where the memories of a design go in a device: block RAM, distributed RAM, tables of LUTs or registers.

All follows from the geometry of a memory and from how yosys chooses among the shapes of a block RAM.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cache

from spikewright.contract.devices import DEEP_ROM_WORDS, FAMILIES, Device, Family
from spikewright.contract.encoding import encoding_named
from spikewright.contract.integers import IntArray, unsigned_bits
from spikewright.contract.memories import in_registers
from spikewright.layout.placement import Encoded, Stored


@dataclass(frozen=True)
class Memory:
    """`count` equal memories of a core, of which `reads` words are read in a cycle."""

    name: str
    words: int
    width: int
    writable: bool
    count: int = 1
    reads: int = 1


@dataclass(frozen=True)
class Resources:
    """Estimated resources."""

    luts: int
    ffs: int
    brams: int
    dsps: int

    def fit(self, device: Device) -> bool:
        return (
            self.luts <= device.luts
            and self.ffs <= device.ffs
            and self.brams <= device.brams
            and self.dsps <= device.dsps
        )


def place(memory: Memory, family: Family) -> Resources:
    """Where one of `memory.count` memories goes: block RAM, LUTs or registers."""
    words, width = memory.words, memory.width
    bits = words * width
    if memory.writable and in_registers(words, width):
        # A register per bit, and a multiplexer in front of the output.
        return Resources(luts=math.ceil(width * words / 2), ffs=bits + width, brams=0, dsps=0)
    if not memory.writable and bits == 0:
        return Resources(0, 0, 0, 0)
    if memory.reads > 1 and not set(family.shapes) - set(family.wide_shapes):
        # A copy for every word that is read.
        one = place(replace(memory, reads=1), family)
        return Resources(2 * one.luts, 2 * one.ffs, 2 * one.brams, 0)
    shape, columns = _shape(memory, family)
    deep = -(-words // shape[0])
    in_blocks = Resources(luts=memory.reads * width * (deep - 1), ffs=0, brams=columns * deep, dsps=0)
    cost = in_blocks.brams * _price(memory, family) + in_blocks.luts
    if not memory.writable:
        # A table of LUTs: yosys prices 16 bits at one; registers take what is read.
        tables = Resources(memory.reads * math.ceil(bits / 16 * _TABLE), memory.reads * width, brams=0, dsps=0)
        return tables if memory.reads * bits / 16 < cost else in_blocks
    if family.distributed:
        rows, columns = -(-words // 16), -(-width // 4)
        selected = width * (rows - 1)
        if 4 * rows * columns + selected < cost:
            return Resources(luts=6 * rows * columns + selected // 2, ffs=width, brams=0, dsps=0)
    return in_blocks


def split(memory: Memory, family: Family) -> list[Memory]:
    """A read-only memory as one or two side by side, the lower bits of its words first; what it is best made of.

    yosys gives all block RAMs of a memory the same shape: those of ECP5 hold 1,600 words of 13 bits as twice nine bits,
    five of which are unused, or as nine and four, where words are left that something could be stored in.
    """
    if memory.writable or memory.reads > 1 or not place(memory, family).brams:
        return [memory]
    return [replace(memory, width=width) for width in _columns(memory.words, memory.width, family)]


def split_widths(words: int, width: int, family: str) -> list[int]:
    """Widths of the parts of `split`."""
    return [part.width for part in split(Memory("", words, width, writable=False), FAMILIES[family])]


@cache
def _columns(words: int, width: int, family: Family) -> tuple[int, ...]:
    def cost(widths: tuple[int, ...]) -> tuple[int, int]:
        parts = [Memory("", words, part, writable=False) for part in widths]
        return sum(price(place(part, family), family) for part in parts), sum(_padded(part, family) for part in parts)

    # Of equal ones the first: whole, then the widest lower part.
    return min([(width,), *((low, width - low) for low in range(width - 1, 0, -1))], key=cost)


def price(resources: Resources, family: Family) -> int:
    """Resources in LUTs, a block RAM as many as it is worth."""
    return resources.luts + resources.brams * family.block_luts


def place_all(memories: Iterable[Memory], family: Family) -> Resources:
    """Resources of all memories together, read-only ones split."""
    luts = ffs = brams = 0
    for memory in memories:
        for part in split(memory, family):
            of_part = place(part, family)
            luts += part.count * of_part.luts
            ffs += part.count * of_part.ffs
            brams += part.count * of_part.brams
    return Resources(luts, ffs, brams, 0)


def place_stored(stored: Stored, family: str) -> Resources:
    """Resources of the synapses of a layer."""
    return place_all(_memories(stored), FAMILIES[family])


def padded_bits(stored: Stored, family: str) -> int:
    """Bits of the synapses of a layer, every word in a block RAM padded to the width of the block RAMs it lies in."""
    parts = [part for memory in _memories(stored) for part in split(memory, FAMILIES[family])]
    return sum(part.words * _padded(part, FAMILIES[family]) for part in parts)


def _memories(stored: Stored) -> list[Memory]:
    return [Memory("", words, width, writable=False) for words, width in (stored.rows, *stored.lanes)]


def _padded(memory: Memory, family: Family) -> int:
    """Bits of a word, with those that a block RAM leaves unused."""
    if not place(memory, family).brams:
        return memory.width
    shape, columns = _shape(memory, family)
    return shape[1] * columns


def _price(memory: Memory, family: Family) -> int:
    return family.rom_cost if not memory.writable and memory.words > DEEP_ROM_WORDS else family.block_cost


def _shape(memory: Memory, family: Family) -> tuple[tuple[int, int], int]:
    """Shape of the block RAMs of a memory that lies in such, and how many are side by side."""
    words, width = memory.words, memory.width
    price = _price(memory, family)

    def cost(shape: tuple[int, int]) -> tuple[int, int]:
        deep, columns = -(-words // shape[0]), -(-width // shape[1])
        # Of equal ones, the one that pads words least.
        return columns * deep * price + width * (deep - 1), columns * shape[1]

    shapes = family.shapes
    if memory.reads > 1:
        shapes = tuple(shape for shape in shapes if shape not in family.wide_shapes)
    shape = min(shapes, key=cost)
    return shape, -(-width // shape[1])


_TABLE = 0.8
"""LUTs of a table, as a share of one for 16 bits: words repeat, and some bits hardly change."""


def price_of(encoded: Encoded, lengths: IntArray, rows: int, queue_depth: int, family: str) -> float:
    """What an encoding takes in a family of devices, in LUTs: memories, queues and walks of a layer.

    Parameters
    ----------
    encoded : Encoded
    lengths : (axons, lanes) integers
    rows : int
        Neurons of a lane.
    queue_depth : int
    family : str
        One of `TARGETS`.
    """
    stored = encoded.stored
    lanes = len(stored.lanes)
    queues = place_all([Memory("", queue_depth, stored.run, writable=True, count=lanes)], FAMILIES[family])
    length_bits = unsigned_bits(int(lengths.max(initial=0)))
    luts, _ = encoding_named(encoded.encoding).walk_cost(rows, length_bits, encoded.index_bits)
    in_memories = price(place_stored(stored, family), FAMILIES[family]) + price(queues, FAMILIES[family])
    return in_memories + FAMILIES[family].lut_factor * lanes * luts
