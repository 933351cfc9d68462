"""What a network does on recordings: spikes, the scores as they grow, and the clock cycles of a core."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from spikewright.contract.core import CoreSpec
from spikewright.contract.integers import IntArray, check_samples
from spikewright.data.shd import SpikeData
from spikewright.integer.reference import IntegerNetwork
from spikewright.learn.networks import SpikingNetwork
from spikewright.predict.cycles import CycleModel
from spikewright.viewer.subject import Subject

_APART = 10_000
"""Cycles between samples, long after the last sweep of the one before: each finds the core idle."""


@dataclass(frozen=True)
class Cycles:
    """Clock cycles of one sample.

    Parameters
    ----------
    latency : int
        Of the inference.
    per_step : (T,) integers
        From the step's results to those of the step before; the first counts from the first beat.
    busiest : (layers, T) integers
        Synapses of the lane that has most of them, by layer and step. They take a cycle each, though perhaps a step or
        two ahead of the results.
    integrating : (layers,) integers
        Mean over the lanes of the cycles between the first synapse and the last mark that belong to no sweep.
    """

    latency: int
    per_step: IntArray
    busiest: IntArray
    integrating: IntArray


@dataclass(frozen=True)
class Recording:
    """One sample as the network sees it.

    Parameters
    ----------
    events : (T, inputs) integers
    spikes : per spiking layer, (T, neurons) bool
    scores : (T, classes) numbers
        After each step; the last are what decides.
    label : int
    cycles : Cycles or None
    """

    events: npt.NDArray[np.integer]
    spikes: tuple[npt.NDArray[np.bool_], ...]
    scores: npt.NDArray[Any]
    label: int
    cycles: Cycles | None

    @property
    def decided(self) -> int:
        """The lowest class of a highest score."""
        return int(np.argmax(self.scores[-1]))


@torch.no_grad()
def record(subject: Subject, data: SpikeData) -> list[Recording]:
    """Run all samples.

    Raises
    ------
    InputError
        If they do not fit the network.
    """
    shape = subject.shape
    check_samples("data", data.counts, shape.timesteps, shape.inputs)
    values = torch.from_numpy(data.counts)
    network = subject.network
    if isinstance(network, IntegerNetwork):
        trace = network.run(values)
        fired, scores = trace.spikes, torch.stack(network.scores(trace.membranes[-1]), dim=1).numpy()
    else:
        fired = network.run(values).spikes
        scores = _float_scores(network, fired[-1] if fired else values * network.config.input_scale)
    spikes = [of_layer.numpy().astype(np.bool_) for of_layer in fired]
    cycles: list[Cycles] | list[None] = [None] * len(data)
    if subject.core is not None:
        cycles = core_cycles(subject.core, data)
    return [
        Recording(data.counts[i], tuple(s[i] for s in spikes), scores[i], int(data.labels[i]), cycles[i])
        for i in range(len(data))
    ]


def _float_scores(network: SpikingNetwork, spikes: torch.Tensor) -> npt.NDArray[Any]:
    """(B, T, classes) of (B, T, inputs of the read-out)."""
    read = network.readout
    for layer in list(network.spiking_layers())[-1:]:
        spikes = layer.sent(spikes.permute(1, 2, 0)).permute(2, 0, 1)
    membranes = read.membranes(spikes.permute(1, 2, 0).to(read.weight.dtype).contiguous())  # (T, classes, B)
    running: npt.NDArray[Any] = read.running(membranes).permute(2, 0, 1).numpy()
    return running


def core_cycles(core: CoreSpec, data: SpikeData) -> list[Cycles]:
    """Of every sample, by the cycle model."""
    trace = IntegerNetwork(core.network).run(torch.from_numpy(data.counts))
    model, found, start = CycleModel(core), [], 0
    for index, counts in enumerate(data.counts):
        spikes = [layer[index].numpy() for layer in trace.spikes]
        sample = model.run(counts, spikes, start)
        per_step = np.diff(sample.steps[-1], prepend=start)
        lanes = np.array([image.lanes for image in core.layers])
        loads = np.stack([of_layer.max(axis=1) for of_layer in _loads(core, counts, spikes)])
        found.append(Cycles(sample.latency, per_step, loads, sample.integrating // lanes))
        start = sample.done + _APART
    return found


def _loads(core: CoreSpec, counts: npt.NDArray[np.integer], spikes: list[npt.NDArray[np.bool_]]) -> list[IntArray]:
    """By layer (T, lanes): synapses that each lane adds in each step."""
    loads = []
    arriving = counts != 0  # (T, axons), in the order of the hardware
    for index, image in enumerate(core.layers):
        lengths = image.lengths
        load = arriving.astype(np.int64) @ lengths[: image.spec.inputs]
        if index < len(spikes):
            fired = spikes[index][:, image.order] != 0
            if image.spec.delays is not None:
                late = np.zeros((len(fired), lengths.shape[0] - image.spec.inputs), dtype=np.int64)
                for position, delay in enumerate(image.spec.delays[image.order].tolist()):
                    late[1 + delay :, position] = fired[: max(0, len(fired) - 1 - delay), position]
                load = load + late @ lengths[image.spec.inputs :]
            arriving = image.spec.sent(spikes[index] != 0)[:, image.order]
        loads.append(load)
    return loads
