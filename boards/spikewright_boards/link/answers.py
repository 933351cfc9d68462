"""A board's answers, compared with those of the integer network."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from .session import Session

DETAILS = 10
"""Differences that are told."""


def compare_answers(
    session: Session,
    counts: npt.NDArray[np.integer],
    labels: npt.NDArray[np.integer],
    scores: npt.NDArray[np.integer],
    classes: npt.NDArray[np.integer],
    *,
    reload: Callable[[], object] | None = None,
    along: Callable[[Iterable[int]], Iterable[int]] = lambda samples: samples,
) -> dict[str, Any]:
    """Send samples to a board, one after the other, and compare.

    Parameters
    ----------
    session : Session
        Begun, and the core loaded.
    counts : (B, T, axons) integers
    labels : (B,) integers
        Classes of the samples.
    scores, classes : (B, classes) and (B,) integers
        By the integer network.
    reload : callable, optional
        See `Session.ask`.
    along : callable
        Shows progress over the numbers of the samples.

    Returns
    -------
    dict
        `samples`, `mismatches` (scores and classes that differ), `details` (the first of them), `accuracy` (of the
        board), `model_accuracy`, `latency_us` (median from the last byte of a sample to the first of its result),
        `slowest_us`, `repeated` (samples that were sent again, as bytes were lost).
    """
    details: list[str] = []
    mismatches = repeated = right = 0
    latencies = []
    for number in along(range(len(counts))):
        answer = session.ask(counts[number], reload)
        told = [(f"score of class {k}", score) for k, score in enumerate(answer.result.scores)]
        wanted = [*scores[number].tolist(), int(classes[number])]
        for (what, found), expected in zip([*told, ("class", answer.result.label)], wanted, strict=True):
            if found != expected:
                mismatches += 1
                if len(details) < DETAILS:
                    details.append(f"sample {number}, {what}: expected {expected}, got {found}")
        right += answer.result.label == labels[number]
        repeated += answer.tries > 1
        latencies.append(1e6 * answer.latency)
    return {
        "samples": len(counts),
        "mismatches": mismatches,
        "details": details,
        "accuracy": right / len(counts),
        "model_accuracy": float(np.mean(classes == labels)),
        "latency_us": round(statistics.median(latencies), 1),
        "slowest_us": round(max(latencies), 1),
        "repeated": repeated,
    }
