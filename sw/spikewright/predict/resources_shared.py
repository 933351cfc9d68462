"""What lanes that all layers share take of an FPGA, see `resources`."""

from __future__ import annotations

from spikewright.contract.cores import SharedCore
from spikewright.contract.integers import signed_bits, unsigned_bits
from spikewright.layout.price import Memory
from spikewright.predict.logic import (
    count_row_bits,
    current_logic,
    delay_logic,
    delay_memories,
    lanes_logic,
    run_bits,
    serializer_logic,
    update_luts_per_bit,
    widths_of,
)


def _engine_widths(core: SharedCore) -> tuple[int, int, int]:
    """Bits of a membrane, of the constants of a neuron, and of a score: enough for all layers."""
    specs = [image.spec for image in core.layers]
    widths = [widths_of(core, index) for index in range(len(specs))]
    biases = [int(bound) for spec in specs for bound in (spec.bias.min(), spec.bias.max())]
    thresholds = [int(spec.threshold.max()) for spec in specs if spec.threshold is not None]
    fields = {"bias": signed_bits(min(biases), max(biases)), "threshold": unsigned_bits(max(thresholds, default=1))}
    for image in core.layers:
        for name, constant in image.constants.items():
            if name not in ("bias", "threshold"):
                fields[name] = max(fields.get(name, 0), constant.bits)
    return max(state for state, _, _ in widths), sum(fields.values()), widths[-1][2]


def engine_memories(core: SharedCore) -> list[Memory]:
    """All memories of a core with an engine; those that only a trace reads are left out."""
    image = core.engine
    _, constants, score = _engine_widths(core)
    lanes, rows = image.lanes, core.engine_rows
    width = image.synapse_bits
    found = [Memory("engine_rows", image.spec.axons, image.pointer_bits, writable=False)]
    found += [Memory(f"engine_synapses{k}", len(data), width, False) for k, data in enumerate(image.data)]
    found += [
        Memory("engine_neurons", rows, constants, False, lanes),
        *(Memory(*memory, True, lanes) for memory in core.states(0)),
        Memory("engine_queues", core.queue_depth, run_bits(image), True, lanes),
        Memory("engine_scores", core.layers[-1].rows, score, True, lanes),
    ]
    if core.layers[1:]:
        widest = max((layer.spec for layer in core.layers), key=lambda spec: spec.count_bits)
        row = image.row_bits + lanes + 3 + count_row_bits(lanes, widest.count_bits)
        found.append(Memory("engine_spikes", image.rows, widest.count_bits, True, lanes))
        found.append(Memory("engine_serializer", image.rows + 1, row, True))
    for index, layer in enumerate(core.layers):
        found += delay_memories(f"layer{index}", layer, 1)
    return found


def engine(core: SharedCore) -> list[tuple[float, float]]:
    """LUTs and flip-flops that an engine describes, memories left out."""
    image = core.engine
    specs = [layer.spec for layer in core.layers]
    state, constants, _ = widths = _engine_widths(core)
    # Lanes, join and decision; the lanes of the engine have no leak of their own.
    luts, ffs = lanes_logic(core, image, widths)
    layer = unsigned_bits(len(specs) - 1)
    decays = {spec.decay for spec in specs}
    adders = sum(decay.additions for decay in decays)
    update = max((update_luts_per_bit(spec) for spec in specs[:-1]), default=1)
    shifts = {spec.weight_shift for spec in specs}
    lane_luts = state * (adders + len(decays) - 1 + len(shifts) - 1 + update) + 2 * image.row_bits + 8
    lane_ffs = constants // 2 + state + 7 * layer
    luts += image.lanes * lane_luts
    ffs += image.lanes * lane_ffs
    current_decays = {spec.current_decay for spec in specs if spec.current_decay is not None}
    if current_decays:
        bias = max(layer.bias_bits for layer in core.layers)
        widest = max(core.state_bits(index) for index in core.with_currents)
        of_decays = [current_logic(decay, widest, bias) for decay in current_decays]
        # One of each leak, all the rest once; what goes where for layers with and without a current.
        luts += image.lanes * (sum(luts for luts, _ in of_decays) + 2 * state)
        ffs += image.lanes * of_decays[0][1]
    if core.layers[1:]:
        numbers = count_row_bits(image.lanes, max(spec.count_bits for spec in specs))
        serializer_luts, serializer_ffs = serializer_logic(image, image.rows + 1, numbers)
        luts, ffs = luts + serializer_luts, ffs + serializer_ffs
    # The source of an event, and its number.
    event = unsigned_bits(image.spec.axons - 1) + image.spec.value_bits + 3
    luts += 3 * event
    for of_layer in core.layers:
        for plan in of_layer.plans.values():
            delay_luts, delay_ffs = delay_logic(plan, event)
            luts, ffs = luts + delay_luts, ffs + delay_ffs
    return [(luts, ffs)]
