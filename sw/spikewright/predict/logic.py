"""LUTs and flip-flops that the parts of a core describe, and the widths that decide them; see `resources`."""

from __future__ import annotations

from spikewright.contract.core import CoreSpec
from spikewright.contract.decay import Decay
from spikewright.contract.delays import DelayPlan
from spikewright.contract.encoding import encoding_named
from spikewright.contract.image import LayerImage
from spikewright.contract.integers import unsigned_bits
from spikewright.contract.layer import LayerSpec
from spikewright.layout.price import Memory


def widths_of(core: CoreSpec, index: int) -> tuple[int, int, int]:
    """Bits of a membrane (or a synaptic current, if wider), of the constants of a neuron, and of a score.

    The last are 0 where there is none.
    """
    image = core.layers[index]
    state = max(core.state_bits(index), core.membrane_bits(index))
    return state, image.word_bits, core.score_bits if image.spec.readout else 0


def run_bits(image: LayerImage) -> int:
    """Width of an entry of a lane's queue."""
    return image.start_bits + image.extent_bits + lane_value_bits(image) + 1


def lane_value_bits(image: LayerImage) -> int:
    """Width of the value of an event, in a lane: none where it is always 1."""
    return image.spec.event_bits if image.spec.event_bits > 1 else 0


def ring_entry_bits(plan: DelayPlan) -> int:
    """Width of an entry of a program of delays."""
    return unsigned_bits(plan.ring_words - 1) + unsigned_bits(plan.slots - 1) + plan.row_bits + plan.lanes


def delay_memories(name: str, image: LayerImage, onward_steps: int) -> list[Memory]:
    """The memories of the delays of a layer, if it has any; of so many steps that wait on their way onward."""
    found = []
    for kind, plan in image.plans.items():
        entries = len(plan.program)
        # Marks on the way onward have flags.
        width, rows = (1, entries + 1) if not kind else (3, onward_steps * (entries + 1))
        found += [
            Memory(f"{name}_{kind}delays", entries, ring_entry_bits(plan), False),
            Memory(f"{name}_{kind}ring", plan.ring_words, plan.ring_width, True),
            Memory(
                f"{name}_{kind}delayed",
                rows,
                plan.row_bits + plan.lanes + width + count_row_bits(plan.lanes, plan.value_bits),
                True,
            ),
        ]
    return found


