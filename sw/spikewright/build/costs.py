"""What a manifest tells of the costs of a core: bits of its memories, other encodings, cycles."""

from __future__ import annotations

import re

from spikewright.contract.core import CoreSpec
from spikewright.contract.devices import TARGETS
from spikewright.layout.placement import encodings
from spikewright.layout.price import place_stored


def memory_bits(core: CoreSpec, images: dict[str, dict[str, int]]) -> dict[str, int]:
    """Bits by memory, those of all lanes together: the images, then what is written at run time."""
    bits: dict[str, int] = {}
    for name, image in images.items():
        memory = re.sub(r"\d*(_bits\d+)?$", "", name)
        bits[memory] = bits.get(memory, 0) + image["words"] * image["width"]
    for index, layer in enumerate(core.layers):
        for name, words, width in core.states(index):
            bits[name] = words * width * layer.lanes
        for kind, plan in layer.plans.items():
            bits[f"layer{index}_{kind}ring"] = core.ring_bits(plan)
    return bits


def encoding_sizes(core: CoreSpec) -> dict[str, dict[str, dict[str, int]]]:
    """By layer and encoding of its synapses: bits, pointers included, and block RAMs of every family of devices.

    Where the layers share lanes, all their synapses are those of `engine`.
    """
    return {
        where: {
            name: {"bits": stored.bits} | {f"{family}_brams": place_stored(stored, family).brams for family in TARGETS}
            for name, stored in encodings(image).items()
        }
        for where, image in core.memories.items()
    }


def silent_cycles(core: CoreSpec) -> int:
    """Clock cycles of a sample of the full length without any event: the least an inference takes."""
    import torch

    from spikewright.integer.reference import IntegerNetwork
    from spikewright.predict.cycles import CycleModel

    network = core.network
    values = torch.zeros((1, network.timesteps, network.inputs), dtype=torch.uint8)
    trace = IntegerNetwork(network).run(values)
    spikes = [layer[0].numpy() for layer in trace.spikes]
    return CycleModel(core).run(values[0].numpy(), spikes, 0).latency
