"""Packing: the non-zero synapses of an integer network as compressed sparse rows, dealt out to lanes."""

from __future__ import annotations

import heapq
from dataclasses import replace

import numpy as np

from .spec import CoreSpec, IntArray, LayerImage, LayerSpec, NetworkSpec


def balanced_order(spec: LayerSpec, lanes: int) -> IntArray:
    """Neuron at each hardware position, so that the lanes hold about equally many synapses.

    Longest processing time first (Graham 1969): the neurons by falling number of synapses, each into the lane with
    the fewest so far that still has a free position. A read-out keeps the order of its classes, as its scores are
    sent in that order.
    """
    if spec.readout or lanes == 1:
        return np.arange(spec.neurons)
    load = np.count_nonzero(spec.weights, axis=1)
    free = [len(range(lane, spec.neurons, lanes)) for lane in range(lanes)]
    members: list[list[int]] = [[] for _ in range(lanes)]
    lightest = [(0, lane) for lane in range(lanes) if free[lane]]
    for neuron in np.argsort(-load, kind="stable"):
        total, lane = heapq.heappop(lightest)
        members[lane].append(int(neuron))
        if len(members[lane]) < free[lane]:
            heapq.heappush(lightest, (total + int(load[neuron]), lane))
    order = np.empty(spec.neurons, dtype=np.int64)
    for lane, neurons in enumerate(members):
        order[lane::lanes] = neurons
    return order


def pack(network: NetworkSpec, lanes: int = 8) -> CoreSpec:
    """Lay `network` out for a core of `lanes` lanes.

    Raises
    ------
    ValueError
        If `lanes` is not supported.
    """
    images: list[LayerImage] = []
    feed = np.arange(network.inputs)
    for spec in network.layers:
        image = _pack_layer(spec, lanes, feed)
        images.append(image)
        feed = image.order
    return CoreSpec(network=network, lanes=lanes, layers=tuple(images))


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
        for lane in range(core.lanes):
            position = np.repeat(np.arange(spec.axons), image.lengths[:, lane])
            neuron = image.order[image.indices[lane] * core.lanes + lane]
            weights[neuron, axons[position]] = image.data[lane]
        layers.append(replace(spec, weights=weights))
        feed = image.order
    return NetworkSpec(layers=tuple(layers), timesteps=core.network.timesteps, readout=core.network.readout)
