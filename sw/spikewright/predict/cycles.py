"""Cycle model: when a core does what, without simulating it.

Every stage of the core takes its next item at the latest of a few earlier events, plus a constant. Following those
rules item by item gives the exact clock cycle of everything that happens, for any network, lanes and input, as long as
input is offered and output is taken without a pause. The constants are the latencies that the docstrings of
`spikewright_hw` promise; simulations compare both for equality.

Nothing waits for what comes later: the events of a step, in the order of the layers, depend on that step of the layers
before and on earlier steps of all layers. So the model goes step by step and, within it, layer by layer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from spikewright.contract.errors import InputError
from spikewright.contract.integers import IntArray
from spikewright.contract.layout import CoreSpec
from spikewright.predict.cycles_parallel import run_parallel
from spikewright.predict.cycles_shared import run_shared
from spikewright.predict.stages import (
    _ACCEPTED,
    _AXON_BASE,
    _CLASSES,
    _COLUMNS,
    _ENTRIES,
    _FIRST,
    _GIVEN_RUNS,
    _INPUTS,
    _KEPT,
    _LANE_BASE,
    _LANES,
    _LONG_AGO,
    _MARGIN,
    _NEVER,
    _PROGRAM_BASE,
    _RECURRENT,
    _ROWS,
    _ROWS_SENT,
    _SPIKE_BASE,
    _SPIKING,
)


@dataclass(frozen=True)
class SampleCycles:
    """Clock cycles of one sample, counted from the same origin as its `start`.

    Parameters
    ----------
    start : int
        The first beat is offered.
    accepted : int
        The last beat is taken; the next sample may be offered from the cycle after on.
    steps : (layers, T) integers
        The first row of every step is traced: `trace<k>_valid` with row 0.
    integrating : (layers,) integers
        Cycles of all lanes together, from the first synapse of the layer to its last mark, that belong to no sweep.
    done : int
        The class is taken.
    """

    start: int
    accepted: int
    steps: IntArray
    integrating: IntArray
    done: int

    @property
    def latency(self) -> int:
        """Cycles of the inference, the first and the last included."""
        return self.done - self.start + 1


class CycleModel:
    """Clock cycles of samples that pass through one core, one after the other.

    Starts idle, long after a reset. Calls of `run` continue one timeline, so that samples may follow each other
    closely.

    Parameters
    ----------
    core : CoreSpec
    """

    def __init__(self, core: CoreSpec) -> None:
        self._network = core.network
        self._images = core.layers
        self._run = run_parallel if core.engine is None else run_shared
        self._lanes_before = np.cumsum([0, *(image.lanes for image in core.layers)])
        layers, runs, run_lanes, run_lengths = [], [np.zeros(1, dtype=np.int64)], [], []
        program: list[tuple[int, int, int]] = []
        members: list[int] = []
        axon_base = 0
        for image, lane_base in zip(core.layers, self._lanes_before.tolist(), strict=False):
            spec = image.spec
            lengths = image.lengths
            axon, lane = np.nonzero(lengths)
            runs.append(runs[-1][-1] + np.cumsum(np.bincount(axon, minlength=spec.axons)))
            run_lanes.append(lane)
            run_lengths.append(lengths[axon, lane])
            entries = image.program
            layer = {
                _LANES: image.lanes,
                _ROWS: image.rows,
                _INPUTS: spec.inputs,
                _SPIKING: not spec.readout,
                _RECURRENT: spec.recurrent,
                _AXON_BASE: axon_base,
                _LANE_BASE: lane_base,
                _PROGRAM_BASE: len(program),
                _ENTRIES: len(entries),
                _CLASSES: spec.neurons,
            }
            layers.append([int(layer.get(column, 0)) for column in range(_COLUMNS)])
            for entry in entries:
                program.append((entry.delay, entry.row, len(members)))
                members += entry.lanes
            axon_base += spec.axons
        program.append((0, 0, len(members)))
        count = len(core.layers)
        most = max(image.rows for image in core.layers)
        positions = max(image.rows * image.lanes for image in core.layers)
        self._layers = np.array(layers, dtype=np.int64)
        self._wiring = (
            np.concatenate(runs),
            np.concatenate(run_lanes),
            np.concatenate(run_lengths),
            np.array(program, dtype=np.int64),
            np.array(members, dtype=np.int64),
        )
        cycles = np.full((count, 6), _LONG_AGO, dtype=np.int64)
        cycles[:, _ROWS_SENT] = 0
        cycles[:, _FIRST] = _NEVER
        count_lanes = int(self._lanes_before[-1]) if core.engine is None else core.engine.lanes
        lanes = np.full((count_lanes, 4), _LONG_AGO, dtype=np.int64)
        lanes[:, _GIVEN_RUNS] = 0
        self._state = (
            np.full(5, _LONG_AGO, dtype=np.int64),
            cycles,
            np.full((count, 5), _LONG_AGO, dtype=np.int64),
            np.full((count, 5), _LONG_AGO, dtype=np.int64),
            lanes,
            np.zeros((len(lanes), _KEPT), dtype=np.int64),
            np.zeros((len(lanes), _KEPT), dtype=np.int64),
            np.zeros((count, 2 * most + 4), dtype=np.int64),
            np.zeros((positions + 1, 3), dtype=np.int64),
            np.zeros((positions + 1, 3), dtype=np.int64),
        )
        self._room = core.queue_depth - _MARGIN

    def _check(self, values: npt.NDArray[np.integer], spikes: list[npt.NDArray[np.bool_]]) -> None:
        network = self._network
        if values.shape != (network.timesteps, network.inputs):
            raise InputError(
                f"values must be ({network.timesteps} steps, {network.inputs} channels), not {values.shape}"
            )
        expected = [(network.timesteps, layer.neurons) for layer in network.layers[:-1]]
        if [of_layer.shape for of_layer in spikes] != expected:
            raise InputError(
                f"spikes must be (steps, neurons) of every spiking layer, {expected}, "
                f"not {[of_layer.shape for of_layer in spikes]}"
            )

    def run(self, values: npt.NDArray[np.integer], spikes: list[npt.NDArray[np.bool_]], start: int) -> SampleCycles:
        """Predict one sample.

        Parameters
        ----------
        values : (T, inputs) integers
        spikes : per spiking layer, (T, neurons) bool
            Of the integer network, neurons in the order of the network.
        start : int
            Cycle from which the first beat is offered.

        Raises
        ------
        InputError
            If a shape does not fit the network.
        """
        steps = len(values)
        self._check(values, spikes)
        step, axons = np.nonzero(values)
        beats = np.concatenate([[0], np.cumsum(np.bincount(step, minlength=steps))])
        layers = self._layers.copy()
        flat = []
        base = 0
        for of_layer, image, layer in zip(spikes, self._images, layers, strict=False):
            by_position = np.zeros((steps, image.rows * image.lanes), dtype=np.bool_)
            by_position[:, : image.spec.neurons] = of_layer[:, image.order]
            layer[_SPIKE_BASE] = base
            flat.append(by_position.reshape(-1))
            base += by_position.size
        began = np.zeros((len(layers), steps), dtype=np.int64)
        integrating = np.zeros(len(layers), dtype=np.int64)
        done = self._run(
            start,
            beats,
            axons,
            np.concatenate([*flat, np.zeros(0, dtype=np.bool_)]),
            layers,
            *self._wiring,
            *self._state,
            self._room,
            began,
            integrating,
        )
        accepted = int(self._state[0][_ACCEPTED])
        return SampleCycles(start=start, accepted=accepted, steps=began + 2, integrating=integrating, done=done)
