"""What a core takes of an FPGA, without synthesizing it.

Block RAMs follow from the geometry of every memory and from how yosys chooses among the shapes of a block RAM,
distributed RAM and tables of LUTs. LUTs and flip-flops are counted from the widths of the registers, adders and
multiplexers that `spikewright_hw` describes; what optimization leaves of them is one factor per family of devices,
calibrated against reports of synthesis (`tests/sw/predict/synthesized.json`).
"""

from __future__ import annotations

from spikewright.contract.integers import unsigned_bits
from spikewright.contract.layout import CoreSpec
from spikewright.layout.price import DEVICES, FAMILIES, Memory, Resources, place_all
from spikewright.predict.logic import _logic, _run_bits, _widths, delay_memories
from spikewright.predict.resources_shared import engine, engine_memories


def estimate(core: CoreSpec, board: str) -> Resources:
    """Resources of `core` with its board top, as the report of `spikewright synth` counts them.

    Parameters
    ----------
    core : CoreSpec
    board : str
        A name of `DEVICES`.
    """
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


def memories(core: CoreSpec) -> list[Memory]:
    """All memories of `core`, by layer; those that only a trace reads vanish in synthesis and are left out."""
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


def _top_memories(core: CoreSpec, board: str) -> list[Memory]:
    """The queue of the serial line: input beats, in whole bytes, and their end."""
    network = core.network
    beat = 8 * ((unsigned_bits(network.inputs - 1) + network.value_bits) // 8 + 1) + 1
    words = 1024 if DEVICES[board].family == "ecp5" else 256
    return [Memory("bridge", words, beat, True)]


def _layer(core: CoreSpec, index: int) -> tuple[float, float]:
    """LUTs and flip-flops that a layer describes, memories left out."""
    return _logic(core, core.layers[index], _widths(core, index))


def _guard(core: CoreSpec) -> tuple[float, float]:
    """LUTs and flip-flops of the gate at the input."""
    network = core.network
    axon = unsigned_bits(network.inputs - 1)
    event = axon + network.value_bits + 3
    return 4 * event + 4 * axon + 2 * unsigned_bits(network.timesteps) + 30, 4 * event + axon + 20
