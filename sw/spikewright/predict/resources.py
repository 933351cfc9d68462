"""What a core takes of an FPGA, without synthesizing it.

Block RAMs follow from the geometry of every memory and from how yosys chooses among the shapes of a block RAM,
distributed RAM and tables of LUTs. LUTs and flip-flops are counted from the widths of the registers, adders and
multiplexers that `spikewright_hw` describes; what optimization leaves of them is one factor per family of devices,
calibrated against reports of synthesis (`tests/sw/predict/synthesized.json`).
"""

from __future__ import annotations

from spikewright.contract.core import CoreSpec
from spikewright.contract.devices import Board
from spikewright.contract.integers import unsigned_bits
from spikewright.contract.stream import StreamFormat
from spikewright.layout.price import Memory, Resources, place_all
from spikewright.predict.engines import ENGINES
from spikewright.predict.logic import leak_multipliers


def estimate(core: CoreSpec, board: Board) -> Resources:
    """Resources of `core` with its board top, as the report of `spikewright synth` counts them.

    Parameters
    ----------
    core : CoreSpec
    board : Board
    """
    family = board.family
    engine = ENGINES[core.kind]
    stored = place_all([*engine.memories(core), *_top_memories(core, board)], family)
    described_luts, described_ffs = _guard(core)
    for part_luts, part_ffs in engine.logic(core):
        described_luts += part_luts
        described_ffs += part_ffs
    luts = stored.luts + family.top_luts + family.lut_factor * described_luts
    ffs = stored.ffs + family.top_ffs + family.ff_factor * described_ffs
    # A weight is multiplied only where events carry more than one bit.
    dsps = core.multipliers + leak_multipliers(core)
    return Resources(luts=round(luts), ffs=round(ffs), brams=stored.brams, dsps=dsps)


def memories(core: CoreSpec) -> list[Memory]:
    """All memories of `core`; those that only a trace reads vanish in synthesis and are left out."""
    return ENGINES[core.kind].memories(core)


def _top_memories(core: CoreSpec, board: Board) -> list[Memory]:
    """The queue of the serial line: input beats, in whole bytes, and their end."""
    beat = 8 * StreamFormat.of(core).input_bytes + 1
    return [Memory("bridge", board.queue_depth, beat, True)]


def _guard(core: CoreSpec) -> tuple[float, float]:
    """LUTs and flip-flops of the gate at the input."""
    network = core.network
    axon = unsigned_bits(network.inputs - 1)
    event = axon + network.value_bits + 3
    return 4 * event + 4 * axon + 2 * unsigned_bits(network.timesteps) + 30, 4 * event + axon + 20
