"""What a library of standard cells has: cells with their pins, area, function and power."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any

from spikewright.contract.errors import InputError, errors_in

from .functions import names, verilog
from .liberty import Group, parse, read_text

_PREFIXES = {"f": 1e-15, "p": 1e-12, "n": 1e-9, "u": 1e-6, "m": 1e-3, "": 1.0}
_GATING = "latch_posedge"
_SPECIAL = ("is_isolation_cell", "is_level_shifter", "retention_cell", "always_on", "switch_cell_type", "is_macro_cell")


@dataclass(frozen=True)
class Register:
    """Groups `ff` or `latch` of a cell: names of its states, and expressions, empty ones if there are none."""

    states: tuple[str, ...]
    clocked_on: str
    next_state: str
    clear: str = ""
    preset: str = ""


@dataclass(frozen=True)
class Pin:
    """A pin of a cell; `capacitance` in farads, `function` empty but for outputs."""

    name: str
    output: bool
    capacitance: float
    function: str
    group: Group


@dataclass(frozen=True)
class Cell:
    """A cell; `area` in square micrometres."""

    name: str
    area: float
    pins: dict[str, Pin]
    register: Register | None
    group: Group

    @property
    def gate(self) -> str:
        """Kind of a clock gating cell, empty of others."""
        return self.group.text("clock_gating_integrated_cell")

    @property
    def inputs(self) -> list[Pin]:
        return [pin for pin in self.pins.values() if not pin.output]

    @property
    def outputs(self) -> list[Pin]:
        return [pin for pin in self.pins.values() if pin.output]

    @property
    def usable(self) -> bool:
        """Whether a synthesis may put it where its function is wanted."""
        group = self.group
        special = any(group.text(name, "false") == "true" for name in _SPECIAL)
        special |= any(pin.group.text("three_state") for pin in self.pins.values())
        return not special and group.text("dont_use", "false") != "true" and group.text("dont_touch", "false") != "true"

    @property
    def function(self) -> str:
        """Of a cell with a single output and no state, in Verilog; empty of others."""
        outputs = self.outputs
        if self.register is not None or self.gate or len(outputs) != 1 or not outputs[0].function:
            return ""
        return verilog(outputs[0].function)

    @property
    def plain_register(self) -> bool:
        """A flip-flop with a rising clock and a data input; clear and preset, which can be tied off, may be there."""
        of = self.register
        if of is None or next(self.group.of("ff"), None) is None:
            return False
        pins = {pin.name for pin in self.inputs}
        return re.sub(r"[()\s]", "", of.clocked_on) in pins and re.sub(r"[()\s]", "", of.next_state) in pins


@dataclass
class Library:
    """Standard cells.

    Parameters
    ----------
    name : str
    path : Path
    cells : dict of Cell
    voltage : float
        Volts.
    farads, leakage, time : float
        Farads, watts, seconds that a number of the library's tables means.
    volts : float
        The unit of voltages.
    group : Group
    text : str
    """

    name: str
    path: Path
    cells: dict[str, Cell]
    voltage: float
    farads: float
    volts: float
    leakage: float
    time: float
    group: Group = field(repr=False)
    text: str = field(repr=False)
    others: list[Library] = field(default_factory=list, repr=False)

    @classmethod
    def read(cls, path: Path) -> Library:
        """Read a liberty file, gzipped or not.

        Raises
        ------
        InputError
            If it cannot be read, is damaged, or has no cells.
        """
        text = read_text(path)
        group = parse(text, path)
        with errors_in(path):
            farads = _capacitance_unit(group)
            cells = {cell.name: _cell(cell, farads, group) for cell in group.of("cell") if cell.name}
            volts = _unit(group, "voltage_unit", "1V")
            return cls(
                name=group.name,
                path=path,
                cells=cells,
                voltage=_voltage(group) * volts,
                farads=farads,
                volts=volts,
                leakage=_unit(group, "leakage_power_unit", "1nW"),
                time=_unit(group, "time_unit", "1ns"),
                group=group,
                text=text,
            )

    @property
    def energy(self) -> float:
        """Joules that a number of the tables of internal power means."""
        return self.farads * self.volts**2

    @classmethod
    def read_all(cls, paths: Sequence[Path]) -> Library:
        """Read several files, whose cells are used together; names and units are those of the first."""
        if not paths:
            raise InputError("liberty must be at least one file, not none")
        first, *others = [cls.read(path) for path in paths]
        for other in others:
            if (other.farads, other.volts, other.leakage, other.time) != (
                first.farads, first.volts, first.leakage, first.time,
            ):  # fmt: skip
                raise InputError(f"{other.path} must have the units of {first.path}, not others")
            first.cells.update({name: cell for name, cell in other.cells.items() if name not in first.cells})
        first.others = others
        return first

    @property
    def file_name(self) -> str:
        """The name, as one of a file."""
        return re.sub(r"[^\w.-]+", "_", self.name)[:60].strip(".") or "library"

    def without(self, patterns: Sequence[str]) -> Library:
        """The library without cells whose names match."""
        left = {
            name: cell for name, cell in self.cells.items() if not any(fnmatchcase(name, text) for text in patterns)
        }
        return Library(**{**vars(self), "cells": left})

    def check(self) -> None:
        """Raises InputError if it lacks what every core needs."""
        for what, there in (
            ("a D flip-flop with a rising clock", self.registers),
            ("an inverter", self.inverters),
            ("a buffer", self.buffers),
            ("a NAND, NOR, AND or OR of two inputs", self.gates_of_two),
        ):
            if not there:
                raise InputError(f"{self.path} must have {what} that may be used, not {len(self.cells)} cells without")

    @property
    def registers(self) -> list[Cell]:
        """Flip-flops that may be used, the smallest first."""
        return _by_area(cell for cell in self.cells.values() if cell.usable and cell.plain_register)

    @property
    def inverters(self) -> list[Cell]:
        return self._with_function(r"~\(?(\w+)\)?")

    @property
    def buffers(self) -> list[Cell]:
        return self._with_function(r"\w+")

    @property
    def gates_of_two(self) -> list[Cell]:
        return [cell for operator in "&|" for cell in self._with_function(_two(operator))]

    @property
    def register_bit_area(self) -> float:
        """Square micrometres of a bit of a memory in registers: a flip-flop, and two gates that write and read it."""
        return self.registers[0].area + 2 * self.gates_of_two[0].area

    def ties(self, value: int) -> Cell | None:
        """The smallest cell with an output that is always 0 or 1, None if there is none."""
        return next(iter(_by_area(cell for cell in self.cells.values() if self.tie_pin(cell, value))), None)

    @staticmethod
    def tie_pin(cell: Cell, value: int) -> str:
        """The pin of a cell without inputs that is always 0 or 1, empty if none is."""
        if cell.inputs or not cell.usable:
            return ""
        return next((pin.name for pin in cell.outputs if re.sub(r"[()\s]", "", pin.function) == str(value)), "")

    def _with_function(self, pattern: str) -> list[Cell]:
        return _by_area(
            cell for cell in self.cells.values() if cell.usable and re.fullmatch(pattern, cell.function.strip("()"))
        )

    @cached_property
    def gating(self) -> Cell | None:
        """The smallest clock gating cell, a latch and an AND, None if there is none.

        Many libraries mark it not to be used, for synthesis to leave it to whoever gates clocks; this is who does.
        """
        return next(iter(_by_area(cell for cell in self.cells.values() if cell.gate.startswith(_GATING))), None)

    def gating_pins(self) -> tuple[str, str, str, list[str]]:
        """Of the clock gating cell: enable, clock, gated clock, and inputs that are 0 but for tests."""
        assert self.gating is not None
        found = {
            mark: [pin.name for pin in self.gating.pins.values() if pin.group.text(mark, "false") == "true"]
            for mark in ("clock_gate_enable_pin", "clock_gate_clock_pin", "clock_gate_out_pin", "clock_gate_test_pin")
        }
        enable, clock, out, test = found.values()
        if len(enable) != 1 or len(clock) != 1 or len(out) != 1:
            raise InputError(
                f"{self.path}: cell {self.gating.name} must mark its clock, enable and output, not {found!r:.80}"
            )
        return enable[0], clock[0], out[0], test

    def trimmed(self) -> list[str]:
        """Texts of the libraries with the cells alone that may be used: what the synthesis reads."""
        kept = {name for name, cell in self.cells.items() if cell.usable or cell is self.gating}
        return [_only(library, kept) for library in (self, *self.others)]


def _only(library: Library, kept: set[str]) -> str:
    parts, place = [], 0
    for cell in library.group.of("cell"):
        if cell.name not in kept:
            parts.append(library.text[place : cell.begin])
            place = cell.end
    text = "".join([*parts, library.text[place:]])
    return re.sub(r"\bdont_use\s*:\s*\"?true\"?\s*;", "", text)


def _by_area(cells: Any) -> list[Cell]:
    return sorted(cells, key=lambda cell: (cell.area, cell.name))


def _two(operator: str) -> str:
    sign = re.escape(operator)
    return rf"~?\(?~?\w+ {sign} ~?\w+\)?"


def _unit(group: Group, name: str, absent: str) -> float:
    text = group.text(name, absent)
    found = re.fullmatch(r"\s*([0-9.eE+-]+)\s*([fpnum]?)[sVWA]\s*", text)
    number = _above_zero(found[1]) if found else None
    if not found or number is None:
        raise InputError(f"{name} must be a number above 0 with a unit, not {text!r:.40}")
    return number * _PREFIXES[found[2]]


def _capacitance_unit(group: Group) -> float:
    values = group.attributes.get("capacitive_load_unit", ("1", "pf"))
    number = _above_zero(values[0]) if len(values) == 2 and values[1].lower() in ("ff", "pf") else None
    if number is None:
        raise InputError(f"capacitive_load_unit must be a number above 0 and ff or pf, not {values!r:.40}")
    return number * _PREFIXES[values[1][0].lower()]


def _above_zero(word: str) -> float | None:
    """A finite number above 0, None for any other word."""
    try:
        number = float(word)
    except ValueError:
        return None
    return number if 0 < number < math.inf else None


def _voltage(group: Group) -> float:
    for condition in group.of("operating_conditions"):
        if "voltage" in condition.attributes:
            return condition.number("voltage")
    return group.number("nom_voltage")


def _cell(group: Group, farads: float, library: Group) -> Cell:
    pins = {}
    default = library.size("default_input_pin_cap", 0.0)
    for pin in [*group.of("pin"), *(pin for bus in group.of("bus") for pin in bus.of("pin"))]:
        direction = pin.text("direction")
        if direction not in ("input", "output"):
            continue
        capacitance = pin.size("capacitance", default if direction == "input" else 0.0) * farads
        for name in pin.args:
            pins[name] = Pin(name, direction == "output", capacitance, pin.text("function"), pin)
    return Cell(group.name, group.size("area", 0.0), pins, _register(group), group)


def _register(group: Group) -> Register | None:
    for kind, clock, data in (("ff", "clocked_on", "next_state"), ("latch", "enable", "data_in")):
        for found in group.of(kind):
            if len(found.args) == 2:
                words = (found.text(name) for name in (clock, data, "clear", "preset"))
                return Register(found.args, *words)
    return None


def depends_on(cell: Cell, pin: Pin) -> set[str]:
    """Input pins of a cell on which an output depends without a clock."""
    states = cell.register.states if cell.register else ()
    return (names(pin.function) - set(states)) & {each.name for each in cell.inputs}
