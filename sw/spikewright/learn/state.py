"""Where a training is resumed: its weights, its optimizer and its progress in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from spikewright.contract.errors import InputError, errors_in
from spikewright.learn.checkpoint import Network, check_tensors, load_tensors, save_tensors
from spikewright.learn.config import Config, from_dict
from spikewright.support.settings import difference

STATE = "state.safetensors"
"""Of a run's folder: where to resume."""
STATE_FORMAT = "spikewright-training-2"


def save_state(
    path: Path, config: Config, network: Network, optimizer: torch.optim.Optimizer, progress: dict[str, Any]
) -> None:
    """Write what `load_state` reads; `progress` is JSON-ready."""
    tensors = {f"network.{name}": t for name, t in network.state_dict().items()}
    for index, state in optimizer.state_dict()["state"].items():
        for name, value in state.items():
            tensors[f"optimizer.{index}.{name}"] = torch.as_tensor(value)
    save_tensors(path, tensors, STATE_FORMAT, {"config": config.to_dict(), "progress": progress})


def load_state(
    path: Path, config: Config, network: Network, optimizer: torch.optim.Optimizer
) -> tuple[Config, dict[str, Any]]:
    """Put a network and its optimizer into the state of a file.

    Returns
    -------
    Config
        Which the run had; it may differ from `config` in the number of epochs.
    dict
        The progress.

    Raises
    ------
    InputError
        If the file is damaged, or of a run of another configuration.
    """
    tensors, fields = load_tensors(path, STATE_FORMAT, ("config", "progress"))
    with errors_in(f"{path}: metadata 'config'"):
        stored_config: Config = from_dict(fields["config"])  # with the defaults of settings younger than the run
    if name := difference(stored_config.to_dict(), config.to_dict(), but=("training.epochs",)):
        raise InputError(f"{path} must hold a run of the same configuration, not one of another {name}")
    weights = {name.removeprefix("network."): t for name, t in tensors.items() if name.startswith("network.")}
    check_tensors(path, weights, dict(network.state_dict()))
    network.load_state_dict(weights)
    stored = optimizer.state_dict()
    stored["state"] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimizer."):
            _, index, key = name.split(".", 2)
            scalar = key == "step" and not isinstance(optimizer, torch.optim.AdamW)
            stored["state"].setdefault(int(index), {})[key] = int(tensor) if scalar else tensor
    optimizer.load_state_dict(stored)
    return stored_config, fields["progress"]
