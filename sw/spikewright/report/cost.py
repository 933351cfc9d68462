"""What a checkpoint costs in hardware: stored bits and synaptic operations of its integer network."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from spikewright.contract.core import CoreSpec
from spikewright.contract.errors import InputError, errors_in
from spikewright.contract.network import NetworkSpec
from spikewright.integer.operations import total_operations
from spikewright.integer.reference import IntegerNetwork
from spikewright.integer.rounding import quantize
from spikewright.layout.pack import pack
from spikewright.learn.config import Config
from spikewright.learn.objective import validate
from spikewright.learn.samples import Samples, load_parts, load_samples
from spikewright.report.runs import Run

SAMPLES = 256
"""Validation samples on which operations are counted."""
_TOLERANCE = 0.02


@dataclass(frozen=True)
class Cost:
    """Of one run's checkpoint.

    Parameters
    ----------
    bits : int
        Row pointers and synapses of the packed network.
    synapses : int
        Weights that are not zero after quantization.
    operations : float
        Synaptic operations (additions of a weight) per inference; without recordings those of spikes alone.
    accuracy : float or None
        Accuracy of the integer network on the counted samples; None without recordings.
    delay : int
        Longest rounded delay in steps, 0 without recurrence.
    """

    bits: int
    synapses: int
    operations: float
    accuracy: float | None
    delay: int


def stored_bits(core: CoreSpec) -> int:
    """Bits of the row and synapse memories of all lanes, as `spikewright generate` writes them."""
    bits = 0
    for image in core.memories.values():
        # A memory has two words at least.
        words = sum(max(2, len(data)) for data in image.data)
        bits += image.spec.axons * image.pointer_bits + words * image.synapse_bits
    return bits


def fan_out(spec: NetworkSpec) -> list[tuple[np.ndarray, np.ndarray | None]]:
    """Per layer the synapses of each feed-forward axon, and those of each recurrent axon (None without)."""
    counts = []
    for layer in spec.layers:
        nonzero = np.count_nonzero(layer.weights, axis=0)
        counts.append((nonzero[: layer.inputs], nonzero[layer.inputs :] if layer.recurrent else None))
    return counts


def estimated_operations(spec: NetworkSpec, rates: tuple[float, ...]) -> float:
    """Operations of all spikes of an inference if every neuron of a layer fired at the layer's mean rate.

    Input events are not in it, as logs do not count them; nor are correlations of rate and fan-out.
    """
    fans = fan_out(spec)
    total = 0.0
    for index, rate in enumerate(rates):
        recurrent = fans[index][1]
        synapses = int(fans[index + 1][0].sum()) + (0 if recurrent is None else int(recurrent.sum()))
        total += rate * spec.timesteps * synapses
    return total


@torch.no_grad()
def counted_operations(spec: NetworkSpec, samples: Samples, batch: int = 64) -> tuple[float, float]:
    """Operations per inference, see `count_operations`, and accuracy of the integer network on `samples`."""
    network = IntegerNetwork(spec)
    operations = correct = 0
    for counts, labels in zip(torch.split(samples.counts, batch), torch.split(samples.labels, batch), strict=True):
        trace = network.run(counts)
        correct += int((trace.classes == labels).sum())
        operations += total_operations(spec, counts, trace.spikes).sparse
    return operations / len(samples), correct / len(samples)


class Meter:
    """Measures runs, reading each data set once.

    Parameters
    ----------
    data_dir : Path, optional
        Recordings that the runs were trained on; without them operations are estimated from the logged firing rates.
    weight_bits, lanes : int
        Bits of a weight of the integer network, and lanes of the core.
    """

    def __init__(self, data_dir: Path | None, weight_bits: int, lanes: int) -> None:
        self._data_dir, self._weight_bits, self._lanes = data_dir, weight_bits, lanes
        self._parts: dict[str, Samples] = {}

    @property
    def counted(self) -> bool:
        """Whether operations are counted, not estimated."""
        return self._data_dir is not None

    def measure(self, run: Run) -> Cost:
        """Cost of a finished run.

        Raises
        ------
        InputError
            If its network cannot be quantized, or the recordings are not those it was trained on.
        """
        if run.network is None or run.best is None:
            raise InputError(f"{run.name} must be a finished run, not one that is {run.status}")
        with errors_in(run.name):
            spec = quantize(run.network, weight_bits=self._weight_bits)
        longest = max((int(layer.delays.max()) for layer in spec.layers if layer.delays is not None), default=0)
        bits = stored_bits(pack(spec, self._lanes))
        synapses = sum(layer.synapses for layer in spec.layers)
        if self._data_dir is None:
            return Cost(bits, synapses, estimated_operations(spec, run.best.rates), None, longest)
        samples = self._part(run.config, self._data_dir, "validation")
        _, accuracy, _ = validate(run.network, samples, run.config.training.logit_scale)
        if abs(accuracy - run.best.validation_accuracy) > _TOLERANCE:
            raise InputError(
                f"data must be the recordings that {run.name} was trained on, not {self._data_dir}: its validation "
                f"accuracy there is {accuracy:.4f} instead of {run.best.validation_accuracy:.4f}"
            )
        some = torch.linspace(0, len(samples) - 1, min(SAMPLES, len(samples))).round().long()
        counted = Samples(samples.counts[some], samples.labels[some])
        operations, integer_accuracy = counted_operations(spec, counted)
        return Cost(bits, synapses, operations, integer_accuracy, longest)

    def test(self, run: Run) -> float:
        """Accuracy of a finished run's float network on the test part; the recordings must be given."""
        if run.network is None or self._data_dir is None:
            raise InputError(f"{run.name} must be a finished run, and its recordings given, for a test accuracy")
        samples = self._part(run.config, self._data_dir, "test")
        return validate(run.network, samples, run.config.training.logit_scale)[1]

    def _part(self, config: Config, data_dir: Path, part: str) -> Samples:
        settings = config.to_dict()
        training = settings["training"]
        split = [training["validation_speakers"], None if training["validation_speakers"] else training["seed"]]
        network = {name: value for name, value in settings["network"].items() if name != "layers"}
        key = repr([part, network, settings.get("data"), split if part == "validation" else None])
        if key not in self._parts:
            # One at a time: data sets are large.
            validation = part == "validation"
            loaded = load_parts(config, data_dir)[1] if validation else load_samples(config, data_dir, "test")[0]
            self._parts = {key: loaded}
        return self._parts[key]
