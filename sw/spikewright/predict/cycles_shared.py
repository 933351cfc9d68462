"""Cycle model of a core whose layers take turns on the same lanes, see `cycles`, made of the stages in `stages`.

numba keeps what it compiled until this file changes, also where `stages` or `records` did; so change all together.
"""

from __future__ import annotations

from spikewright.predict.records import NEVER, Sample, State, Wiring
from spikewright.predict.stages import FETCH, GAP, PAUSE, STARTED, push, take_step
from spikewright.support.compiled import compiled


@compiled
def run_shared(wiring: Wiring, state: State, sample: Sample) -> int:
    """Run one sample, as `cycles_parallel.run_parallel` does; all layers have the same pipeline and serializer."""
    steps = len(sample.beats) - 1
    done = 0
    engine = state.pipelines[0]
    for t in range(steps):
        for k in range(len(wiring.layers)):
            layer = wiring.layers[k]
            taken = take_step(wiring, state, sample, t, k, engine.taken + 1)
            begin = engine.began + wiring.layers[k - 1].rows + GAP
            sweep = layer.rows + PAUSE
            for number in range(len(state.lanes)):
                lane = state.lanes[number]
                loaded = push(lane, taken + FETCH, engine.cleared + 1, sweep)
                begin = max(begin, loaded + STARTED)
                # Since the sweep before, or the first synapse of the sample.
                sample.integrating[k] += max(0, loaded - max(engine.first, lane.swept))
                lane.swept = lane.free
            sample.began[k, t] = engine.began = engine.cleared = begin
            if t == steps - 1 and not layer.spiking:
                engine.first = NEVER
                done = begin + layer.rows + 3 + 2 * layer.classes
                engine.cleared = done
    return done
