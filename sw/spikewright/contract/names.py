"""Words that users choose by, loaded without anything heavy."""

from __future__ import annotations

from typing import Literal, get_args

Layers = Literal["parallel", "shared"]
"""How the layers of a core work: each with lanes of its own, or all taking turns on the same ones."""
LAYERS: tuple[Layers, ...] = get_args(Layers)
LAYERS_HELP: dict[Layers, str] = {
    "parallel": "every layer has its lanes, all work at once",
    "shared": "they take turns on the same lanes, for small FPGAs",
}
"""What they mean to somebody who has to choose."""


def unusual(layers: str) -> list[str]:
    """The word for how layers work, as a list that is empty where it goes without saying."""
    return [layers] if layers != LAYERS[0] else []
