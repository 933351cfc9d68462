"""What layers with lanes of their own take of an FPGA, see `resources`."""

from __future__ import annotations

from spikewright.contract.core import CoreSpec
from spikewright.layout.price import Memory
from spikewright.predict.logic import count_row_bits, current_logic, delay_memories, lanes_logic, run_bits, widths_of


def layer_memories(core: CoreSpec) -> list[Memory]:
    """All memories of `core`, by layer; those that only a trace reads vanish in synthesis and are left out."""
    found: list[Memory] = []
    for index, image in enumerate(core.layers):
        name = f"layer{index}"
        spec = image.spec
        _, constants, score = widths_of(core, index)
        row = image.row_bits + image.lanes + 3 + count_row_bits(image.lanes, spec.count_bits)
        found.append(Memory(f"{name}_rows", spec.axons, image.pointer_bits, writable=False))
        width = image.synapse_bits
        found += [Memory(f"{name}_synapses{k}", len(data), width, False) for k, data in enumerate(image.data)]
        found.append(Memory(f"{name}_neurons", image.rows, constants, False, image.lanes))
        found += [Memory(*memory, True, image.lanes) for memory in core.states(index)]
        found.append(Memory(f"{name}_queues", core.queue_depth, run_bits(image), True, image.lanes))
        if spec.readout:
            found.append(Memory(f"{name}_scores", image.rows, score, True, image.lanes))
        else:
            found.append(Memory(f"{name}_spikes", image.rows, spec.count_bits, True, image.lanes))
            if image.onward is None:
                found.append(Memory(f"{name}_serializer", 2 * image.rows + 2, row, True))
        found += delay_memories(name, image, 2)
    return found


def layers(core: CoreSpec) -> list[tuple[float, float]]:
    """LUTs and flip-flops that each layer describes, memories left out."""
    found = []
    for index, image in enumerate(core.layers):
        luts, ffs = lanes_logic(core, image, widths_of(core, index))
        if image.spec.current_decay is not None:
            more_luts, more_ffs = current_logic(image.spec.current_decay, core.state_bits(index), image.bias_bits)
            luts, ffs = luts + image.lanes * more_luts, ffs + image.lanes * more_ffs
        found.append((luts, ffs))
    return found
