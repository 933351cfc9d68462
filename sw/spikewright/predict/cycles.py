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
from spikewright.predict.engines import ENGINES
from spikewright.predict.records import (
    ENTRY,
    GATE,
    LANE,
    LAYER,
    LONG_AGO,
    NEVER,
    PIPELINE,
    RUN,
    SERIALIZER,
    TOKEN,
    Sample,
    State,
    Wiring,
    records,
)
from spikewright.predict.stages import MARGIN


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
        self._run = ENGINES[core.kind].run
        self._wiring = _wiring(core)
        count = len(core.layers)
        most = int(self._wiring.layers.room.max())
        positions = max(image.rows * image.lanes for image in core.layers)
        lanes = int((self._wiring.layers.lane_base + self._wiring.layers.lanes).max())
        self._state = State(
            gate=records(GATE, 1),
            pipelines=records(PIPELINE, count, first=NEVER),
            marked=np.full(count, LONG_AGO, dtype=np.int64),
            sent=np.full(count, LONG_AGO, dtype=np.int64),
            serializers=records(SERIALIZER, 2 * count, rows=0),
            delays=records(SERIALIZER, count),
            lanes=records(LANE, lanes, given=0),
            rows_left=np.zeros((2 * count, 2 * most + 4), dtype=np.int64),
            tokens=records(TOKEN, positions + 1),
            delayed=records(TOKEN, positions + 1),
        )

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
            Spikes of the integer network, neurons in the order of the network.
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
        by_position = [np.zeros(0, dtype=np.bool_)]
        for of_layer, image in zip(spikes, self._images, strict=False):
            grid = np.zeros((steps, image.rows * image.lanes), dtype=np.bool_)
            grid[:, : image.spec.neurons] = of_layer[:, image.order]
            by_position.append(grid.reshape(-1))
        sample = Sample(
            start=start,
            beats=beats,
            axons=axons,
            spikes=np.concatenate(by_position),
            began=np.zeros((len(self._images), steps), dtype=np.int64),
            integrating=np.zeros(len(self._images), dtype=np.int64),
        )
        done = self._run(self._wiring, self._state, sample)
        return SampleCycles(
            start=start,
            accepted=int(self._state.gate[0].accepted),
            steps=sample.began + 2,
            integrating=sample.integrating,
            done=done,
        )


def _wiring(core: CoreSpec) -> Wiring:
    layers = records(LAYER, len(core.layers), program_base=0, entries=0, onward_base=0, onward_entries=0)
    first_runs, runs = [np.zeros(1, dtype=np.int64)], []
    program: list[tuple[int, int, int]] = []
    members: list[int] = []
    lane_bases: dict[int, int] = {}
    axon_base = lane_base = spike_base = 0
    for index, image in enumerate(core.layers):
        spec = image.spec
        axon, lane = np.nonzero(image.lengths)
        first_runs.append(first_runs[-1][-1] + np.cumsum(np.bincount(axon, minlength=spec.axons)))
        of_layer = records(RUN, len(axon))
        of_layer.lane, of_layer.length = lane, image.lengths[axon, lane]
        runs.append(of_layer)
        layer = layers[index]
        layer.lanes, layer.rows, layer.inputs, layer.classes = image.lanes, image.rows, spec.inputs, spec.neurons
        layer.spiking, layer.recurrent = not spec.readout, spec.recurrent
        layer.pipeline, layer.feed = core.pipelines[index], core.pipelines[0]
        layer.lane_base = lane_bases.setdefault(core.pipelines[index], lane_base)
        layer.axon_base, layer.spike_base = axon_base, spike_base
        layer.out, layer.room = core.pipelines[index], image.rows
        for kind, plan in image.plans.items():
            base = len(program)
            for entry in plan.program:
                program.append((entry.delay, entry.row, len(members)))
                members += entry.lanes
            if kind:
                layer.onward_base, layer.onward_entries = base, len(program) - base
                layer.out, layer.room = len(core.layers) + index, plan.entries
            else:
                layer.program_base, layer.entries = base, len(program) - base
        if index:
            layer.feed = layers[index - 1].out
        axon_base += spec.axons
        lane_base += image.lanes
        spike_base += core.network.timesteps * image.rows * image.lanes
    program.append((0, 0, len(members)))
    return Wiring(
        layers=layers,
        first_runs=np.concatenate(first_runs),
        runs=np.concatenate(runs).view(np.recarray),
        program=np.array(program, dtype=ENTRY).view(np.recarray),
        members=np.array(members, dtype=np.int64),
        room=core.queue_depth - MARGIN,
    )
