"""Energy of a cell by its library: of a change of each of its pins, and of doing nothing.

Conditions of internal power (`when`, `related_pin`) are averaged over; rising and falling edges as well.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from itertools import pairwise

from spikewright.contract.errors import InputError, errors_in

from .liberty import Group
from .library import Cell, Library

SLEW = 1e-10
"""Seconds of the edges at the inputs, at which tables are read."""
_LOAD = "total_output_net_capacitance"


class CellPower:
    """Joules and watts of a cell.

    Attributes
    ----------
    leakage : float
        Watts.

    Raises
    ------
    InputError
        If the library says them with what is no finite number, or over axes that do not rise.
    """

    def __init__(self, library: Library, cell: Cell) -> None:
        with errors_in(f"{library.path}, cell {cell.name}"):
            self.leakage = _leakage(cell.group) * library.leakage
            self._tables = {
                name: [_Table(library, table) for group in pin.group.of("internal_power") for table in _edges(group)]
                for name, pin in cell.pins.items()
            }
        self._known: dict[tuple[str, float], float] = {}

    def internal(self, pin: str, load: float) -> float:
        """Joules in the cell for a change of a pin, an output with so many farads."""
        known = self._known.get((pin, load))
        if known is None:
            tables = self._tables[pin]
            known = sum(table.read(load) for table in tables) / len(tables) if tables else 0.0
            self._known[pin, load] = known
        return known


def _leakage(group: Group) -> float:
    """Leakage of a cell in the unit of its library: as said, or the mean over its states."""
    if "cell_leakage_power" in group.attributes:
        return group.number("cell_leakage_power")
    values = [found.number("value", 0.0) for found in group.of("leakage_power")]
    return sum(values) / len(values) if values else 0.0


def _edges(group: Group) -> list[Group]:
    return [table for kind in ("rise_power", "fall_power", "power") for table in group.of(kind)]


class _Table:
    """A table over the slew of the input, the load of the output, or both."""

    def __init__(self, library: Library, group: Group) -> None:
        self._energy = library.energy
        templates = [*library.group.of("power_lut_template"), *library.group.of("lu_table_template")]
        template = next((each for each in templates if each.name == group.name), Group("power_lut_template"))
        self._values = group.numbers("values")
        self._axes: list[tuple[bool, list[float]]] = []
        for number in (1, 2):
            index = group.numbers(f"index_{number}") or template.numbers(f"index_{number}")
            is_load = template.text(f"variable_{number}") == _LOAD
            unit = library.farads if is_load else library.time
            if any(b <= a for a, b in pairwise(index)):
                raise InputError(f"index_{number} of {group.kind} {group.name} must rise, not be {index!r:.60}")
            if len(index) > 1:
                self._axes.append((is_load, [value * unit for value in index]))

    def read(self, load: float) -> float:
        values = self._values
        sizes = [len(index) for _, index in self._axes]
        if not values or (sizes and len(values) != sizes[0] * (sizes[1] if len(sizes) > 1 else 1)):
            return self._energy * values[0] if values else 0.0
        for is_load, index in self._axes:
            low, share = _between(index, load if is_load else SLEW)
            size = len(values) // len(index)
            rows = [values[k * size : (k + 1) * size] for k in (low, low + 1)]
            values = [a + share * (b - a) for a, b in zip(*rows, strict=True)]
        return self._energy * values[0]


def _between(index: Sequence[float], value: float) -> tuple[int, float]:
    """The lower of the two places that a value is between, and how far; values beyond the ends count as these."""
    low = min(max(bisect_right(index, value) - 1, 0), len(index) - 2)
    share = (value - index[low]) / (index[low + 1] - index[low])
    return low, min(max(share, 0.0), 1.0)
