"""Optimizer and learning rates of a training, as configured."""

from __future__ import annotations

import math
from typing import Any

import torch

from spikewright.learn.checkpoint import Network
from spikewright.learn.config import TrainingConfig
from spikewright.learn.optim import AdaBreg, LinBreg
from spikewright.learn.regularizers import L1


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
