"""Public names of `spikewright.contract.errors`, where the package itself imports them from."""

from spikewright.contract.errors import CheckFailed, InputError, ToolTrouble

__all__ = [
    "CheckFailed",
    "InputError",
    "ToolTrouble",
]
