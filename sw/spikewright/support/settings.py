"""Configurations as flat settings, named as the user names them, to compare and to tell apart."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

Value = str | int | float | bool | tuple[Any, ...]


def flatten(values: dict[str, Any], prefix: str = "") -> dict[str, Value]:
    """Settings by full name (`training.lr`, `network.layers.1.max_delay`) of the plain values of a `Config`.

    Parameters
    ----------
    values : dict
        As `Config.to_dict` makes it: nested tables, lists of tables (layers), lists of numbers (one setting),
        and scalars.
    prefix : str
        Name of the section, with its dot.
    """
    flat: dict[str, Value] = {}
    for key, value in values.items():
        if isinstance(value, list) and value and isinstance(value[0], dict):
            value = {str(index): item for index, item in enumerate(value)}
        if isinstance(value, dict):
            flat |= flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = tuple(value) if isinstance(value, list) else value
    return flat


def difference(one: dict[str, Any], other: dict[str, Any], but: Collection[str] = ()) -> str:
    """Name of the first setting in which two configurations (`Config.to_dict`) differ; empty if they are equal.

    Settings named in `but` may differ.
    """
    left, right = flatten(one), flatten(other)
    for name in [*left, *right]:
        if name in but:
            continue
        if name not in left or name not in right:
            return "network.layers" if name.startswith("network.layers.") else name
        # 1 and True are equal in Python, and are not the same setting.
        if (type(left[name]), left[name]) != (type(right[name]), right[name]):
            return name
    return ""


def brief(value: Value) -> str:
    """A value as short text: 0.1, 1e-05, 20, onecycle, 3+9."""
    if isinstance(value, tuple):
        return "+".join(brief(item) for item in value) or "none"
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)
