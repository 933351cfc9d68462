"""How many samples are enough to choose an epoch by."""

from __future__ import annotations

from spikewright.support.progress import warn

FEW_SAMPLES = 50
"""With fewer in the validation part, a sample is more than 2 % of the accuracy, and chance decides between epochs."""


def warn_if_few(samples: int) -> None:
    """Say on standard error that a validation part is too small."""
    if samples < FEW_SAMPLES:
        part = "1 sample" if samples == 1 else f"{samples} samples"
        warn(
            f"the validation part has {part}, too few to choose an epoch by "
            f"(each is {100 / samples:.3g} % of the accuracy)"
        )
