"""Layers that are dealt out to lanes: their synapses by position, for which an encoding is still to be chosen."""

from __future__ import annotations

import numpy as np

from spikewright.contract.encoding import encoding_named, encoding_names
from spikewright.contract.errors import InputError
from spikewright.contract.image import LayerImage
from spikewright.contract.integers import IntArray, run_addresses
from spikewright.contract.layer import LayerSpec
from spikewright.layout.placement import Encoder
from spikewright.layout.price import price_of


class DealtLayer:
    """The synapses of a layer, dealt out to lanes; `weights` are those by position, of neurons and axons alike.

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
        self._order = order
        self.weights: IntArray = spec.weights[np.ix_(order, axons_by_position(spec, order, feed))]
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
            order=self._order,
            starts=chosen.starts,
            lengths=lengths,
            indices=tuple(indices),
            data=tuple(data),
            encoding=chosen.encoding,
            extents=chosen.extents,
        )


def axons_by_position(spec: LayerSpec, order: IntArray, feed: IntArray) -> IntArray:
    """(axons,) axon of the network at each axon of the hardware, see `DealtLayer`."""
    return np.concatenate([feed, spec.inputs + order]) if spec.recurrent else feed
