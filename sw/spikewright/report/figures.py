"""What the figures show, as numbers: no drawing here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from spikewright.report.groups import Group

Scale = Literal["linear", "log", "zeros"]
Cell = str | int | float | None
SETTINGS = ("network", "variant", "optimizer", "schedule", "lambda", "target")
"""Columns of `settings_of`."""

_Key = TypeVar("_Key")
_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Point:
    """A place in a panel: mean and, for several seeds, standard deviation of both coordinates."""

    x: float
    y: float
    x_deviation: float | None = None
    y_deviation: float | None = None
    label: str = ""


@dataclass(frozen=True)
class Series:
    """A line of a panel.

    Parameters
    ----------
    label : str
        For the legend. Series of equal label look alike in all panels of a figure.
    points : tuple of Point
    method : (optimizer, schedule)
    order : float or None
        Place in an ordered family of curves (lambda, target), which decides the colour; None for a method.
    kind : "mean", "fragment" or "level"
        A mean over seeds; one run that did not finish; a horizontal line across the panel.
    """

    label: str
    points: tuple[Point, ...]
    method: tuple[str, str]
    order: float | None = None
    kind: Literal["mean", "fragment", "level"] = "mean"
    diverged: bool = False


@dataclass(frozen=True)
class Panel:
    title: str
    series: tuple[Series, ...]
    total: int = 0
    """Of what the y axis counts, for an axis in percent; 0 for none."""


@dataclass(frozen=True)
class Figure:
    """A figure and the table of its numbers.

    Parameters
    ----------
    name : str
        Name of its files, without extension.
    title, caption, description : str
        Heading, what is to be seen, and the numbers in words for those who do not see it.
    x_label, y_label : str
        With units.
    x_scale, y_scale : "linear", "log", or "zeros"
        `zeros` is a share of zeros along a logarithmic axis of what is not zero.
    legend : str
        Heading of the legend.
    columns, rows
        The table.
    """

    name: str
    title: str
    caption: str
    description: str
    x_label: str
    y_label: str
    panels: tuple[Panel, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    x_scale: Scale = "linear"
    y_scale: Scale = "linear"
    legend: str = ""
    ticks: tuple[float, ...] = field(default=())


def panel_title(group: Group, all_groups: Sequence[Group], rest: str = "") -> str:
    """What tells a panel from the others of its figure."""
    networks = {item.network for item in all_groups}
    parts = [group.network if len(networks) > 1 else "", rest, group.variant]
    return ", ".join(part for part in parts if part)


def adams(groups: Sequence[Group]) -> list[Group]:
    return [group for group in groups if group.method[0] == "adam"]


def settings_of(group: Group) -> tuple[Cell, ...]:
    return group.network, group.variant, *group.method, group.lam, group.target


def by(items: Sequence[_Item], key: Callable[[_Item], _Key]) -> dict[_Key, list[_Item]]:
    """Items by their key, both in the order of their first appearance."""
    found: dict[_Key, list[_Item]] = {}
    for item in items:
        found.setdefault(key(item), []).append(item)
    return found
