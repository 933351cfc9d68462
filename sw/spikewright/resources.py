"""What a core takes of an FPGA, without synthesizing it.

Block RAMs follow from the geometry of every memory and from how yosys chooses among the shapes of a block RAM,
distributed RAM and tables of LUTs. LUTs and flip-flops are counted from the widths of the registers, adders and
multiplexers that `spikewright_hw` describes; what optimization leaves of them is one factor per family of devices,
calibrated against reports of synthesis (`tests/sw/synthesized.json`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from .arrays import unsigned_bits
from .image import CoreSpec, LayerImage
from .storage import Stored


@dataclass(frozen=True)
class Family:
    """Memories and logic of a family of devices.

    Parameters
    ----------
    shapes : tuple of (words, width)
        Of a block RAM.
    block_cost : int
        Price of a block RAM, in LUTs, at which yosys prefers other memory.
    rom_cost : int
        The same for read-only memories of more than 128 words.
    distributed : bool
        LUTs can be RAM: 16 words of 4 bits take six, two of them to write.
    lut_factor, ff_factor : float
        What optimization and carry chains make of the LUTs and flip-flops that are described. A LUT of iCE40 is a
        logic cell, which many flip-flops have for themselves.
    top_luts, top_ffs : int
        Of the serial line and the lights around a core.
    """

    shapes: tuple[tuple[int, int], ...]
    block_cost: int
    rom_cost: int
    distributed: bool
    lut_factor: float
    ff_factor: float
    top_luts: int
    top_ffs: int


FAMILIES = {
    "ecp5": Family(
        shapes=((512, 36), (1024, 18), (2048, 9), (4096, 4), (8192, 2), (16384, 1)),
        block_cost=128,
        rom_cost=4,
        distributed=True,
        lut_factor=1.42,
        ff_factor=0.9,
        top_luts=315,
        top_ffs=219,
    ),
    "ice40": Family(
        shapes=((256, 16), (512, 8), (1024, 4), (2048, 2)),
        block_cost=64,
        rom_cost=64,
        distributed=False,
        lut_factor=1.68,
        ff_factor=0.9,
        top_luts=380,
        top_ffs=212,
    ),
}


@dataclass(frozen=True)
class Device:
    """The FPGA of a board, and the clock its core runs at by default."""

    family: str
    luts: int
    ffs: int
    brams: int
    dsps: int
    clock_mhz: float


DEVICES = {
    "ulx3s-85f": Device("ecp5", luts=83640, ffs=83640, brams=208, dsps=156, clock_mhz=80),
    "icebreaker": Device("ice40", luts=5280, ffs=5280, brams=30, dsps=8, clock_mhz=12),
}


@dataclass(frozen=True)
class Memory:
    """`count` equal memories of a core."""

    name: str
    words: int
    width: int
    writable: bool
    count: int = 1


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


def estimate(core: CoreSpec, board: str) -> Resources:
    """Resources of `core` with its board top, as the report of `spikewright synth` counts them.

    Parameters
    ----------
    core : CoreSpec
    board : str
        A name of `DEVICES`.
    """
    from .resources_shared import engine  # made of what is defined here

    family = FAMILIES[DEVICES[board].family]
    luts = ffs = 0.0
    brams = 0
    for memory in [*memories(core), *_top_memories(core, board)]:
        of_memory = place(memory, family)
        luts += memory.count * of_memory.luts
        ffs += memory.count * of_memory.ffs
        brams += memory.count * of_memory.brams
    described_luts, described_ffs = _guard(core)
    indices = range(len(core.layers))
    for of_layer in [_layer(core, index) for index in indices] if core.engine is None else [engine(core)]:
        described_luts += of_layer[0]
        described_ffs += of_layer[1]
    luts += family.top_luts + family.lut_factor * described_luts
    ffs += family.top_ffs + family.ff_factor * described_ffs
    # A weight is multiplied only where events carry more than one bit.
    images = core.layers if core.engine is None else (core.engine,)
    dsps = sum(image.lanes for image in images if image.spec.value_bits > 1)
    return Resources(luts=round(luts), ffs=round(ffs), brams=brams, dsps=dsps)


def _widths(core: CoreSpec, index: int) -> tuple[int, int, int]:
    """Bits of a membrane, of the threshold and bias of a neuron, and of a score (0 where there is none)."""
    image = core.layers[index]
    return core.state_bits(index), image.bias_bits + image.threshold_bits, core.score_bits if image.spec.readout else 0


def _run_bits(image: LayerImage) -> int:
    """Width of an entry of a lane's queue."""
    return image.start_bits + image.extent_bits + image.spec.value_bits + 1


def _ring_entry_bits(image: LayerImage) -> int:
    """Width of an entry of the program of delays."""
    return unsigned_bits(image.ring_words - 1) + unsigned_bits(image.slots - 1) + image.row_bits + image.lanes


