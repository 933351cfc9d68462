"""What the layers of a slotted core take of an FPGA, see `resources`."""

from __future__ import annotations

from spikewright.contract.cores import SlottedCore
from spikewright.contract.integers import signed_bits, unsigned_bits
from spikewright.contract.slots import SlotImage
from spikewright.layout.price import Memory
from spikewright.predict.logic import widths_of

_STEPS = 4
_HELD = 3


def slotted_memories(core: SlottedCore) -> list[Memory]:
    """All memories of `core`, by layer; those that only a trace reads vanish in synthesis and are left out."""
    found: list[Memory] = []
    for index, slots in enumerate(core.slots):
        image, spec, name = slots.image, slots.image.spec, f"layer{index}"
        state, constants, score = widths_of(core, index)
        pointer = slots.address_bits + (slots.most - 1).bit_length() + 1
        found += _read_only(f"{name}_axons", core.axon_words(index), pointer, slots.reads, 1)
        found += _read_only(f"{name}_slots", slots.words, slots.width, slots.reads, image.lanes)
        found.append(Memory(f"{name}_neurons", image.rows, constants, False, image.lanes))
        found.append(Memory(f"{name}_membranes", image.rows, state, True, image.lanes))
        if spec.readout:
            found.append(Memory(f"{name}_scores", image.rows, score, True, image.lanes))
        if index:
            before = core.layers[index - 1]
            found.append(Memory(f"{name}_queue", _STEPS * before.rows, _row_bits(before.rows, before.lanes), True))
        if spec.delays is not None:
            kept = slots.kept_bits
            found.append(Memory(f"{name}_delays", image.rows, kept, False, image.lanes))
            found.append(Memory(f"{name}_ring", 1 << kept, image.rows, True, image.lanes))
            found.append(Memory(f"{name}_delayed", _HELD * image.rows, _row_bits(image.rows, image.lanes), True))
    return found


def _read_only(name: str, words: int, width: int, reads: int, count: int) -> list[Memory]:
    return [Memory(name, max(words, 2), width, False, count, reads)]


def _row_bits(rows: int, lanes: int) -> int:
    return lanes + unsigned_bits(rows - 1) + 5


def slotted_layers(core: SlottedCore) -> list[tuple[float, float]]:
    """LUTs and flip-flops that each layer describes, memories left out."""
    return [_layer(core, index, slots) for index, slots in enumerate(core.slots)]


def _layer(core: SlottedCore, index: int, slots: SlotImage) -> tuple[float, float]:
    image, spec = slots.image, slots.image.spec
    state, constants, score = widths_of(core, index)
    total = signed_bits(*slots.sum_range)
    multiplies = slots.multiplies
    term = slots.term_bits + (spec.value_bits if multiplies else 0)
    reads = slots.reads
    way = 2 * term + spec.weight_bits + slots.product_cycles * slots.member_bits
    ffs = slots.slots * reads * (slots.slot_bits + (way if multiplies else 0))
    luts: float = 0
    gated = term * reads if slots.group > 1 else 0
    luts += image.rows * (2 * total + gated + (term + 1 if reads > 1 else 0))
    ffs += image.rows * (2 * total + (term + 1 if reads > 1 else 0))
    luts += state * (3 + spec.decay.additions + (0 if spec.readout else spec.neuron.luts_per_bit)) + score * 2 + 20
    ffs += 5 * state + 4 * constants + score + 30
    return image.lanes * luts + 200, image.lanes * ffs + 200
