"""Packing: the non-zero synapses of an integer network as compressed sparse rows, dealt out to lanes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from spikewright.contract.bounds import neuron_bounds
from spikewright.contract.core import CoreSpec
from spikewright.contract.cores import CORES, ParallelCore, SharedCore, SlottedCore
from spikewright.contract.decay import Decay
from spikewright.contract.encoding import encoding_named, encoding_names
from spikewright.contract.errors import InputError
from spikewright.contract.image import LayerImage
from spikewright.contract.integers import IntArray, run_addresses
from spikewright.contract.layer import OWN, RATE_UNIT, LayerSpec
from spikewright.contract.names import Layers, check_lanes
from spikewright.contract.network import NetworkSpec
from spikewright.layout.dealing import balanced_order
from spikewright.layout.placement import Encoder
from spikewright.layout.price import price_of
from spikewright.layout.slots import grouped, slot_image, slot_reads


def prune(network: NetworkSpec) -> tuple[NetworkSpec, dict[str, list[list[int]]]]:
    """Leave out hidden neurons without any effect on scores and classes; one per layer stays.

    Such are *dead* neurons, whose spikes reach no neuron that has an effect, and *silent* ones, whose membrane cannot
    reach the threshold whatever the input, by `neuron_bounds`.

    Returns
    -------
    NetworkSpec
        The network itself if there is nothing to leave out.
    dict
        `dead` and `silent`: neurons by hidden layer; and `inputs` without synapses, as one list. Inputs keep their
        numbers, as they are those of the interface.
    """
    hidden = network.layers[:-1]
    kept = [np.ones(layer.neurons, dtype=np.bool_) for layer in hidden]
    removed: dict[str, list[list[int]]] = {"dead": [[] for _ in hidden], "silent": [[] for _ in hidden]}
    while True:
        layers = _without(network.layers, kept)
        found = False
        for index, layer in enumerate(layers[:-1]):
            numbers = np.flatnonzero(kept[index])
            useful = (layers[index + 1].weights[:, : layer.neurons] != 0).any(axis=0)
            if layer.recurrent:
                own = layer.weights[:, layer.inputs :] != 0
                while (grown := useful | own[useful].any(axis=0)).sum() > useful.sum():
                    useful = grown
            assert layer.threshold is not None
            fires = neuron_bounds(layer, network.timesteps).compared >= layer.neuron.fires_from(layer.threshold)
            for why, without in (("silent", ~fires), ("dead", fires & ~useful)):
                for number in numbers[without].tolist():
                    if kept[index].sum() > 1:
                        kept[index][number] = False
                        removed[why][index].append(number)
                        found = True
            if found:
                break
        if not found:
            break
    removed = {why: [sorted(of_layer) for of_layer in by_layer] for why, by_layer in removed.items()}
    if any(not keep.all() for keep in kept):
        network = replace(network, layers=layers)
    removed["inputs"] = [np.flatnonzero(~(layers[0].weights[:, : network.inputs] != 0).any(axis=0)).tolist()]
    return network, removed


def _without(layers: tuple[LayerSpec, ...], kept: list[npt.NDArray[np.bool_]]) -> tuple[LayerSpec, ...]:
    """The layers with only those neurons of the hidden ones."""
    smaller = []
    inputs = np.ones(layers[0].inputs, dtype=np.bool_)
    for layer, own in zip(layers, [*kept, np.ones(layers[-1].neurons, dtype=np.bool_)], strict=True):
        axons = np.concatenate([inputs, own]) if layer.recurrent else inputs
        optional: dict[str, Any] = {
            name: None if (values := getattr(layer, name)) is None else values[own]
            for name in ("threshold", *OWN, "delays", "onward")
        }
        smaller.append(
            replace(
                layer,
                inputs=int(inputs.sum()),
                neurons=int(own.sum()),
                weights=layer.weights[np.ix_(own, axons)],
                bias=layer.bias[own],
                **optional,
                rates=None if layer.rates is None else layer.rates[axons],
            )
        )
        inputs = own
    return tuple(smaller)


def layer_lanes(network: NetworkSpec, lanes: int) -> list[int]:
    """Lanes of every layer: `lanes` for the largest, and for others the fewest with which they keep up with it.

    A layer keeps up if it has no more rows, and a lane of it no more synapses, than the lanes of the layers with the
    most of them have; or, where the rates of its axons are known, if an average step keeps it busy for three quarters
    of the time that it keeps the busiest layer, so that there is room for steps above the average.
    """
    neurons = [layer.neurons for layer in network.layers]
    rows = -(-max(neurons) // lanes)
    synapses = max(layer.synapses for layer in network.layers) / lanes
    pace = max((_busy(layer, lanes) for layer in network.layers), default=0.0)
    fitting = []
    for layer in network.layers:
        of_layer = 1
        # A lane without a neuron would have nothing to do.
        while (
            of_layer < min(lanes, layer.neurons)
            and (-(-layer.neurons // of_layer) > rows or layer.synapses / of_layer > synapses)
            and (layer.rates is None or _busy(layer, of_layer) > 0.75 * pace)
        ):
            of_layer *= 2
        fitting.append(of_layer)
    return fitting


def _busy(layer: LayerSpec, lanes: int) -> float:
    """Cycles of an average step of a layer: its events, one a cycle, or the synapses and rows of a lane.

    0 where the rates of its axons are not known.
    """
    if layer.rates is None:
        return 0.0
    operations = int((np.count_nonzero(layer.weights, axis=0) * layer.rates).sum()) / RATE_UNIT
    return max(int(layer.rates.sum()) / RATE_UNIT, operations / lanes + -(-layer.neurons // lanes))


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

    def order(self, index: int, lanes: int) -> IntArray:
        """`balanced_order` of a layer."""
        if (index, lanes) not in self._orders:
            self._orders[index, lanes] = balanced_order(self._network.layers[index], lanes)
        return self._orders[index, lanes]

    def _way(self, layers: Layers, of_layers: Sequence[int]) -> _Way:
        """How layers lie in memories; the last way is kept, so that other encodings of it cost little."""
        key = layers, tuple(of_layers)
        if self._last is None or self._last[0] != key:
            self._last = key, _PACKERS[layers](self, self._network, of_layers)
        return self._last[1]


class _Memory:
    """The synapses of a layer, dealt out to lanes, for which an encoding is still to be chosen.

    Parameters
    ----------
    spec : LayerSpec
    lanes : int
    order : (neurons,) integers
        Neuron at each position.
    feed : (inputs,) integers
        Axon of the network at each feed-forward axon of the hardware.
    name : str
        For errors.
    """

    def __init__(self, spec: LayerSpec, lanes: int, order: IntArray, feed: IntArray, name: str) -> None:
        self._spec = spec
        self._lanes = lanes
        self._rows = rows = -(-spec.neurons // lanes)
        self.order = order
        self.weights = _by_position(spec, order, feed)
        self._name = name
        complete = np.pad(self.weights, ((0, rows * lanes - spec.neurons), (0, 0)))
        grid = complete.reshape(rows, lanes, spec.axons).transpose(2, 1, 0)  # (axons, lanes, rows)
        present = grid != 0
        axon, self._lane, row = np.nonzero(present)
        self._values = grid[axon, self._lane, row]
        self._encoder = Encoder(present, spec.weight_bits)

    def image(self, encoding: str, offset_bits: int | None, target: str, queue_depth: int) -> LayerImage:
        """The memories, with the encoding that is asked for."""
        lengths = self._encoder.lengths
        if encoding == "auto":
            among = [one for one in encoding_names() if encoding_named(one).refusal(self._rows) is None]
            every = [self._encoder.encode(one, offset_bits) for one in among]
            chosen = min(every, key=lambda encoded: price_of(encoded, lengths, self._rows, queue_depth, target))
        else:
            if (refusal := encoding_named(encoding).refusal(self._rows)) is not None:
                raise InputError(f"{self._name}: {refusal}")
            chosen = self._encoder.encode(encoding, offset_bits)
        words = run_addresses(chosen.starts.reshape(-1), lengths.reshape(-1))
        indices: list[IntArray] = []
        data: list[IntArray] = []
        for lane in range(self._lanes):
            here = np.flatnonzero(self._lane == lane)
            of_lane = words[here]
            size = int(of_lane.max(initial=-1)) + 1
            for stored, values in ((indices, chosen.indices), (data, self._values)):
                stored.append(np.zeros(size, dtype=np.int64))
                stored[-1][of_lane] = values[here]
        return LayerImage(
            spec=self._spec,
            lanes=self._lanes,
            order=self.order,
            starts=chosen.starts,
            lengths=lengths,
            indices=tuple(indices),
            data=tuple(data),
            encoding=chosen.encoding,
            extents=chosen.extents,
        )


def _memories(packer: Packer, network: NetworkSpec, of_layers: Sequence[int]) -> list[_Memory]:
    """The memories of every layer, as if it had its own."""
    memories = []
    feed = np.arange(network.inputs)
    for index, lanes in enumerate(of_layers):
        order = packer.order(index, lanes)
        memories.append(_Memory(network.layers[index], lanes, order, feed, f"layer {index}"))
        feed = order
    return memories


class _Parallel:
    """Every layer has memories of its own."""

    def __init__(self, packer: Packer, network: NetworkSpec, of_layers: Sequence[int]) -> None:
        self.memories = _memories(packer, network, of_layers)

    def core(self, images: Sequence[LayerImage], **common: Any) -> CoreSpec:
        return ParallelCore(layers=tuple(images), **common)


class _Shared:
    """The synapses of all layers in the memories of the lanes they share, layer after layer."""

    def __init__(self, packer: Packer, network: NetworkSpec, of_layers: Sequence[int]) -> None:
        lanes = max(of_layers)
        layers = _memories(packer, network, [lanes] * len(of_layers))
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
        self.memories = [_Memory(together, lanes, np.arange(neurons), np.arange(axon), "engine")]
        # Their synapses are in the engine; what else is told of them does not depend on the encoding.
        self._layers = tuple(layer.image("absolute", None, "", 0) for layer in layers)

    def core(self, images: Sequence[LayerImage], **common: Any) -> CoreSpec:
        (engine,) = images
        return SharedCore(layers=self._layers, engine=engine, **common)


class _Slotted:
    """Every layer has wide memories of its own, see `SlotImage`; there is no encoding to choose."""

    def __init__(self, packer: Packer, network: NetworkSpec, of_layers: Sequence[int]) -> None:
        self.memories: list[_Memory] = []
        rows = max(-(-layer.neurons // max(of_layers)) for layer in network.layers)
        layers, slots = [], []
        feed = np.arange(network.inputs)
        for index, spec in enumerate(network.layers):
            lanes = 1
            while -(-spec.neurons // lanes) > rows:
                lanes *= 2
            reads = slot_reads(spec, index == 0)
            group, order = grouped(spec, lanes, reads)
            memory = _Memory(spec, lanes, order, feed, f"layer {index}")
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


def _by_position(spec: LayerSpec, order: IntArray, feed: IntArray) -> IntArray:
    """Weights with neurons and axons in the order of the hardware."""
    axons = np.concatenate([feed, spec.inputs + order]) if spec.recurrent else feed
    by_position: IntArray = spec.weights[np.ix_(order, axons)]
    return by_position


def unpack(core: CoreSpec) -> NetworkSpec:
    """The network whose synapses lie in the memories of `core`: the exact inverse of `pack`.

    Only the memories are read, not the weights that were packed, so that comparing the two checks the packing.
    """
    layers = []
    feed = np.arange(core.network.inputs)
    for index, image in enumerate(core.layers):
        spec = image.spec
        weights = np.zeros((spec.neurons, spec.axons), dtype=np.int64)
        axons = np.concatenate([feed, spec.inputs + image.order]) if spec.recurrent else feed
        for lane in range(image.lanes):
            axon, row, weight = core.synapses(index, lane)
            weights[image.order[row * image.lanes + lane], axons[axon]] = weight
        layers.append(replace(spec, weights=weights))
        feed = image.order
    return NetworkSpec(layers=tuple(layers), timesteps=core.network.timesteps, readout=core.network.readout)