def memories(core: CoreSpec) -> list[Memory]:
    """All memories of `core`, by layer; those that only a trace reads vanish in synthesis and are left out."""
    from .resources_shared import engine_memories

    if core.engine is not None:
        return engine_memories(core)
    found: list[Memory] = []
    for index, image in enumerate(core.layers):
        name = f"layer{index}"
        spec = image.spec
        state, constants, score = _widths(core, index)
        row = image.row_bits + image.lanes + 3
        found.append(Memory(f"{name}_rows", spec.axons, image.pointer_bits, writable=False))
        width = image.synapse_bits
        found += [Memory(f"{name}_synapses{k}", len(data), width, False) for k, data in enumerate(image.data)]
        found.append(Memory(f"{name}_neurons", image.rows, constants, False, image.lanes))
        found.append(Memory(f"{name}_membranes", image.rows, state, True, image.lanes))
        found.append(Memory(f"{name}_queues", core.queue_depth, _run_bits(image), True, image.lanes))
        if spec.readout:
            found.append(Memory(f"{name}_scores", image.rows, score, True, image.lanes))
        else:
            found.append(Memory(f"{name}_spikes", image.rows, 1, True, image.lanes))
            found.append(Memory(f"{name}_serializer", 2 * image.rows + 2, row, True))
        found += delay_memories(name, image)
    return found


def delay_memories(name: str, image: LayerImage) -> list[Memory]:
    """Of the delays of a layer, if it has any."""
    if not image.spec.recurrent:
        return []
    entries = len(image.program)
    return [
        Memory(f"{name}_delays", entries, _ring_entry_bits(image), False),
        Memory(f"{name}_ring", image.ring_words, image.lanes, True),
        Memory(f"{name}_delayed", entries + 1, image.row_bits + image.lanes + 1, True),
    ]


