"""Accuracy and sparsity of a network."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from spikewright.api.result import Result
from spikewright.api.source import AnyNetwork, AnyPath, Data, opened
from spikewright.contract.errors import InputError
from spikewright.contract.shown import Facts, percent
from spikewright.data.arrays import SUFFIX, save_spikes
from spikewright.data.shd import SpikeData
from spikewright.integer.evaluate import evaluate as run
from spikewright.integer.evaluate import spikes_of
from spikewright.nir.evaluate import evaluate_foreign
from spikewright.nir.file import is_foreign, load_foreign
from spikewright.nir.network import ForeignNetwork
from spikewright.support.progress import step


class Evaluation(Result):
    """Accuracy, sparsity and firing rates of a network on samples.

    Attributes
    ----------
    samples : int
    accuracy : float or None
        0 .. 1; None if the samples have no labels.
    sparsity : float
        Share of exact zeros over all weight matrices.
    layers : list of dict
        `shape` [neurons, axons], `nnz`, `sparsity` and `firing_rate` (spikes per neuron and step; None for the
        read-out). Of a network of another library `name`, `neurons` and `firing_rate`.
    """

    samples: int
    accuracy: float | None
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
            if "name" in layer:
                of_spikes = "never fires" if rate is None else f"{rate:.4f} spikes per neuron and step"
                facts.append((layer["name"], f"{layer['neurons']} neurons, {of_spikes}"))
                continue
            neurons, axons = layer["shape"]
            of_spikes = "read-out" if rate is None else f"{rate:.4f} spikes per neuron and step"
            text = f"{neurons} neurons, {axons} axons, {percent(layer['sparsity'])} zero, {of_spikes}"
            facts.append((f"layer {index}", text))
        return facts


def evaluate(
    network: AnyNetwork, data: Data = "sample", *, split: str = "test", spikes: AnyPath | None = None
) -> Evaluation:
    """Run samples through a network.

    Parameters
    ----------
    network : network, or its path, or name of a shipped checkpoint
        A float network is evaluated with rounded delays and without dropout; an integer network bit for bit as the
        hardware computes; a network of another library as that computes it.
    data : SpikeData, folder, "sample" or NumPy file
        A network of another library takes the first and the last of these.
    split : "train", "valid" or "test"
        Part of a folder's data set.
    spikes : path, optional
        NumPy file (*.npz) to write the spikes of each layer to, (steps, samples, neurons), under its name.

    Raises
    ------
    InputError
        If the network or the data cannot be read, or do not fit each other; says both shapes.
    """
    if spikes is not None and Path(spikes).suffix != SUFFIX:
        raise InputError(f"spikes must be a file *{SUFFIX}, not {spikes}")
    foreign = _foreign(network)
    if foreign is not None:
        report, found = evaluate_foreign(foreign, data if isinstance(data, SpikeData) else Path(data))
        if spikes is not None:
            save_spikes(spikes, found)
        return Evaluation(report)
    source = opened(network)
    samples = source.samples(data, split)
    with step(f"Running {len(samples)} samples"):
        report = run(source.network, samples)
        if spikes is not None:
            found = spikes_of(source.network, samples)
            if source.names:
                shown = zip(source.names, source.latencies, found.values(), strict=True)
                found = {name: _later(of_layer, steps) for name, steps, of_layer in shown}
            save_spikes(spikes, found)
        return Evaluation(report, "" if samples is data else split)


def _later(spikes: np.ndarray[Any, Any], steps: int) -> np.ndarray[Any, Any]:
    """Spikes (T, samples, neurons) so many steps later."""
    return np.concatenate([np.zeros_like(spikes[:steps]), spikes[: len(spikes) - steps]])


def _foreign(network: AnyNetwork) -> ForeignNetwork | None:
    """The network of another library that is given, or is in a file; None if it is one of ours."""
    if isinstance(network, ForeignNetwork):
        return network
    if isinstance(network, str | os.PathLike) and is_foreign(Path(network)):
        return load_foreign(Path(network))[0]
    return None
