"""Packing: what lies in which memory of a core, by the kind of the core; and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from spikewright.contract.core import CoreSpec
from spikewright.contract.cores import CORES, ParallelCore, SharedCore, SlottedCore
from spikewright.contract.decay import Decay
from spikewright.contract.errors import InputError
from spikewright.contract.image import LayerImage
from spikewright.contract.integers import IntArray
from spikewright.contract.layer import LayerSpec
from spikewright.contract.names import Layers, check_lanes
from spikewright.contract.network import NetworkSpec
from spikewright.layout.dealing import balanced_order
from spikewright.layout.dealt import DealtLayer, axons_by_position
from spikewright.layout.lanes import layer_lanes
from spikewright.layout.slots import grouped, slot_image, slot_reads


def pack(
    network: NetworkSpec,
    lanes: int = 8,
    *,
    layers: Layers = "parallel",
    encoding: str | Sequence[str] = "auto",
    of_layers: Sequence[int] | None = None,
    offset_bits: Sequence[int] | None = None,
    target: str = "ecp5",
) -> CoreSpec:
    """Lay `network` out for a core of `lanes` lanes, where every layer has its own, or all share them.

    Parameters
    ----------
    network : NetworkSpec
    lanes : int
    layers : "parallel", "shared" or "slotted"
    encoding : str or sequence of str
        How the positions of synapses are told: one encoding for all memories, one for each layer (a single one
        where they share lanes), or "auto", for each the one that takes the least of the `target`: of block RAM and
        of LUTs, see `price_of`.
    of_layers : sequence of int, optional
        Lanes of the layers, if not by `layer_lanes`.
    offset_bits : sequence of int, optional
        By layer, or the one of the lanes that they share; see `Placement.starts`.
    target : str
        Family of devices, one of `TARGETS`.

    Raises
    ------
    ValueError
        If `lanes` is not supported, or there are more or fewer encodings or offsets than memories.
    InputError
        If an encoding is not known, or a layer cannot have it.
    """
    return Packer(network).pack(
        lanes, layers=layers, encoding=encoding, of_layers=of_layers, offset_bits=offset_bits, target=target
    )


class Packer:
    """Lays a network out in several ways, for which what they have in common is found once.

    Parameters
    ----------
    network : NetworkSpec
    """

    def __init__(self, network: NetworkSpec) -> None:
        self._network = network
        self._orders: dict[tuple[int, int], IntArray] = {}
        self._last: tuple[object, _Way] | None = None

    def pack(
        self,
        lanes: int,
        *,
        layers: Layers = "parallel",
        encoding: str | Sequence[str] = "auto",
        of_layers: Sequence[int] | None = None,
        offset_bits: Sequence[int] | None = None,
        target: str = "ecp5",
    ) -> CoreSpec:
        """See the function `pack`."""
        check_lanes(lanes)
        if (refusal := CORES[layers].refusal(self._network)) is not None:
            raise InputError(refusal)
        # Many lanes with short runs drift apart by more of them.
        queue_depth = 32 if lanes >= 8 else 16
        way = self._way(layers, of_layers or layer_lanes(self._network, lanes))
        count = len(way.memories)
        if not count and encoding not in ("auto", []):
            raise InputError(f"encoding must be auto for layers that are {layers}, not {encoding!r:.60}")
        chosen = [encoding] * count if isinstance(encoding, str) else encoding
        bits: Sequence[int | None] = offset_bits or [None] * count
        for name, number in (("encoding", len(chosen)), ("offset_bits", len(bits))):
            if number != count:
                raise ValueError(f"{name} must have an entry for each of the {count} memories, not {number}")
        images = [
            memory.image(of_memory, most, target, queue_depth)
            for memory, of_memory, most in zip(way.memories, chosen, bits, strict=True)
        ]
        return way.core(images, network=self._network, lanes=lanes, queue_depth=queue_depth)

    def dealt(self, of_layers: Sequence[int]) -> list[DealtLayer]:
        """Every layer on so many lanes, as if it had memories of its own."""
        layers = []
        feed = np.arange(self._network.inputs)
        for index, lanes in enumerate(of_layers):
            order = self._order(index, lanes)
            layers.append(DealtLayer(self._network.layers[index], lanes, order, feed, f"layer {index}"))
            feed = order
        return layers

    def _order(self, index: int, lanes: int) -> IntArray:
        if (index, lanes) not in self._orders:
            self._orders[index, lanes] = balanced_order(self._network.layers[index], lanes)
        return self._orders[index, lanes]

    def _way(self, layers: Layers, of_layers: Sequence[int]) -> _Way:
        """How layers lie in memories; the last way is kept, so that other encodings of it cost little."""
        key = layers, tuple(of_layers)
        if self._last is None or self._last[0] != key:
            self._last = key, _PACKERS[layers](self, self._network, of_layers)
        return self._last[1]


class _Parallel:
    """Every layer has memories of its own."""

    def __init__(self, packer: Packer, network: NetworkSpec, of_layers: Sequence[int]) -> None:
        self.memories = packer.dealt(of_layers)

    def core(self, images: Sequence[LayerImage], **common: Any) -> CoreSpec:
        return ParallelCore(layers=tuple(images), **common)


class _Shared:
    """The synapses of all layers in the memories of the lanes they share, layer after layer."""

    def __init__(self, packer: Packer, network: NetworkSpec, of_layers: Sequence[int]) -> None:
        lanes = max(of_layers)
        layers = packer.dealt([lanes] * len(of_layers))
        neurons = lanes * max(-(-layer.neurons // lanes) for layer in network.layers)
        weights = np.zeros((neurons, sum(layer.axons for layer in network.layers)), dtype=np.int64)
        axon = 0
        for layer in layers:
            rows, columns = layer.weights.shape
            weights[:rows, axon : axon + columns] = layer.weights
            axon += columns
        together = LayerSpec(
            inputs=axon,
            neurons=neurons,
            weights=weights,
            bias=np.zeros(neurons, dtype=np.int64),
            threshold=None,
            delays=None,
            decay=Decay(0, 0),
            weight_bits=max(layer.weight_bits for layer in network.layers),
            value_bits=max(layer.event_bits for layer in network.layers),
        )
        self.memories = [DealtLayer(together, lanes, np.arange(neurons), np.arange(axon), "engine")]
        # Their synapses are in the engine; what else is told of them does not depend on the encoding.
        self._layers = tuple(layer.image("absolute", None, "", 0) for layer in layers)

    def core(self, images: Sequence[LayerImage], **common: Any) -> CoreSpec:
        (engine,) = images
        return SharedCore(layers=self._layers, engine=engine, **common)


class _Slotted:
    """Every layer has wide memories of its own, see `SlotImage`; there is no encoding to choose."""

    def __init__(self, packer: Packer, network: NetworkSpec, of_layers: Sequence[int]) -> None:
        self.memories: list[DealtLayer] = []
        rows = max(-(-layer.neurons // max(of_layers)) for layer in network.layers)
        layers, slots = [], []
        feed = np.arange(network.inputs)
        for index, spec in enumerate(network.layers):
            lanes = 1
            while -(-spec.neurons // lanes) > rows:
                lanes *= 2
            reads = slot_reads(spec, index == 0)
            group, order = grouped(spec, lanes, reads)
            memory = DealtLayer(spec, lanes, order, feed, f"layer {index}")
            layers.append(memory.image("absolute", None, "", 0))
            slots.append(slot_image(layers[-1], memory.weights, group, reads))
            feed = order
        self._layers, self._slots = tuple(layers), tuple(slots)

    def core(self, images: Sequence[LayerImage], **common: Any) -> CoreSpec:
        return SlottedCore(layers=self._layers, slots=self._slots, **common)


_Way = _Parallel | _Shared | _Slotted
_PACKERS: dict[Layers, type[_Parallel] | type[_Shared] | type[_Slotted]] = {
    "parallel": _Parallel,
    "shared": _Shared,
    "slotted": _Slotted,
}


def unpack(core: CoreSpec) -> NetworkSpec:
    """The network whose synapses lie in the memories of `core`: the exact inverse of `pack`.

    Only the memories are read, not the weights that were packed, so that comparing the two checks the packing.
    """
    layers = []
    feed = np.arange(core.network.inputs)
    for index, image in enumerate(core.layers):
        spec = image.spec
        weights = np.zeros((spec.neurons, spec.axons), dtype=np.int64)
        axons = axons_by_position(spec, image.order, feed)
        for lane in range(image.lanes):
            axon, row, weight = core.synapses(index, lane)
            weights[image.order[row * image.lanes + lane], axons[axon]] = weight
        layers.append(replace(spec, weights=weights))
        feed = image.order
    return NetworkSpec(layers=tuple(layers), timesteps=core.network.timesteps, readout=core.network.readout)
