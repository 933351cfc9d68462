"""What a core takes of an FPGA, without synthesizing it.

Block RAMs follow from the geometry of every memory and from how yosys chooses among the shapes of a block RAM,
distributed RAM and tables of LUTs. LUTs and flip-flops are counted from the widths of the registers, adders and
multiplexers that `spikewright_hw` describes; what optimization leaves of them is one factor per family of devices,
calibrated against reports of synthesis (`tests/sw/synthesized.json`).
"""

from __future__ import annotations

from .arrays import IntArray, unsigned_bits
from .fpga import DEVICES, FAMILIES, Memory, Resources, place_all, place_stored, price
from .image import CoreSpec, Encoding, LayerImage
from .storage import Encoded


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
    stored = place_all([*memories(core), *_top_memories(core, board)], family)
    described_luts, described_ffs = _guard(core)
    indices = range(len(core.layers))
    for of_layer in [_layer(core, index) for index in indices] if core.engine is None else [engine(core)]:
        described_luts += of_layer[0]
        described_ffs += of_layer[1]
    luts = stored.luts + family.top_luts + family.lut_factor * described_luts
    ffs = stored.ffs + family.top_ffs + family.ff_factor * described_ffs
    # A weight is multiplied only where events carry more than one bit.
    images = core.layers if core.engine is None else (core.engine,)
    dsps = sum(image.lanes for image in images if image.spec.value_bits > 1)
    return Resources(luts=round(luts), ffs=round(ffs), brams=stored.brams, dsps=dsps)


def _widths(core: CoreSpec, index: int) -> tuple[int, int, int]:
    """Bits of a membrane, of the threshold and bias of a neuron, and of a score (0 where there is none)."""
    image = core.layers[index]
    return core.state_bits(index), image.bias_bits + image.threshold_bits, core.score_bits if image.spec.readout else 0


def _run_bits(image: LayerImage) -> int:
    """Width of an entry of a lane's queue."""
    return image.start_bits + image.extent_bits + _lane_value_bits(image) + 1


def _lane_value_bits(image: LayerImage) -> int:
    """Of an event, in a lane: none where it is always 1."""
    return image.spec.value_bits if image.spec.value_bits > 1 else 0


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


def _layer(core: CoreSpec, index: int) -> tuple[float, float]:
    """LUTs and flip-flops that a layer describes, memories left out."""
    return _logic(core, core.layers[index], _widths(core, index))


def _logic(core: CoreSpec, image: LayerImage, widths: tuple[int, int, int]) -> tuple[float, float]:
    """Of a layer with `widths` as by `_widths`."""
    spec = image.spec
    state, constants, score = widths
    row, start, length, value = image.row_bits, image.start_bits, image.length_bits, _lane_value_bits(image)
    product = spec.weight_bits + value
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
    walk_luts, walk_ffs = _walk(image.encoding, image.rows, length, image.index_bits)
    lane_luts += walk_luts
    lane_ffs += walk_ffs
    # The row of an event, for every lane.
    lane_ffs += image.offset_bits + image.extent_bits + _run_bits(image) + 2
    lane_luts += image.extent_bits / 3 + 2 + (start if image.offset_bits else 0)
    luts = image.lanes * lane_luts
    ffs = image.lanes * lane_ffs + start
    event = unsigned_bits(spec.axons - 1) + spec.value_bits + 3
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


def _walk(encoding: Encoding, rows: int, length_bits: int, index_bits: int) -> tuple[int, int]:
    """LUTs and flip-flops of the walk of a lane beyond those of rows that are stored as such."""
    row = unsigned_bits(rows - 1)
    if encoding == "bitmap":
        # Choose, decrement, clear, find; the bits themselves twice, what is found, no row of the synapse.
        return 4 * rows - 2 * length_bits, 2 * rows + 2 + row - length_bits
    if encoding == "relative":
        return 2 * row, index_bits + 2
    return 0, 0


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
        A key of `FAMILIES`.
    """
    stored = encoded.stored
    lanes = len(stored.lanes)
    queues = place_all([Memory("", queue_depth, stored.run, writable=True, count=lanes)], FAMILIES[family])
    index_bits = int(encoded.indices.max(initial=0)).bit_length()
    luts, _ = _walk(encoded.encoding, rows, unsigned_bits(int(lengths.max(initial=0))), index_bits)
    in_memories = price(place_stored(stored, family), FAMILIES[family]) + price(queues, FAMILIES[family])
    return in_memories + FAMILIES[family].lut_factor * lanes * luts


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
