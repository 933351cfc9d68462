"""Models of cells for simulation, made of the functions that a library gives."""

from __future__ import annotations

import re
from collections.abc import Iterable

from spikewright.contract.errors import InputError

from .functions import names, verilog
from .library import Cell, Library

SELF_MODEL = "_of_equals"
_GATED = {"latch_posedge": "", "latch_posedge_precontrol": " | {test}"}


def cell_models(library: Library, cells: Iterable[str]) -> str:
    """Verilog of cells: without delays, and of registers without a start value.

    Nothing of it is known at power-up: in a simulator of four states, all registers begin with `x`.

    Raises
    ------
    InputError
        If a cell has no function that this knows.
    """
    return "\n".join(_model(library, library.cells[name]) for name in sorted(cells))


def self_gating_model(library: Library) -> str:
    """The model of clock gating cells of registers that gate themselves, whose kind ends with `SELF_MODEL`.

    Unknown is whether such a register changes only where unknown is what it held. Its clock is passed on then: what it
    holds afterwards is its input in both cases, see `selfgate`.
    """
    assert library.gating is not None
    text = _model(library, library.gating)
    text = text.replace(f"module {library.gating.name} ", f"module {library.gating.name}{SELF_MODEL} ")
    return re.sub(r"held = (.*);", r"held = (\1) !== 1'b0;", text)


def _model(library: Library, cell: Cell) -> str:
    ports = ", ".join(cell.pins)
    lines = [f"module {cell.name} ({ports});"]
    lines += [f"  {'output' if pin.output else 'input'} {pin.name};" for pin in cell.pins.values()]
    if cell.gate:
        lines += _gating(library, cell)
    else:
        lines += _states(library, cell)
        for pin in cell.outputs:
            unknown = names(pin.function) - set(cell.pins) - set(cell.register.states if cell.register else ())
            if not pin.function or unknown:
                raise InputError(
                    f"{library.path}: cell {cell.name} must have a function of its pins at {pin.name}, "
                    f"not {pin.function!r:.60}"
                )
            lines.append(f"  assign {pin.name} = {verilog(pin.function)};")
    return "\n".join([*lines, "endmodule", ""])


def _gating(library: Library, cell: Cell) -> list[str]:
    if cell.gate not in _GATED:
        raise InputError(
            f"{library.path}: clock gating of {cell.name} must be {' or '.join(_GATED)}, not {cell.gate!r:.60}"
        )
    enable, clock, out, test = library.gating_pins()
    opened = f"{enable}{_GATED[cell.gate].format(test=' | '.join(test))}" if test else enable
    return [
        "  reg held;",
        f"  always @* if (!{clock}) held = {opened};",
        f"  assign {out} = {clock} & held;",
    ]


def _states(library: Library, cell: Cell) -> list[str]:
    of = cell.register
    if of is None:
        return []
    if next(cell.group.of("latch"), None) is not None:
        raise InputError(f"{library.path}: cell {cell.name} must be a flip-flop or logic to be simulated, not a latch")
    state, inverse = of.states
    clock = f"clocked_by = {verilog(of.clocked_on)}"
    edges, branches = ["posedge clocked_by"], []
    declared = []
    for name, function, value in (("clear", of.clear, 0), ("preset", of.preset, 1)):
        if function:
            declared.append(f"  wire {name}_by = {verilog(function)};")
            edges.append(f"posedge {name}_by")
            branches.append(f"if ({name}_by) {state} <= 1'b{value}; else ")
    data = verilog(of.next_state)
    return [
        f"  reg {state};",
        f"  wire {inverse} = ~{state};",
        f"  wire {clock};",
        *declared,
        f"  always @({' or '.join(edges)}) {''.join(branches)}{state} <= {data};",
    ]
