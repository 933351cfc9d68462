"""Optimizer of a training, what steers it to a sparsity, and what changes from step to step, as configured."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from spikewright.contract.errors import InputError
from spikewright.learn.checkpoint import Network
from spikewright.learn.config import TrainingConfig
from spikewright.learn.controller import SparsityController
from spikewright.learn.networks import SpikingNetwork
from spikewright.learn.optim import AdaBreg, LinBreg
from spikewright.learn.regularizers import L1, Regularizer


def rate_factor(schedule: str, step: int, steps: int) -> float:
    """Learning rate relative to its configured value at `step` of `steps`.

    `onecycle` rises from 1/25 within 30 % of the steps and falls to 0, each along half a cosine (Smith 2018);
    `cosine` falls from 1 to 0.
    """
    done = step / max(1, steps)
    if schedule == "none":
        return 1.0
    if schedule == "cosine":
        return 0.5 * (1.0 + math.cos(math.pi * done))
    if done < 0.3:
        return 1.0 - (1.0 - 1.0 / 25.0) * 0.5 * (1.0 + math.cos(math.pi * done / 0.3))
    return 0.5 * (1.0 + math.cos(math.pi * (done - 0.3) / 0.7))


def make_optimizer(network: Network, training: TrainingConfig) -> torch.optim.Optimizer:
    """Three groups: weight matrices (regularized), delays, and all the rest."""
    matrices = network.weight_matrices()
    delays = network.delay_parameters()
    rest = [p for name, p in network.named_parameters() if name not in matrices and name not in delays]
    groups: list[dict[str, Any]] = [
        {"params": list(matrices.values()), "lr": training.lr},
        {"params": list(delays.values()), "lr": training.lr_delays},
        {"params": rest, "lr": training.lr},
    ]
    groups = [group for group in groups if group["params"]]
    if training.optimizer == "adam":
        groups[0]["weight_decay"] = training.weight_decay
        return torch.optim.AdamW(groups, weight_decay=0.0)
    groups[0] |= {"reg": L1(training.lam), "delta": training.delta}
    if training.optimizer == "linbreg":
        return LinBreg(groups, momentum=training.momentum)
    return AdaBreg(groups)


def parameter_groups(module: nn.Module, reg: Regularizer, *, lr_delays: float = 0.05) -> list[dict[str, Any]]:
    """Parameter groups for an optimizer that makes the weights of any module sparse.

    `AdaBreg(parameter_groups(module, L1(0.02)), lr=1e-3)` regularizes the weights, and trains plainly what must not
    vanish: biases, norms, time constants, thresholds, delays.

    Parameters
    ----------
    module : Module
        Of PyTorch, or of a library on it.
    reg : Regularizer
        Of the first group: all parameters of two or more dimensions.
    lr_delays : float
        Learning rate of the delays of a `SpikingNetwork`, in steps.

    Returns
    -------
    list of dict
        The weights, then what is left of delays and of all others. Parameters that are not trained are left out.

    Raises
    ------
    InputError
        If the module has no weights to regularize.
    """
    trained = {name: p for name, p in module.named_parameters() if p.requires_grad}
    weights = [p for p in trained.values() if p.dim() >= 2]
    if not weights:
        raise InputError(f"module must have parameters of two or more dimensions, not none ({type(module).__name__})")
    delays = module.delay_parameters() if isinstance(module, SpikingNetwork) else {}
    rest = [p for name, p in trained.items() if p.dim() < 2 and name not in delays]
    groups: list[dict[str, Any]] = [{"params": weights, "reg": reg}]
    if moved := [p for name, p in trained.items() if name in delays]:
        groups.append({"params": moved, "lr": lr_delays})
    if rest:
        groups.append({"params": rest})
    return groups


def make_controller(optimizer: torch.optim.Optimizer, settings: TrainingConfig) -> SparsityController | None:
    """What steers the first parameter group to the target sparsity; None without such, and of AdamW."""
    if not (settings.target_sparsity and isinstance(optimizer, AdaBreg | LinBreg)):
        return None
    ramp = max(1, round(settings.sparsity_ramp * settings.epochs))
    return SparsityController(optimizer, 0, settings.target_sparsity, settings.lam_gain, ramp, settings.lam_step)


def sigma_at(settings: TrainingConfig, epoch: int) -> float:
    """Half-width, less one step, of the triangle over which a delayed spike is spread in an epoch, from 0 on."""
    return settings.sigma * float(settings.sigma_decay ** (100.0 * epoch / settings.epochs))
