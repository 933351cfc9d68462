"""Words that users choose by, loaded without anything heavy."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from spikewright.contract.errors import InputError, errors_in

CORE_NAME = "spikewright_core"
"""Of the Verilog module and its file, unless the user chooses another."""
TRACE = "SPIKEWRIGHT_TRACE"
"""Macro of Verilog that gives a core its trace ports."""
Layers = Literal["parallel", "shared", "slotted"]
"""How the layers of a core work: each with lanes of its own, or all taking turns on the same ones."""
LAYERS: tuple[Layers, ...] = get_args(Layers)
LAYERS_HELP: dict[Layers, str] = {
    "parallel": "every layer has its lanes, all work at once",
    "shared": "they take turns on the same lanes, for small FPGAs",
    "slotted": "every layer reads the synapses of an event for all neurons at once, for the least latency",
}
"""What they mean to somebody who has to choose."""
LANES = (1, 2, 4, 8, 16, 32, 64)
"""How many lanes a core can have."""


def check_lanes(lanes: object) -> None:
    """Raises `InputError` if a core cannot have so many lanes."""
    if isinstance(lanes, bool | float) or lanes not in LANES:
        raise InputError(f"lanes must be one of {', '.join(map(str, LANES))}, not {lanes!r:.60}")


def check_core_name(name: str) -> None:
    """Raises `InputError` if a core cannot have that name: a word of letters, digits and underscores."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,99}", name):
        raise InputError(f"name must be a word of letters, digits and underscores, not {name!r:.60}")


def core_name(manifest: Mapping[str, Any], path: Path) -> str:
    """Name of the core that a manifest, read from `path`, tells of.

    Raises
    ------
    InputError
        If it is no name.
    """
    name = manifest.get("top", CORE_NAME)
    with errors_in(f"{path}: top"):
        check_core_name(str(name))
    return str(name)


def verilog_files(manifest: Mapping[str, Any], path: Path) -> list[str]:
    """Names of the files of Verilog that belong to a core, its own first, by a manifest that was read from `path`.

    Raises
    ------
    InputError
        If these are no names of files in the folder of the manifest.
    """
    top = f"{core_name(manifest, path)}.v"
    names = manifest.get("verilog", top)
    names = [names] if isinstance(names, str) else names
    if not isinstance(names, list) or not all(re.fullmatch(r"\w+\.v", str(name), re.ASCII) for name in names):
        raise InputError(f"{path}: verilog must be a list of Verilog files, not {names!r:.60}")
    if names[:1] != [top] or len(set(names)) != len(names):
        raise InputError(f"{path}: verilog must be different files, {top} first, not {names!r:.60}")
    return names


def unusual(layers: str) -> list[str]:
    """The word for how layers work, as a list that is empty where it goes without saying."""
    return [layers] if layers != LAYERS[0] else []