def leak_multipliers(core: CoreSpec) -> int:
    """Blocks of 18 by 18 bits that multiply by leaks of single neurons, one or more in every lane that does."""
    blocks: dict[int, int] = {}
    for index, (pipeline, image) in enumerate(zip(core.pipelines, core.layers, strict=True)):
        needed = 0
        for name, width in (("leak", core.membrane_bits(index)), ("current_leak", core.state_bits(index))):
            if name in image.constants:
                needed += image.lanes * -(-max(width, image.constants[name].bits + 1) // 18)
        blocks[pipeline] = max(needed, blocks.get(pipeline, 0))
    return sum(blocks.values())


def update_luts_per_bit(spec: LayerSpec) -> int:
    """LUTs for each bit of a membrane that fires, of what is left of it after a step."""
    return spec.neuron.luts_per_bit + (0 if spec.floor is None else 2)  # compare with the floor, choose


def lanes_logic(core: CoreSpec, image: LayerImage, widths: tuple[int, int, int]) -> tuple[float, float]:
    """LUTs and flip-flops of the lanes of a layer, with `widths` as by `widths_of`."""
    spec = image.spec
    state, constants, score = widths
    row, start, length, value = image.row_bits, image.start_bits, image.length_bits, lane_value_bits(image)
    product = spec.weight_bits + value
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
    lane_luts += (2 + spec.decay.additions) * state + 4  # reset, leak, bias
    if spec.readout:
        lane_ffs += constants
        lane_luts += 2 * score + row + (0 if spec.floor is None else 2 * state)
    else:
        lane_ffs += constants // 2 + state
        lane_luts += state * update_luts_per_bit(spec)
        if spec.count_bits > 1:
            # Which bits of the membrane are the number, by the bits of the threshold.
            lane_luts += image.threshold_bits * spec.count_bits / 2
            lane_ffs += spec.count_bits
    walk_luts, walk_ffs = encoding_named(image.encoding).walk_cost(image.rows, length, image.index_bits)
    lane_luts += walk_luts
    lane_ffs += walk_ffs
    # The row of an event, for every lane.
    lane_ffs += image.offset_bits + image.extent_bits + run_bits(image) + 2
    lane_luts += image.extent_bits / 3 + 2 + (start if image.offset_bits else 0)
    luts = image.lanes * lane_luts
    ffs = image.lanes * lane_ffs + start
    event = unsigned_bits(spec.axons - 1) + spec.event_bits + 3
    ffs += 4 + 3 * event
    luts += 10
    # The join.
    ffs += 10 + 2 * row
    luts += 20 + 2 * row + image.lanes / 2
    if spec.readout:
        ffs += 3 * unsigned_bits(spec.neurons - 1) + 2 * score + 9
        luts += score * (2 + image.lanes / 2) + 30
        return luts, ffs
    if image.onward is None:
        numbers = count_row_bits(image.lanes, spec.count_bits)
        serializer_luts, serializer_ffs = serializer_logic(image, 2 * image.rows + 2, numbers)
        luts, ffs = luts + serializer_luts, ffs + serializer_ffs
    for plan in image.plans.values():
        delay_luts, delay_ffs = delay_logic(plan, event)
        luts, ffs = luts + delay_luts, ffs + delay_ffs
    return luts, ffs


def count_row_bits(lanes: int, count_bits: int) -> int:
    """Bits of a row of spikes that tell how many each is; 0 where it is one at most."""
    return lanes * count_bits if count_bits > 1 else 0


def current_logic(decay: Decay, current_bits: int, bias_bits: int) -> tuple[float, float]:
    """LUTs and flip-flops that a synaptic current adds to a lane, memories left out."""
    # The sum with the membrane, the leak, the choice of what begins a sample; the current, the membrane and its bias.
    return (3 + decay.additions) * current_bits, 4 * current_bits + bias_bits


def delay_logic(plan: DelayPlan, event: int) -> tuple[float, float]:
    """LUTs and flip-flops of delays in a layer with events of so many bits, memories left out."""
    luts, ffs = serializer_logic(plan, len(plan.program) + 1, count_row_bits(plan.lanes, plan.value_bits))
    ring = unsigned_bits(plan.ring_words - 1)
    luts += 5 * ring + plan.lanes + plan.ring_width + 3 * unsigned_bits(len(plan.program)) + 60 + 2 * event
    ffs += 3 * ring + ring_entry_bits(plan) + 2 * plan.lanes + plan.ring_width + 4 * plan.row_bits + 40
    return luts, ffs


def serializer_logic(image: LayerImage | DelayPlan, depth: int, numbers: int) -> tuple[float, float]:
    """LUTs and flip-flops of a serializer of rows of spikes, memory left out.

    So many bits of a row are `numbers` of spikes: they are registered behind the memory, and chosen from.
    """
    width = min(image.lanes, 8)
    event = unsigned_bits(image.rows * image.lanes - 1) + 4
    pointer = unsigned_bits(depth)
    luts: float = 6 * pointer + 4 * width + 3 * event + 10
    ffs: float = 3 * pointer + width + image.row_bits + 6 + 2 * event
    luts, ffs = luts + 2 * numbers, ffs + 4 * numbers
    if image.lanes > width:
        groups = image.lanes // width
        luts += image.lanes + 4 * groups + image.lanes / 2
        ffs += image.lanes + groups + image.row_bits + 5
    return luts, ffs
