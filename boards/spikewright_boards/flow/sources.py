"""Files of a build folder that a synthesis reads."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from spikewright.contract.errors import InputError
from spikewright.support.files import MANIFEST


def core_sources(verilog: Sequence[Path], manifest: Mapping[str, Any]) -> list[Path]:
    """Files of the build folder that belong to the core, as its manifest lists them."""
    folder = verilog[0].parent
    images = manifest.get("images")
    if not isinstance(images, Mapping) or not all(re.fullmatch(r"\w+", name, re.ASCII) for name in images):
        raise InputError(f"{folder / MANIFEST}: images must be an object with names of memory images")
    sources = [*verilog, *(folder / f"{name}.hex" for name in images)]
    for source in sources:
        if not source.is_file():
            raise InputError(f"{folder} must hold {source.name}: it is no complete folder by `spikewright generate`")
    return sources
