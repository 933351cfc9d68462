"""Packing: the non-zero synapses of an integer network as compressed sparse rows, dealt out to lanes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from spikewright.contract.decay import Decay
from spikewright.contract.encoding import encoding_named, encoding_names
from spikewright.contract.errors import InputError
from spikewright.contract.integers import IntArray, run_addresses
from spikewright.contract.layout import LANES, CoreSpec, LayerImage, ParallelCore, SharedCore
from spikewright.contract.names import Layers
from spikewright.contract.network import RATE_UNIT, LayerSpec, NetworkSpec
from spikewright.layout.placement import encode
from spikewright.layout.price import price_of

_SHARES = 1 << 20
"""A load of all neurons of a layer together, in the units in which loads are compared."""
_STORED = 5
"""Weight of the synapses that a lane stores, beside its operations: lanes of unequal sizes take longer pointers."""


def balanced_order(spec: LayerSpec, lanes: int) -> IntArray:
    """Neuron at each hardware position, so that the lanes hold equally much, and have equally much to do at any time.

    The neurons of a row should have the same delay, as they are then looked up at once: rows are filled by rising
    delay. Within rows, neurons are exchanged as long as the sum of squares of the loads of all lanes gets smaller. A
    read-out keeps the order of its classes, as its scores are sent in that order.

    Parameters
    ----------
    spec : LayerSpec
        The `rates` of its axons count; where they are not known, every axon is taken to have as many events.
    lanes : int
    """
    if spec.readout:
        return np.arange(spec.neurons)
    delays = np.zeros(spec.neurons, dtype=np.int64) if spec.delays is None else spec.delays
    by_delay = np.argsort(delays, kind="stable")
    # Empty positions, all in one row, complete the grid.
    rows = -(-spec.neurons // lanes)
    positions = np.full(rows * lanes, -1, dtype=np.int64)
    positions[: spec.neurons] = by_delay
    grid: IntArray = positions.reshape(rows, lanes)
    synapses = np.append(np.count_nonzero(spec.weights, axis=1), 0)
    total = np.zeros(lanes, dtype=np.int64)
    for row in grid:
        heaviest = row[np.argsort(-synapses[row], kind="stable")]
        row[np.argsort(total, kind="stable")] = heaviest
        total += synapses[row]
    if lanes > 1:
        _even_out(grid, spec)
    # Empty positions must be the last.
    grid = grid[:, np.argsort(grid[-1] < 0, kind="stable")]
    order: IntArray = grid.reshape(-1)[: spec.neurons]
    return order


def _even_out(grid: IntArray, spec: LayerSpec) -> None:
    """Exchange neurons of a row between lanes: always the two with which the sum of squares of loads falls most.

    If events come independently of each other, the expected square of the synaptic operations of a lane in a step is
    the square of their mean, plus rate times the square of the synapses in the lane, summed over the axons. To it
    comes the square of the synapses that the lane stores. Both loads count as shares of those of the layer. All are
    integers, so that every computer finds the same order.
    """
    rows, lanes = grid.shape
    present = np.append(spec.weights != 0, np.zeros((1, spec.axons), dtype=np.bool_), axis=0).astype(np.int64)
    rates = np.full(spec.axons, RATE_UNIT // 16) if spec.rates is None else spec.rates
    weighted = present * rates  # (neurons + 1, axons)
    loads = np.stack([weighted.sum(axis=1), present.sum(axis=1)], axis=1)
    scale = np.array([_SHARES, _STORED * _SHARES]) / np.maximum(1, loads.sum(axis=0))
    shares = np.rint(loads * scale).astype(np.int64)  # (neurons + 1, operations and synapses)
    overlap = int(RATE_UNIT * scale[0] ** 2)
    in_lanes = present[grid].sum(axis=0)  # (lanes, axons)
    with_lanes = weighted @ in_lanes.T  # (neurons + 1, lanes)
    of_rows = np.stack([weighted[row] @ present[row].T for row in grid])  # (rows, lanes, lanes)
    total = shares[grid].sum(axis=0)
    for _ in range(8 * grid.size):
        shared = with_lanes[grid]  # (rows, lanes, lanes) what the neuron here shares with lane there
        own = np.diagonal(shared - of_rows, axis1=1, axis2=2)
        others = shared - of_rows
        grows = overlap * (others + others.transpose(0, 2, 1) - own[:, :, None] - own[:, None, :])
        moved = shares[grid][:, :, None] - shares[grid][:, None, :]
        grows += (moved * (moved - total[:, None] + total)).sum(axis=3)
        best = int(np.argmin(grows))
        row, one, other = np.unravel_index(best, grows.shape)
        if grows[row, one, other] >= 0:
            return
        change = present[grid[row, other]] - present[grid[row, one]]
        share = moved[row, one, other]
        total[one] -= share
        total[other] += share
        shift = weighted @ change
        with_lanes[:, one] += shift
        with_lanes[:, other] -= shift
        grid[row, [one, other]] = grid[row, [other, one]]
        of_rows[row] = weighted[grid[row]] @ present[grid[row]].T


def prune(network: NetworkSpec) -> tuple[NetworkSpec, dict[str, list[list[int]]]]:
    """Leave out hidden neurons without any effect on scores and classes; one per layer stays.

    Such are *dead* neurons, whose spikes reach no neuron that has an effect, and *silent* ones, whose membrane cannot
    reach the threshold whatever the input, by `LayerSpec.neuron_bounds`.

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
            fires = layer.neuron_bounds(network.timesteps)[-1] >= layer.threshold
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
        smaller.append(
            replace(
                layer,
                inputs=int(inputs.sum()),
                neurons=int(own.sum()),
                weights=layer.weights[np.ix_(own, axons)],
                bias=layer.bias[own],
                threshold=None if layer.threshold is None else layer.threshold[own],
                delays=None if layer.delays is None else layer.delays[own],
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
    layers : "parallel" or "shared"
    encoding : str or sequence of str
        How the positions of synapses are told: one encoding for all memories, one for each layer (a single one where
        they share lanes), or "auto", for each the one that takes the least of the `target`: of block RAM and of LUTs,
        see `price_of`.
    of_layers : sequence of int, optional
        Lanes of the layers, if not by `layer_lanes`.
    offset_bits : sequence of int, optional
        By layer, or the one of the lanes that they share; see `Placement.starts`.
    target : str
        Family of devices, one of `TARGETS`.

    Raises
    ------
    ValueError
        If `lanes` is not supported.
    InputError
        If an encoding is not known, or a layer cannot have it.
    """
    if lanes not in LANES:
        raise ValueError(f"lanes must be one of {', '.join(map(str, LANES))}, not {lanes}")
    # Many lanes with short runs drift apart by more of them.
    queue_depth = 32 if lanes >= 8 else 16
    of_layers = of_layers or layer_lanes(network, lanes)
    chosen: list[str] = [encoding] * len(of_layers) if isinstance(encoding, str) else list(encoding)
    bits: list[int | None] = list(offset_bits) if offset_bits else [None] * len(of_layers)
    return _PACKERS[layers](network, _Plan(lanes, queue_depth, target, list(of_layers), chosen, bits))


@dataclass(frozen=True)
class _Plan:
    """How to pack a network; `encodings` and `offset_bits` are those of the memories of the core, in their order."""

    lanes: int
    queue_depth: int
    target: str
    of_layers: Sequence[int]
    encodings: Sequence[str]
    offset_bits: Sequence[int | None]

    def images(self, network: NetworkSpec) -> tuple[LayerImage, ...]:
        """Of every layer, in memories of its own."""
        images: list[LayerImage] = []
        feed = np.arange(network.inputs)
        for index, lanes in enumerate(self.of_layers):
            images.append(self.image(network.layers[index], lanes, feed, f"layer {index}", index))
            feed = images[-1].order
        return tuple(images)

    def image(self, spec: LayerSpec, lanes: int, feed: IntArray, name: str, memory: int) -> LayerImage:
        """One of them."""
        encoding, offset_bits = self.encodings[memory], self.offset_bits[memory]
        return _pack_layer(spec, lanes, feed, encoding, name, self.queue_depth, self.target, offset_bits)


def _pack_parallel(network: NetworkSpec, plan: _Plan) -> CoreSpec:
    return ParallelCore(network=network, lanes=plan.lanes, layers=plan.images(network), queue_depth=plan.queue_depth)


def _pack_shared(network: NetworkSpec, plan: _Plan) -> CoreSpec:
    """The synapses of all layers in the memories of the lanes they share, layer after layer."""
    count = len(network.layers)
    lanes = max(plan.of_layers)
    # These memories are only a step on the way to those of the engine.
    images = replace(
        plan, of_layers=[lanes] * count, encodings=["absolute"] * count, offset_bits=[None] * count
    ).images(network)
    rows = max(image.rows for image in images)
    weights = np.zeros((rows * lanes, sum(image.spec.axons for image in images)), dtype=np.int64)
    axon = 0
    feed = np.arange(images[0].spec.inputs)
    for image in images:
        spec = image.spec
        weights[: spec.neurons, axon : axon + spec.axons] = _by_position(spec, image.order, feed)
        axon += spec.axons
        feed = image.order
    together = LayerSpec(
        inputs=axon,
        neurons=len(weights),
        weights=weights,
        bias=np.zeros(len(weights), dtype=np.int64),
        threshold=None,
        delays=None,
        decay=Decay(0, 0),
        weight_bits=max(image.spec.weight_bits for image in images),
        value_bits=max(image.spec.value_bits for image in images),
    )
    engine = plan.image(together, lanes, np.arange(axon), "engine", 0)
    return SharedCore(network=network, lanes=plan.lanes, layers=images, queue_depth=plan.queue_depth, engine=engine)


_PACKERS: dict[Layers, Callable[[NetworkSpec, _Plan], CoreSpec]] = {"parallel": _pack_parallel, "shared": _pack_shared}


def _pack_layer(
    spec: LayerSpec,
    lanes: int,
    feed: IntArray,
    encoding: str,
    name: str,
    queue_depth: int,
    target: str,
    offset_bits: int | None = None,
) -> LayerImage:
    order = balanced_order(spec, lanes)
    weights = _by_position(spec, order, feed)
    rows = -(-spec.neurons // lanes)
    complete = np.pad(weights, ((0, rows * lanes - spec.neurons), (0, 0)))
    grid = complete.reshape(rows, lanes, spec.axons).transpose(2, 1, 0)  # (axons, lanes, rows)
    present = grid != 0
    if encoding == "auto":
        among = [one for one in encoding_names() if encoding_named(one).refusal(rows) is None]
    else:
        among = [encoding]
        if (refusal := encoding_named(encoding).refusal(rows)) is not None:
            raise InputError(f"{name}: {refusal}")
    lengths = present.sum(axis=2)
    chosen = min(
        encode(present, spec.weight_bits, among, offset_bits),
        key=lambda encoded: price_of(encoded, lengths, rows, queue_depth, target),
    )
    axon, lane, row = np.nonzero(present)
    words = run_addresses(chosen.starts.reshape(-1), lengths.reshape(-1))
    indices: list[IntArray] = []
    data: list[IntArray] = []
    for number in range(lanes):
        here = lane == number
        size = int(words[here].max(initial=-1)) + 1
        for stored, values in ((indices, chosen.indices), (data, grid[axon, lane, row])):
            stored.append(np.zeros(size, dtype=np.int64))
            stored[-1][words[here]] = values[here]
    return LayerImage(
        spec=spec,
        lanes=lanes,
        order=order,
        starts=chosen.starts,
        lengths=lengths,
        indices=tuple(indices),
        data=tuple(data),
        encoding=chosen.encoding,
        extents=chosen.extents,
    )


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