def _top_memories(core: CoreSpec, board: str) -> list[Memory]:
    """The queue of the serial line: input beats, in whole bytes, and their end."""
    network = core.network
    beat = 8 * ((unsigned_bits(network.inputs - 1) + network.value_bits) // 8 + 1) + 1
    words = 1024 if DEVICES[board].family == "ecp5" else 256
    return [Memory("bridge", words, beat, True)]


def place(memory: Memory, family: Family) -> Resources:
    """Where one of `memory.count` memories goes: block RAM, LUTs or registers."""
    words, width = memory.words, memory.width
    bits = words * width
    if memory.writable and (words <= 4 or bits <= 128):
        # A register per bit, and a multiplexer in front of the output.
        return Resources(luts=math.ceil(width * words / 2), ffs=bits + width, brams=0, dsps=0)
    if not memory.writable and bits == 0:
        return Resources(0, 0, 0, 0)
    shape, columns = _shape(memory, family)
    deep = -(-words // shape[0])
    in_blocks = Resources(luts=width * (deep - 1), ffs=0, brams=columns * deep, dsps=0)
    cost = in_blocks.brams * _price(memory, family) + in_blocks.luts
    if not memory.writable:
        # A table of LUTs: yosys prices 16 bits at one; registers take what is read.
        tables = Resources(luts=math.ceil(bits / 16 * _TABLE), ffs=width, brams=0, dsps=0)
        return tables if bits / 16 < cost else in_blocks
    if family.distributed:
        rows, columns = -(-words // 16), -(-width // 4)
        selected = width * (rows - 1)
        if 4 * rows * columns + selected < cost:
            return Resources(luts=6 * rows * columns + selected // 2, ffs=width, brams=0, dsps=0)
    return in_blocks


def blocks(stored: Stored, family: str) -> int:
    """Block RAMs of the synapses of a layer."""
    memories = [Memory("", words, width, writable=False) for words, width in (stored.rows, *stored.lanes)]
    return sum(place(memory, FAMILIES[family]).brams for memory in memories)


def blocks_with_queues(stored: Stored, family: str, depth: int) -> int:
    """The same, and of the queues of `depth` runs in which a lane keeps what tells it the synapses."""
    queue = Memory("", depth, stored.run, writable=True)
    return blocks(stored, family) + len(stored.lanes) * place(queue, FAMILIES[family]).brams


def padded_bits(stored: Stored, family: str) -> int:
    """Bits of the synapses of a layer, every word in a block RAM padded to the width of the block RAMs it lies in."""
    bits = 0
    for words, width in (stored.rows, *stored.lanes):
        memory = Memory("", words, width, writable=False)
        if place(memory, FAMILIES[family]).brams:
            shape, columns = _shape(memory, FAMILIES[family])
            width = shape[1] * columns
        bits += words * width
    return bits


def _price(memory: Memory, family: Family) -> int:
    return family.rom_cost if not memory.writable and memory.words > 128 else family.block_cost


def _shape(memory: Memory, family: Family) -> tuple[tuple[int, int], int]:
    """Shape of the block RAMs of a memory that lies in such, and how many are side by side."""
    words, width = memory.words, memory.width
    price = _price(memory, family)

    def cost(shape: tuple[int, int]) -> tuple[int, int]:
        deep, columns = -(-words // shape[0]), -(-width // shape[1])
        # Of equal ones, the one that pads words least.
        return columns * deep * price + width * (deep - 1), columns * shape[1]

    shape = min(family.shapes, key=cost)
    return shape, -(-width // shape[1])


_TABLE = 0.8
"""LUTs of a table, as a share of one for 16 bits: words repeat, and some bits hardly change."""


def _layer(core: CoreSpec, index: int) -> tuple[float, float]:
    """LUTs and flip-flops that a layer describes, memories left out."""
    return _logic(core, core.layers[index], _widths(core, index))


def _logic(core: CoreSpec, image: LayerImage, widths: tuple[int, int, int]) -> tuple[float, float]:
    """Of a layer with `widths` as by `_widths`."""
    spec = image.spec
    state, constants, score = widths
    row, start, length, value = image.row_bits, image.start_bits, image.length_bits, spec.value_bits
    product = spec.weight_bits + (value if value > 1 else 0)
    adders = max(0, (spec.decay.multiplier ^ 3 * spec.decay.multiplier).bit_count() - 1)
    queue = 3 * unsigned_bits(core.queue_depth - 1) + 2

    # A lane: queue, issue, fetch, multiply, add; update of a neuron.
    lane_luts: float
    lane_ffs: float
    luts: float
    ffs: float
    lane_ffs = queue + start + length + value + row + 16
    lane_ffs += 2 + 2 * value + row + spec.weight_bits + 2 + 2 * row
    lane_ffs += 2 + row + product + state
    lane_luts = 2 * queue + 2 * start + 2 * length + value + 2 * row + 20
    lane_luts += row + row  # addresses of the membranes
    lane_luts += row / 2 + 4 * state  # same row; hand over, add, choose what is written
    lane_ffs += 10 + 4 * row + 2 * state + constants
    lane_luts += (2 + adders) * state + 4  # reset, leak, bias
    if spec.readout:
        lane_ffs += constants
        lane_luts += 2 * score + row
    else:
        lane_ffs += constants // 2 + state
        lane_luts += state * (2 if spec.reset == "soft" else 1)
    if image.encoding == "bitmap":
        # Choose, decrement, clear, find; the bits themselves twice, what is found, no row of the synapse.
        lane_luts += 4 * image.rows - 2 * length
        lane_ffs += 2 * image.rows + 2 + row - length
    elif image.encoding == "relative":
        lane_luts += 2 * row
        lane_ffs += image.index_bits + 2
    # The row of an event, for every lane.
    lane_ffs += image.offset_bits + image.extent_bits + _run_bits(image) + 2
    lane_luts += image.extent_bits / 3 + 2 + (start if image.offset_bits else 0)
    luts = image.lanes * lane_luts
    ffs = image.lanes * lane_ffs + start
    event = unsigned_bits(spec.axons - 1) + value + 3
    ffs += 4 + 3 * event
    luts += 10
    # The join.
    ffs += 10 + 2 * row
    luts += 20 + 2 * row + image.lanes / 2
    if spec.readout:
        ffs += 3 * unsigned_bits(spec.neurons - 1) + 2 * score + 9
        luts += score * (2 + image.lanes / 2) + 30
        return luts, ffs
    serializer_luts, serializer_ffs = _serializer(image, 2 * image.rows + 2)
    luts, ffs = luts + serializer_luts, ffs + serializer_ffs
    if spec.recurrent:
        delay_luts, delay_ffs = _delay(image, event)
        luts, ffs = luts + delay_luts, ffs + delay_ffs
    return luts, ffs


def _delay(image: LayerImage, event: int) -> tuple[float, float]:
    """LUTs and flip-flops of the delays of a layer with events of so many bits, memories left out."""
    luts, ffs = _serializer(image, len(image.program) + 1)
    ring = unsigned_bits(image.ring_words - 1)
    luts += 5 * ring + 2 * image.lanes + 3 * unsigned_bits(len(image.program)) + 60 + 2 * event
    ffs += 3 * ring + _ring_entry_bits(image) + 3 * image.lanes + 4 * image.row_bits + 40
    return luts, ffs


def _serializer(image: LayerImage, depth: int) -> tuple[float, float]:
    """LUTs and flip-flops of a serializer of rows of spikes, memory left out."""
    width = min(image.lanes, 8)
    event = unsigned_bits(image.rows * image.lanes - 1) + 4
    pointer = unsigned_bits(depth)
    luts: float = 6 * pointer + 4 * width + 3 * event + 10
    ffs: float = 3 * pointer + width + image.row_bits + 6 + 2 * event
    if image.lanes > width:
        groups = image.lanes // width
        luts += image.lanes + 4 * groups + image.lanes / 2
        ffs += image.lanes + groups + image.row_bits + 5
    return luts, ffs


def _guard(core: CoreSpec) -> tuple[float, float]:
    """LUTs and flip-flops of the gate at the input."""
    network = core.network
    axon = unsigned_bits(network.inputs - 1)
    event = axon + network.value_bits + 3
    return 4 * event + 4 * axon + 2 * unsigned_bits(network.timesteps) + 30, 4 * event + axon + 20
