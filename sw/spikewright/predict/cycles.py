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

from spikewright.contract.core import CoreSpec
from spikewright.contract.errors import InputError
from spikewright.contract.integers import IntArray
from spikewright.predict.engines import ENGINES
from spikewright.predict.records import Sample


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

    @property
    def after_input(self) -> int:
        """Cycles from the one in which the last beat is taken to that of the class: what a live system waits for."""
        return self.done - self.accepted


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
        self._runs = ENGINES[core.kind].runs(core)

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
            values=values[step, axons].astype(np.int64),
            spikes=np.concatenate(by_position),
            began=np.zeros((len(self._images), steps), dtype=np.int64),
            integrating=np.zeros(len(self._images), dtype=np.int64),
        )
        accepted, done = self._runs.run(sample)
        return SampleCycles(
            start=start,
            accepted=accepted,
            steps=sample.began + 2,
            integrating=sample.integrating,
            done=done,
        )
