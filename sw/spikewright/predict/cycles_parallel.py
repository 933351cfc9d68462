"""Cycle model of a core whose layers have lanes of their own, see `cycles`, made of the stages in `stages`.

numba keeps what it compiled until this file changes, also where `stages` or `records` did; so change all together.
"""

from __future__ import annotations

from spikewright.predict.records import LONG_AGO, NEVER, Sample, State, Wiring
from spikewright.predict.stages import FETCH, GAP, PAUSE, STARTED, push, take_step
from spikewright.support.compiled import compiled


@compiled
def run_parallel(wiring: Wiring, state: State, sample: Sample) -> int:
    """Run one sample, of which `began` and `integrating` are filled; returns the cycle in which the class is taken."""
    steps = len(sample.beats) - 1
    done = 0
    for t in range(steps):
        for k in range(len(wiring.layers)):
            layer = wiring.layers[k]
            pipeline = state.pipelines[k]
            taken = take_step(wiring, state, sample, t, k, LONG_AGO)
            begin = pipeline.began + layer.rows + GAP
            sweep = layer.rows + PAUSE
            spent = 0
            for lane in range(layer.lane_base, layer.lane_base + layer.lanes):
                loaded = push(state.lanes[lane], taken + FETCH, pipeline.cleared + 1, sweep)
                begin = max(begin, loaded + STARTED)
                spent += loaded - pipeline.first - t * sweep
            if layer.spiking:
                # The rows of a step and its mark must find room beside those of another step.
                rows_left = state.rows_left[layer.out]
                row = state.serializers[layer.out].rows - layer.room - 2
                if row >= 0:
                    begin = max(begin, rows_left[row % len(rows_left)] + 1)
                begin = max(begin, state.sent[k] + 1)
            sample.began[k, t] = pipeline.began = pipeline.cleared = begin
            if t == steps - 1:
                sample.integrating[k] = spent if pipeline.first < NEVER else 0
                pipeline.first = NEVER
                if not layer.spiking:
                    done = begin + layer.rows + 3 + 2 * layer.classes
                    pipeline.cleared = done
    return done
