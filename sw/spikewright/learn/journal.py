"""What a training tells of its epochs: a line for each, and in the end why the best one is the best."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from spikewright.learn.config_sections import TrainingConfig
from spikewright.learn.controller import SparsityController
from spikewright.support.progress import duration

SPARSITY_TOLERANCE = 0.02
"""How far an epoch may stay below the target sparsity and count as one that reached it."""

Entry = Mapping[str, Any]
"""Of an epoch, as `log.jsonl` has it."""


def news(entry: Entry, target: float) -> dict[str, str]:
    """Accuracy and sparsity of an epoch, and its lambda if it has one, as short texts by name.

    Parameters
    ----------
    entry : mapping
    target : float
        Share of zeros that the training is steered to; 0 if to none.
    """
    wanted = f" of {100 * target:g}" if target else ""
    lam = {"lambda": f"{entry['lam']:.3g}"} if entry["lam"] else {}
    return {
        "validation accuracy": f"{100 * entry['validation_accuracy']:.2f} %",
        "zeros": f"{100 * entry['sparsity']:.1f}{wanted} %",
        **lam,
    }


def line(entry: Entry, target: float, epochs: int, seconds_left: float) -> str:
    """What is said after an epoch: `epoch 3 of 60: loss 0.4321, validation accuracy 91.25 %, ... left`."""
    told = ", ".join(f"{name} {text}" for name, text in news(entry, target).items())
    left = f", {duration(seconds_left)} left" if entry["epoch"] < epochs else ""
    return f"epoch {entry['epoch']} of {epochs}: loss {entry['loss']:.4f}, {told}{left}"


def choice(best: Entry, top: Entry, training: TrainingConfig, controller: SparsityController | None) -> str | None:
    """What is to be said of the choice of the epoch: why the most accurate one (`top`) was not taken; None if it was.

    `best` is the entry of the epoch that was chosen, with its `rank`, whose first number is whether it may be chosen.
    """
    better = bool(top) and top["accuracy"] > best["validation_accuracy"]
    other = f"epoch {top['epoch']} had {100 * top['accuracy']:.2f} %" if better else ""
    if training.keep == "last":
        return f"the last, as training.keep asks for; {other}" if better else None
    if controller is None:
        return None
    zeros = f"the target of {100 * controller.target:g} % zeros"
    if not best["rank"][0]:
        return f"no epoch reached {zeros}"
    if not better:
        return None
    if top["sparsity"] >= controller.target - SPARSITY_TOLERANCE:
        return f"{other}, but came before {zeros} was fully asked for (epoch {controller.ramp})"
    return f"{other}, but only {100 * top['sparsity']:.2f} % zeros, below {zeros}"


def reason(best: Entry, training: TrainingConfig, controller: SparsityController | None) -> str:
    """Why the best epoch is the best."""
    if training.keep == "last":
        return "the last, as training.keep asks for"
    highest = "the highest validation accuracy"
    if controller is None or not best["rank"][0]:
        return f"{highest} of all epochs"
    enough = 100 * (controller.target - SPARSITY_TOLERANCE)
    return f"{highest} of the epochs from {controller.ramp} on that have {enough:.4g} % zeros or more"
