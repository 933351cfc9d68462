"""Lights that a platform of amaranth-boards has under one name for three colours, each under a name of its own."""

from __future__ import annotations

from typing import Any


def add_colours(platform: Any, attributes: Any, **pins: str) -> None:
    """Add lights `led_r`, `led_g`, ... that are on while their pin is low, by the names of the colours."""
    from amaranth.build import PinsN, Resource

    platform.add_resources(
        [Resource(f"led_{colour}", 0, PinsN(pin, dir="o"), attributes) for colour, pin in pins.items()]
    )
