"""What the cycle models of cores with queues of runs know of them; see `cycles_parallel` and `cycles_shared`."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from spikewright.contract.core import CoreSpec
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


class QueuedRuns:
    """Runs samples through one core, one after the other.

    Parameters
    ----------
    core : CoreSpec
    run : callable
        Of its kind, see `cycles_parallel.run_parallel`.
    """

    def __init__(self, core: CoreSpec, run: Callable[[Wiring, State, Sample], int]) -> None:
        self._run = run
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

    def run(self, sample: Sample) -> tuple[int, int]:
        """The cycles in which the last beat and the class are taken."""
        done = self._run(self._wiring, self._state, sample)
        return int(self._state.gate[0].accepted), done


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
