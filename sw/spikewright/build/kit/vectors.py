"""Two samples for a core's test benches, and what it must answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from spikewright.contract.core import CoreSpec
from spikewright.contract.errors import InputError
from spikewright.contract.stream import StreamFormat, events_of

if TYPE_CHECKING:
    from spikewright.contract.network import NetworkSpec

SAMPLES = 2
_EVENTS = 0.05
"""Of random samples: the share of the inputs that have an event in a step, about that of recordings."""


@dataclass(frozen=True)
class Vectors:
    """Samples as beats, with `tlast` above `tdata`.

    Parameters
    ----------
    origin : str
        Where the samples are from, in a few words.
    sent, answers : list of int
        Beats into the core and out of it.
    latencies : list of int
        By sample, the cycles from the first beat that is offered to the class, both included.
    """

    origin: str
    sent: list[int]
    answers: list[int]
    latencies: list[int]


def make_vectors(core: CoreSpec, info: dict[str, Any]) -> Vectors:
    """Vectors of a core.

    Parameters
    ----------
    core : CoreSpec
    info : dict
        What the file of the network says of where it comes from: the shipped recordings do for a network that takes
        such, else random samples of a fixed seed.
    """
    import torch

    from spikewright.integer.reference import IntegerNetwork
    from spikewright.predict.cycles import CycleModel

    network = core.network
    origin, counts = _recordings(network, info) or ("two random samples", _random(network))
    trace = IntegerNetwork(network).run(torch.from_numpy(counts.astype(np.int64)))
    stream = StreamFormat.of(core)
    mask = (1 << 8 * stream.output_bytes) - 1
    sent, answers, latencies = [], [], []
    for b, sample in enumerate(counts):
        sent += [
            word | last << 8 * stream.input_bytes
            for word, last in events_of(sample, stream.axon_bits, stream.mark_bit, stream.events)
        ]
        answers += [int(score) & mask for score in trace.scores[b]]
        answers.append(int(trace.classes[b]) | 1 << 8 * stream.output_bytes)
        latencies.append(int(CycleModel(core).run(sample, [layer[b].numpy() for layer in trace.spikes], 0).latency))
    return Vectors(origin, sent, answers, latencies)


def _recordings(network: NetworkSpec, info: dict[str, Any]) -> tuple[str, npt.NDArray[np.integer]] | None:
    """The first of the shipped recordings, if the network was made for such."""
    from spikewright.data import shd
    from spikewright.integer.recordings import data_of
    from spikewright.support.shipped import SAMPLE, asset

    timestep, bin_width = info.get("timestep"), info.get("bin_width")
    if type(timestep) is not float or type(bin_width) is not int or bin_width < 1 or shd.CHANNELS % bin_width:
        return None
    try:
        if network.inputs != shd.CHANNELS // bin_width or data_of(info).name != "shd":
            return None
        options: dict[str, Any] = {"timestep": timestep, "bin_width": bin_width, "samples": SAMPLES}
        counts = shd.load(asset(SAMPLE), timesteps=network.timesteps, **options).counts
    except InputError:
        return None
    if counts.max() >> network.value_bits:
        return None
    return "two of the recordings that are shipped with spikewright", counts


def _random(network: NetworkSpec) -> npt.NDArray[np.integer]:
    rng = np.random.default_rng(0)
    shape = (SAMPLES, network.timesteps, network.inputs)
    counts = rng.integers(1, 1 << network.value_bits, shape)
    counts[rng.random(shape) >= max(_EVENTS, min(0.5, 4 / network.inputs))] = 0
    return counts
