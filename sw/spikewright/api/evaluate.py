"""Accuracy and sparsity of a network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spikewright.api.result import Result
from spikewright.api.source import AnyNetwork, Data, opened
from spikewright.contract.shown import Facts, percent
from spikewright.integer.evaluate import evaluate as run
from spikewright.support.progress import step


class Evaluation(Result):
    """Accuracy, sparsity and firing rates of a network on samples.

    Attributes
    ----------
    samples : int
    accuracy : float
        0 .. 1.
    sparsity : float
        Share of exact zeros over all weight matrices.
    layers : list of dict
        `shape` [neurons, axons], `nnz`, `sparsity` and `firing_rate` (spikes per neuron and step; None for the
        read-out).
    """

    samples: int
    accuracy: float
    sparsity: float
    layers: list[dict[str, Any]]

    def __init__(self, report: Mapping[str, Any], part: str = "") -> None:
        super().__init__(report)
        self._part = part

    def facts(self) -> Facts:
        part = f" ({self._part})" if self._part else ""
        facts = [
            ("accuracy", percent(self.accuracy)),
            ("samples", f"{self.samples}{part}"),
            ("zero weights", percent(self.sparsity)),
        ]
        for index, layer in enumerate(self.layers):
            rate = layer["firing_rate"]
            neurons, axons = layer["shape"]
            of_spikes = "read-out" if rate is None else f"{rate:.4f} spikes per neuron and step"
            text = f"{neurons} neurons, {axons} axons, {percent(layer['sparsity'])} zero, {of_spikes}"
            facts.append((f"layer {index}", text))
        return facts


def evaluate(network: AnyNetwork, data: Data = "sample", *, split: str = "test") -> Evaluation:
    """Run samples through a network.

    Parameters
    ----------
    network : network, or its path, or name of a shipped checkpoint
        A float network is evaluated with rounded delays and without dropout; an integer network bit for bit as the
        hardware computes.
    data : SpikeData, folder or "sample"
    split : "train", "valid" or "test"
        Part of a folder's data set.

    Raises
    ------
    InputError
        If the network or the data cannot be read, or do not fit each other; says both shapes.
    """
    source = opened(network)
    samples = source.samples(data, split)
    with step(f"Running {len(samples)} samples"):
        return Evaluation(run(source.network, samples), "" if samples is data else split)
