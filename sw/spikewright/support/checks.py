"""Checks of settings: one line that names the setting, the constraint and the value."""

from __future__ import annotations

import math

from spikewright.contract.errors import InputError


def require(ok: bool, name: str, constraint: str, value: object) -> None:
    """Raise InputError unless `ok`: `name` must be `constraint`, not `value`."""
    if not ok:
        raise InputError(f"{name} must be {constraint}, not {value!r:.60}")


def require_finite(value: object, name: str) -> None:
    """Raise InputError if `value` is a floating-point number that is infinite or no number."""
    if isinstance(value, float) and not math.isfinite(value):
        raise InputError(f"{name} must be finite, not {value}")
