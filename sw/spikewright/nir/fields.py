"""Fields of a node as a file holds them, and how each kind of them is checked.

A node's record (`nodes.py`) is a dataclass whose fields say by which of these functions they are read.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from spikewright.contract.errors import InputError

Array = npt.NDArray[Any]
Shape = tuple[int, ...]

MAX_VALUES = 1 << 22
"""Most values that a node takes or gives in a step: more are a damaged shape, not a layer."""

MAX_WHOLE = 1 << 31

LARGEST, SMALLEST = 1e30, 1e-30
"""Of numbers, and of those that must be above 0: beyond them single precision has none."""

Reader = Callable[[str, Any], Any]


def read_fields(kind: type[Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments of a record from the fields of a file, every one checked.

    Raises
    ------
    InputError
        If a field is missing, unknown, or not what it should be; names the field.
    """
    known = {item.name: item.metadata["read"] for item in dataclasses.fields(kind)}
    for name in values:
        if name not in known and name not in ("type", "metadata", "input_type", "output_type"):
            raise InputError(f"{name} must be left out: {kind.__name__} has {', '.join(known) or 'no fields'}")
    found = {}
    for item in dataclasses.fields(kind):
        if item.name in values:
            found[item.name] = known[item.name](item.name, values[item.name])
        elif item.default is dataclasses.MISSING:
            raise InputError(f"{item.name} must be given, not left out")
    return found


def _numbers(name: str, value: Any) -> Array:
    if not isinstance(value, np.ndarray):
        raise InputError(f"{name} must be numbers, not {'a group' if isinstance(value, dict) else 'text'}")
    return value


def _floats(name: str, value: Any, infinite: bool) -> Array:
    """Floating-point numbers, none above `LARGEST` in size; integers become float64, others keep their width."""
    array = _numbers(name, value)
    array = array.astype(array.dtype.newbyteorder("=") if array.dtype.kind == "f" else np.float64)
    if not array.size:
        raise InputError(f"{name} must hold at least one value, not shape {array.shape}")
    flat = array.ravel().astype(np.float64)
    if infinite:
        flat[flat == np.inf] = 0.0
    for fits, constraint in ((np.isfinite(flat), "finite"), (np.abs(flat) <= LARGEST, f"at most {LARGEST:g} in size")):
        if not fits.all():
            worst = int(np.argmin(fits))
            place = f"[{', '.join(map(str, np.unravel_index(worst, array.shape)))}]" if array.shape else ""
            raise InputError(f"{name}{place} must be {constraint}, not {flat[worst]:g}")
    return array


def _wholes(name: str, value: Any) -> tuple[int, ...]:
    array = _numbers(name, value)
    flat = array.ravel().astype(np.float64)
    if array.ndim > 1 or not np.array_equal(flat, np.round(flat)) or np.abs(flat).max(initial=0) > MAX_WHOLE:
        raise InputError(f"{name} must be whole numbers, not {array.ravel()[:4].tolist()} of shape {array.shape}")
    return tuple(int(number) for number in flat)


def _field(read: Reader, **default: Any) -> Any:
    return dataclasses.field(metadata={"read": read}, **default)


def _with_default(default: object) -> dict[str, Any]:
    return {} if default is ... else {"default": default}


def values(
    default: Any = ...,
    dimensions: int | None = None,
    *,
    positive: bool = False,
    least: float | None = None,
    infinite: bool = False,
) -> Any:
    """An array of numbers, of so many `dimensions`, all above 0 where `positive`, or at least `least`.

    All are finite, but that inf may be among them where `infinite`.
    """

    def read(name: str, value: Any) -> Array:
        array = _floats(name, value, infinite)
        if dimensions is not None and array.ndim != dimensions:
            raise InputError(f"{name} must have {dimensions} dimensions, not shape {array.shape}")
        low = float(array.min())
        if positive and low < SMALLEST:
            constraint = "above 0" if low <= 0 else f"at least {SMALLEST:g}"
            raise InputError(f"{name} must be {constraint}, not {low:g}")
        if least is not None and low < least:
            raise InputError(f"{name} must be at least {least:g}, not {low:g}")
        return array

    return _field(read, **_with_default(default))


def shape(default: Any = ..., dimensions: int | None = None) -> Any:
    """The shape of what a node takes or gives: each length at least 1, at most `MAX_VALUES` values in all."""

    def read(name: str, value: Any) -> Shape:
        lengths = _wholes(name, value)
        if dimensions is not None and len(lengths) != dimensions:
            raise InputError(f"{name} must have {dimensions} lengths, not {lengths}")
        check_shape(name, lengths)
        return lengths

    return _field(read, **_with_default(default))


def check_shape(name: str, lengths: Shape) -> None:
    """InputError unless there is a length, all are at least 1, and the shape holds at most `MAX_VALUES` values."""
    if not lengths or min(lengths) < 1 or math.prod(lengths) > MAX_VALUES:
        raise InputError(f"{name} must be lengths of at least 1 and {MAX_VALUES} values at most, not {lengths}")


def counts(low: int, dimensions: int, default: Any = ...) -> Any:
    """One whole number of at least `low` per dimension; a single one stands for all."""

    def read(name: str, value: Any) -> tuple[int, ...]:
        numbers = _wholes(name, value)
        if len(numbers) == 1:
            numbers *= dimensions
        if len(numbers) != dimensions or min(numbers) < low:
            raise InputError(f"{name} must be 1 or {dimensions} numbers of at least {low}, not {numbers}")
        return numbers

    return _field(read, **_with_default(default))


def padding(dimensions: int) -> Any:
    """As `counts`, or the texts "same" and "valid"."""

    def read(name: str, value: Any) -> tuple[int, ...] | str:
        if isinstance(value, str):
            if value not in ("same", "valid"):
                raise InputError(f"{name} must be 'same', 'valid' or numbers, not {value!r:.60}")
            return value
        checked: tuple[int, ...] = counts(0, dimensions).metadata["read"](name, value)
        return checked

    return _field(read)


def whole(default: Any = ..., low: int | None = None) -> Any:
    """One whole number."""

    def read(name: str, value: Any) -> int:
        numbers = _wholes(name, value)
        if len(numbers) != 1 or (low is not None and numbers[0] < low):
            raise InputError(f"{name} must be one number{'' if low is None else f' of at least {low}'}, not {numbers}")
        return numbers[0]

    return _field(read, **_with_default(default))
