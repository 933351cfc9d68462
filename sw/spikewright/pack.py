"""Packing: the non-zero synapses of an integer network as compressed sparse rows, dealt out to lanes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from .spec import LANES, CoreSpec, Decay, IntArray, LayerImage, Layers, LayerSpec, NetworkSpec


def balanced_order(spec: LayerSpec, lanes: int, rates: npt.NDArray[np.floating] | None = None) -> IntArray:
    """Neuron at each hardware position, so that the lanes have about equally much to do.

    The neurons of a row should have the same delay, as they are then looked up at once: rows are filled by rising
    delay. Within a row, the neuron with the most synapses goes to the lane that has the fewest so far; exchanges
    within rows then even out what is left. A read-out keeps the order of its classes, as its scores are sent in that
    order.

    Parameters
    ----------
    spec : LayerSpec
    lanes : int
    rates : (axons,) floats, optional
        How often an axon has an event, where known: its synapses count as much.
    """
    if spec.readout:
        return np.arange(spec.neurons)
    load = (spec.weights != 0) @ (np.ones(spec.axons) if rates is None else np.asarray(rates, dtype=np.float64))
    delays = np.zeros(spec.neurons, dtype=np.int64) if spec.delays is None else spec.delays
    by_delay = np.argsort(delays, kind="stable")
    # Empty positions, all in one row, complete the grid.
    rows = -(-spec.neurons // lanes)
    positions = np.full(rows * lanes, -1, dtype=np.int64)
    positions[: spec.neurons] = by_delay
    grid: IntArray = positions.reshape(rows, lanes)
    weight = np.append(load, 0.0)  # of neuron -1
    total = np.zeros(lanes)
    for row in grid:
        heaviest = row[np.argsort(-weight[row], kind="stable")]
        row[np.argsort(total, kind="stable")] = heaviest
        total += weight[row]
    _even_out(grid, weight)
    # Empty positions must be the last.
    grid = grid[:, np.argsort(grid[-1] < 0, kind="stable")]
    order: IntArray = grid.reshape(-1)[: spec.neurons]
    return order


def _even_out(grid: IntArray, weight: npt.NDArray[np.float64]) -> None:
    """Exchange neurons of a row between the fullest lane and another, as long as the fullest gets lighter."""
    total = weight[grid].sum(axis=0)
    for _ in range(8 * grid.size):
        fullest = int(np.argmax(total))
        moved = weight[grid[:, fullest, None]] - weight[grid]  # (rows, lanes) what an exchange takes from the fullest
        after = np.maximum(total[fullest] - moved, total + moved)
        row, lane = divmod(int(np.argmin(after)), after.shape[1])
        if after[row, lane] >= total[fullest] * (1 - 1e-9):
            return
        grid[row, [fullest, lane]] = grid[row, [lane, fullest]]
        total[fullest] -= moved[row, lane]
        total[lane] += moved[row, lane]


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
            )
        )
        inputs = own
    return tuple(smaller)


def layer_lanes(network: NetworkSpec, lanes: int) -> list[int]:
    """Lanes of every layer: `lanes` for the largest, and for others the fewest with which they keep up with it.

    A layer keeps up if it has no more rows, and a lane of it no more synapses, than the lanes of the layers with the
    most of them have.
    """
    neurons = [layer.neurons for layer in network.layers]
    rows = -(-max(neurons) // lanes)
    synapses = max(layer.synapses for layer in network.layers) / lanes
    fitting = []
    for layer in network.layers:
        of_layer = 1
        # A lane without a neuron would have nothing to do.
        while of_layer < min(lanes, layer.neurons) and (
            -(-layer.neurons // of_layer) > rows or layer.synapses / of_layer > synapses
        ):
            of_layer *= 2
        fitting.append(of_layer)
    return fitting


def pack(
    network: NetworkSpec, lanes: int = 8, *, layers: Layers = "parallel", of_layers: Sequence[int] | None = None
) -> CoreSpec:
    """Lay `network` out for a core of `lanes` lanes, where every layer has its own, or all share them.

    `of_layers` are the lanes of the layers, if not by `layer_lanes`.

    Raises
    ------
    ValueError
        If `lanes` is not supported.
    """
    if lanes not in LANES:
        raise ValueError(f"lanes must be one of {', '.join(map(str, LANES))}, not {lanes}")
    images: list[LayerImage] = []
    feed = np.arange(network.inputs)
    of_layers = of_layers or layer_lanes(network, lanes)
    if layers == "shared":
        of_layers = [max(of_layers)] * len(of_layers)
    for spec, of_layer in zip(network.layers, of_layers, strict=True):
        image = _pack_layer(spec, of_layer, feed)
        images.append(image)
        feed = image.order
    # Many lanes with short runs drift apart by more of them.
    queue_depth = 32 if lanes >= 16 else 16
    return CoreSpec(
        network=network,
        lanes=lanes,
        layers=tuple(images),
        queue_depth=queue_depth,
        engine=_pack_engine(images) if layers == "shared" else None,
    )


def _pack_engine(images: list[LayerImage]) -> LayerImage:
    """The synapses of all layers in the memories of the lanes they share, layer after layer."""
    lanes = images[0].lanes
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
    return _pack_layer(together, lanes, np.arange(axon))


def _pack_layer(spec: LayerSpec, lanes: int, feed: IntArray) -> LayerImage:
    order = balanced_order(spec, lanes)
    weights = _by_position(spec, order, feed)
    indptr = np.zeros((spec.axons + 1, lanes), dtype=np.int64)
    indices, data = [], []
    for lane in range(lanes):
        of_lane = weights[lane::lanes].T  # (axons, rows)
        axon, row = np.nonzero(of_lane)
        indptr[1:, lane] = np.cumsum(np.bincount(axon, minlength=spec.axons))
        indices.append(row)
        data.append(of_lane[axon, row])
    return LayerImage(spec=spec, lanes=lanes, order=order, indptr=indptr, indices=tuple(indices), data=tuple(data))


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
    for image in core.layers:
        spec = image.spec
        weights = np.zeros((spec.neurons, spec.axons), dtype=np.int64)
        axons = np.concatenate([feed, spec.inputs + image.order]) if spec.recurrent else feed
        for lane in range(image.lanes):
            position = np.repeat(np.arange(spec.axons), image.lengths[:, lane])
            neuron = image.order[image.indices[lane] * image.lanes + lane]
            weights[neuron, axons[position]] = image.data[lane]
        layers.append(replace(spec, weights=weights))
        feed = image.order
    return NetworkSpec(layers=tuple(layers), timesteps=core.network.timesteps, readout=core.network.readout)
