"""Proof that the gates of a core do what its logic did before clocks were gated and cells chosen.

Block by block, and without time: every register starts with the same contents on both sides, any that there can be, and
what it holds after the next edge has to be the same, and so has what leaves the block. A register whose clock can be
switched off keeps what it has while one of the clock gating cells before it is off. That holds for every input and
every state, also those that a core never reaches.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spikewright.contract.errors import CheckFailed, InputError, ToolTrouble
from spikewright_boards.flow.tools import Progress, ToolError, run_tool

from .functions import verilog
from .gates import Bit, GateModule, Instance, Netlist
from .library import Library
from .wiring import CLOCK

_SCRIPT = "prove"
_EQUAL, _DIFFERENT = "snl_UNSAT", "snl_SAT"
"""What abc says of a circuit that is 1 where two blocks differ."""
_GENERIC = {
    "$_NOT_": "~{A}", "$_BUF_": "{A}", "$_AND_": "{A} & {B}", "$_OR_": "{A} | {B}", "$_XOR_": "{A} ^ {B}",
    "$_NAND_": "~({A} & {B})", "$_NOR_": "~({A} | {B})", "$_XNOR_": "~({A} ^ {B})", "$_ANDNOT_": "{A} & ~{B}",
    "$_ORNOT_": "{A} | ~{B}", "$_MUX_": "{S} ? {B} : {A}",
}  # fmt: skip
_REGISTERS = {"$_DFF_P_": "{D}", "$_DFFE_PP_": "{E} ? {D} : {Q}"}


@dataclass
class _Side:
    """A block as logic alone: what comes in, what is made of it, and what is compared."""

    inputs: dict[str, Bit] = field(default_factory=dict)
    made: list[tuple[Bit, str]] = field(default_factory=list)
    compared: dict[str, str] = field(default_factory=dict)

    def text(self, name: str, inputs: Iterable[str], outputs: Iterable[str]) -> str:
        """As a module of Verilog, with all of these ports."""
        ports = [f"input {port}" for port in inputs] + [f"output {port}" for port in outputs]
        # Each net once: two ports of a block may be one.
        driven = {_net(bit): value for bit, value in [*((b, p) for p, b in self.inputs.items()), *self.made]}
        lines = [f"assign {net} = {value};" for net, value in driven.items() if net not in self.inputs]
        lines += [f"assign {port} = {self.compared[port]};" for port in outputs]
        nets = sorted(set(re.findall(r"\bn\d+\b", " ".join(lines))))
        lines = [f"module {name}({', '.join(ports)});", *(f"wire {net};" for net in nets), *lines, "endmodule", ""]
        return "\n".join(lines)


def prove_equal(
    before: Mapping[str, Any], netlist: Netlist, library: Library, work: Path, progress: Progress
) -> dict[str, int]:
    """Prove each block of a netlist equal to the modules of the same names in JSON by yosys.

    Returns
    -------
    dict
        Registers that were compared, by block.

    Raises
    ------
    CheckFailed
        If a block does something else.
    InputError
        If the library has cells that this does not know.
    ToolTrouble
        If yosys ends early, or decides nothing.
    """
    text, names, compared = [], [], {}
    for name, module in netlist.modules.items():
        logic = _of_logic(before["modules"], before["modules"][name])
        gates = _of_gates(netlist, library, module)
        if lost := sorted(gates.compared.keys() - logic.compared.keys()):
            raise CheckFailed(f"block {name} must have what its logic has, not {lost[0]} of its own")
        inputs = sorted(logic.inputs.keys() | gates.inputs.keys())
        outputs = [port for port in sorted(logic.compared) if port in gates.compared or not port.startswith("next_")]
        if lost := [port for port in outputs if port not in gates.compared]:
            raise CheckFailed(f"block {name} must have what its logic has, not lack {lost[0]}")
        text += [logic.text(f"logic_{name}", inputs, outputs), gates.text(f"gates_{name}", inputs, outputs)]
        names.append(name)
        compared[name] = sum(port.startswith("next_") for port in outputs)
    (work / f"{_SCRIPT}.v").write_text("\n".join(text))
    _decide(names, work, progress)
    return compared


def _decide(names: list[str], work: Path, progress: Progress) -> None:
    lines = [f"read_verilog {_SCRIPT}.v", "setundef -undriven -zero"]
    lines += [f"miter -equiv -flatten logic_{name} gates_{name} differ_{name}" for name in names]
    lines += ["delete logic_* gates_*", "techmap", "opt_clean"]
    # What abc knows of a circuit that is 1 where two blocks differ is in a file: what it prints does not get out.
    lines += [f"abc -script +strash;iprove;write_status,{name}.status differ_{name}" for name in names]
    (work / f"{_SCRIPT}.ys").write_text("\n".join(lines) + "\n")
    progress(f"proving {len(names)} blocks")
    try:
        run_tool("yosys", ["-l", f"{_SCRIPT}.log", f"{_SCRIPT}.ys"], work, progress)
    except ToolError as error:
        raise ToolTrouble(f"yosys must compare gates with logic, not end with: {error}") from error
    for name in names:
        file = work / f"{name}.status"
        said = file.read_text().split(maxsplit=1)[0] if file.is_file() else "nothing"
        if said == _DIFFERENT:
            raise CheckFailed(f"block {name} must do what its logic does, not something else")
        if said != _EQUAL:
            raise ToolTrouble(f"abc must decide whether block {name} is equal, not end with {said}")


def _of_logic(modules: Mapping[str, Any], module: Mapping[str, Any]) -> _Side:
    side = _Side()
    for port, content in module["ports"].items():
        _border(side, content["direction"], port, content["bits"])
    clocks = module["ports"].get(CLOCK, {"bits": []})["bits"]
    for key, cell in module["cells"].items():
        pins = cell["connections"]
        kind = cell["type"]
        if kind in _GENERIC:
            side.made.append((pins["Y"][0], _GENERIC[kind].format(**_nets(pins))))
        elif kind in _REGISTERS and pins["C"] == clocks:
            side.inputs[f"held_{_word(key)}"] = pins["Q"][0]
            side.compared[f"next_{_word(key)}"] = _REGISTERS[kind].format(**_nets(pins))
            side.compared[f"clear_{_word(key)}"] = "1'b0"
        elif kind in modules:
            for pin, bits in pins.items():
                inner = {"input": "output", "output": "input"}[modules[kind]["ports"][pin]["direction"]]
                _border(side, inner, f"{_word(key)}_{pin}", bits)
        elif kind != "$scopeinfo":
            raise ToolTrouble(f"yosys must make simple gates and registers of one clock, not {kind}")
    return side


def _of_gates(netlist: Netlist, library: Library, module: GateModule) -> _Side:
    side = _Side()
    for port, (direction, bits) in module.ports.items():
        _border(side, direction, port, bits)
    clocks = _Clocks(library, module)
    for instance in module.instances.values():
        cell = library.cells.get(instance.kind)
        key = _word(instance.key)
        if cell is None:
            for pin, bits in instance.pins.items():
                inner = netlist.modules.get(instance.kind)
                out = inner.ports[pin][0] == "output" if inner else (instance.kind, pin) in netlist.macro_outputs
                _border(side, "input" if out else "output", f"{key}_{pin}", bits)
        elif not cell.gate:
            values = _nets(instance.pins)
            if cell.register is not None:
                of, held = cell.register, f"held_{key}"
                values |= {of.states[0]: held, of.states[1]: f"(~{held})"}
                clock = clocks.enable(_pin(of.clocked_on, instance))
                side.inputs[held] = held
                side.compared[f"next_{key}"] = f"({clock}) ? ({_value(of.next_state, values)}) : {held}"
                resets = [f"({_value(text, values)})" for text in (of.clear, of.preset) if text]
                side.compared[f"clear_{key}"] = " | ".join(resets) or "1'b0"
            for output in cell.outputs:
                if output.name in instance.pins:
                    side.made.append((instance.pins[output.name][0], _value(output.function, values)))
    return side


class _Clocks:
    """When the clock of a register runs: while all clock gating cells between it and the clock of the block are on."""

    def __init__(self, library: Library, module: GateModule) -> None:
        self._name = module.name
        self._clocks = module.ports[CLOCK][1] if CLOCK in module.ports else []
        self._gates: dict[Bit, Instance] = {}
        if library.gating is not None:
            self._enable, self._clock, out, self._test = library.gating_pins()
            for instance in module.instances.values():
                if instance.kind == library.gating.name:
                    self._gates[instance.pins[out][0]] = instance

    def enable(self, clock: Bit, depth: int = 0) -> str:
        if clock in self._clocks:
            return "1'b1"
        gate = self._gates.get(clock)
        if gate is None or depth > len(self._gates):
            raise CheckFailed(f"block {self._name} must clock registers by its own clock, not by {clock}")
        on = " | ".join(_net(gate.pins[pin][0]) for pin in (self._enable, *self._test))
        return f"({on}) & {self.enable(gate.pins[self._clock][0], depth + 1)}"


def _border(side: _Side, direction: str, name: str, bits: list[Bit]) -> None:
    """What enters or leaves the block, or a block or macro within it."""
    for k, bit in enumerate(bits):
        if direction == "input":
            side.inputs[f"in_{name}_{k}"] = bit
        else:
            side.compared[f"out_{name}_{k}"] = _net(bit)


def _nets(pins: Mapping[str, list[Bit]]) -> dict[str, str]:
    return {pin: _net(bits[0]) for pin, bits in pins.items()}


def _net(bit: Bit) -> str:
    if isinstance(bit, int):
        return f"n{bit}"
    return "1'b1" if bit == "1" else "1'b0" if bit in ("0", "x", "z") else bit


def _word(key: str) -> str:
    return re.sub(r"\W", lambda found: f"_{ord(found[0]):x}_", key)


def _value(function: str, values: Mapping[str, str]) -> str:
    """A function of a cell, of nets instead of pins."""
    return re.sub(r"(?<!')\b[A-Za-z_]\w*", lambda found: values.get(found[0], "1'b0"), verilog(function))


def _pin(expression: str, instance: Instance) -> Bit:
    name = re.sub(r"[()\s]", "", expression)
    if name not in instance.pins:
        raise InputError(f"cell {instance.kind} must have a rising clock to be proven, not {expression!r:.40}")
    return instance.pins[name][0]
