"""Words that users choose by, loaded without anything heavy."""

from __future__ import annotations

from typing import Literal, get_args

Layers = Literal["parallel", "shared"]
"""How the layers of a core work: each with lanes of its own, or all taking turns on the same ones."""
LAYERS: tuple[Layers, ...] = get_args(Layers)
