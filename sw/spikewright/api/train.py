"""Training of a network by linearized Bregman iterations."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import torch

from spikewright.api.result import Result
from spikewright.api.source import AnyPath, Data
from spikewright.contract.errors import InputError
from spikewright.contract.shown import Facts, percent
from spikewright.data.shd import SpikeData
from spikewright.learn.checkpoint import is_checkpoint, load_checkpoint, read_checkpoint, save_checkpoint
from spikewright.learn.config import Config
from spikewright.learn.networks import SpikingNetwork
from spikewright.learn.state import STATE
from spikewright.learn.train import train as run
from spikewright.nir.convert import as_spiking_network
from spikewright.nir.network import ForeignNetwork

_START = "start.safetensors"


class Training(Result):
    """What a training found; `network` is the trained network.

    Attributes
    ----------
    accuracy : float
        Of the best epoch on the validation part, 0 .. 1.
    sparsity : float
        Share of the weights that are zero.
    best_epoch, epochs : int
    checkpoint : str or None
        File of the best epoch; None where the training had no folder to keep.
    history : list of dict
        An entry for each epoch, as in `log.jsonl`.
    """

    accuracy: float
    sparsity: float
    best_epoch: int
    epochs: int
    checkpoint: str | None

    def __init__(
        self,
        report: Mapping[str, Any],
        network: SpikingNetwork | None = None,
        history: list[dict[str, Any]] | None = None,
    ) -> None:
        super().__init__(report)
        self._network, self._history = network, history

    @property
    def network(self) -> SpikingNetwork:
        """The network of the best epoch, in evaluation mode."""
        if self._network is None:
            self._network = load_checkpoint(self.report["checkpoint"])
        return self._network

    @property
    def history(self) -> list[dict[str, Any]]:
        """What was logged after each epoch: losses, accuracies, sparsity, lambda, firing rates, seconds."""
        if self._history is None:
            self._history = _logged(Path(self.report["checkpoint"]).parent)
        return self._history

    def title(self) -> str:
        return f"Training of {self.epochs} epochs"

    def facts(self) -> Facts:
        return [
            ("accuracy, validation", f"{percent(self.accuracy)} ({self['validation_samples']} samples)"),
            ("zero weights", percent(self.sparsity)),
            ("best epoch", f"{self.best_epoch} of {self.epochs}: {self['reason']}"),
            *([("choice", self["choice"])] if self["choice"] else []),
            ("time", f"{self['seconds']:.0f} s"),
            ("checkpoint", str(self.checkpoint)),
        ]


def train(
    network: SpikingNetwork | ForeignNetwork | Config | AnyPath,
    data: Data,
    out: AnyPath | None = None,
    *,
    resume: bool = True,
    device: Literal["cpu", "cuda", "cuda-graph", "auto"] = "auto",
    tensorboard: bool = False,
    settings: Mapping[str, Any] | None = None,
    **more: Any,
) -> Training:
    """Train a network, with learned delays and, by AdaBreg, with most of its weights zero.

    Parameters
    ----------
    network : SpikingNetwork, ForeignNetwork, Config, TOML file, name of a shipped configuration, or checkpoint
        What to train. A network, or that of a checkpoint, is trained from the weights that it has, and is itself left
        as it is; a configuration starts with random ones.
    data : folder, "sample" or SpikeData
        What to train on: the training part of the folder, or all the samples given. Where nothing says which samples
        to choose the best epoch by, a tenth of them is held out for that.
    out : path, optional
        Folder for the checkpoint and the log, in which the training can be continued; none is kept by default.
    resume : bool
        Continue the training that `out` holds, if it is one of the same configuration; else start afresh.
    device : "cpu", "cuda", "cuda-graph" or "auto"
        auto takes a GPU where there is one.
    tensorboard : bool
        Write the epochs for TensorBoard too, into the folder `tensorboard` in `out`, which must then be given.
    settings : mapping, optional
        Changes of the configuration by name, such as `{"network.layers.1.neurons": 64}`.
    more
        The same, for names without dots: `epochs=20`, `lr=0.004`, `target_sparsity=0.9`, `optimizer="adam"`.

    Returns
    -------
    Training
        Its `network` is the best epoch's.

    Raises
    ------
    InputError
        If a setting or the data does not fit, `out` holds another training, or TensorBoard is not installed.
    CheckFailed
        If the training diverges.
    """
    if isinstance(data, tuple | torch.Tensor):
        raise InputError(f"data must be a folder, 'sample' or SpikeData(counts, labels), not a {type(data).__name__}")
    if isinstance(network, ForeignNetwork):
        network = as_spiking_network(network)
    if isinstance(network, torch.nn.Module) and not isinstance(network, SpikingNetwork):
        raise InputError(
            f"network must be by build_network or load_network, not a {type(network).__name__}: modules of your own "
            "are trained in a loop of your own, with AdaBreg as its optimizer"
        )
    texts = {name: _text(value) for name, value in {**(settings or {}), **more}.items()}
    if out is None and tensorboard:
        raise InputError("out must be given with tensorboard, not left out")
    if out is None:
        with tempfile.TemporaryDirectory(prefix="spikewright-training-") as folder:
            report = _train(network, data, Path(folder), texts, resume, device, tensorboard)
            trained = load_checkpoint(report["checkpoint"])
            return Training({**report, "checkpoint": None}, trained, _logged(Path(folder)))
    return Training(_train(network, data, Path(out), texts, resume, device, tensorboard))


def _train(
    network: SpikingNetwork | Config | AnyPath,
    data: Data,
    out: Path,
    settings: dict[str, str],
    resume: bool,
    device: str,
    tensorboard: bool,
) -> dict[str, Any]:
    config: Config | str
    if isinstance(network, SpikingNetwork):
        config = network.recipe or Config(network=network.config)
        settings = {**settings, "training.start": str(_begun(network, config, out, resume))}
    elif isinstance(network, Config):
        config = network
    elif is_checkpoint(str(network)):
        config = read_checkpoint(str(network))[1]
        settings = {**settings, "training.start": str(network)}
    else:
        config = str(network)
    samples = data if isinstance(data, SpikeData) else Path(data)
    return run(config, samples, out, settings, resume=resume, device=device, tensorboard=tensorboard)


def _begun(network: SpikingNetwork, config: Config, out: Path, resume: bool) -> Path:
    """The file in `out` with the weights that the training begins with, or began with where it is to be resumed."""
    start = out / _START
    if not (resume and (out / STATE).exists()):
        out.mkdir(parents=True, exist_ok=True)
        save_checkpoint(start, network, config, {})
    elif start.is_file():
        begun, present = load_checkpoint(start).state_dict(), network.state_dict()
        if begun.keys() != present.keys() or not all(torch.equal(begun[name], present[name]) for name in begun):
            raise InputError(f"{out} must hold a training that began with these weights, not others: see resume")
    return start


def _text(value: Any) -> str:
    """A setting in the spelling of configuration files."""
    return value if isinstance(value, str) else json.dumps(list(value) if isinstance(value, tuple) else value)


def _logged(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]
