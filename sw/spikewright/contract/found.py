"""Additions of a kind: each is a module of one package, and is found by being there."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from spikewright.contract.errors import InputError, suggestion


def names(package: str, first: Sequence[str] = ()) -> tuple[str, ...]:
    """Names of the modules of a package, none of them imported: those of `first` in that order, then the others."""
    found = {module.name for module in iter_modules(import_module(package).__path__) if module.name[0] != "_"}
    return (*(name for name in first if name in found), *sorted(found.difference(first)))


def find(package: str, kind: str, name: str) -> Any:
    """What a module of a package calls `KIND`; the hyphens of a name are underscores in that of its module.

    Raises
    ------
    InputError
        If there is none of that name.
    """
    known = tuple(known.replace("_", "-") for known in names(package))
    if name not in known:
        raise InputError(f"{kind} must be one of {', '.join(known)}, not {name!r}{suggestion(name, known)}")
    return getattr(import_module(f"{package}.{name.replace('-', '_')}"), kind.upper())


def class_in(package: str, name: str, base: type) -> Any:
    """The one class that a module of a package makes from `base`.

    Raises
    ------
    TypeError
        If there are none or several.
    """
    module = import_module(f"{package}.{name}")
    classes = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, base) and value.__module__ == module.__name__
    ]
    if len(classes) != 1:
        raise TypeError(f"{module.__name__} must have one class made from {base.__name__}, not {len(classes)}")
    return classes[0]
