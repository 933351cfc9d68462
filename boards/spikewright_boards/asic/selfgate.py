"""Clocks that are off while nothing changes: of registers without an enable, and of clock gating cells themselves.

An exclusive or of input and output of each register tells that; a clock gating cell is shared by up to `MOST` of them.
What such a register holds after an edge is its input, with a clock or without: also where nothing is known of what it
held before. Simulation in four states relies on that, see `models`. A clock gating cell before others is on if one of
them is; one too many that is on changes nothing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from .library import Library

SELF = "self_gate"
"""What the names of these clock gating cells begin with."""
LEAST, MOST = 4, 12
"""Registers, or clock gating cells, that share a clock gating cell."""
LEVELS = 2
"""Of clock gating cells before those of the registers."""


def gate_themselves(netlist: dict[str, Any], library: Library) -> int:
    """Change a netlist by yosys, of flip-flops `$_DFF_P_`; returns how many got a gated clock."""
    done = 0
    for module in netlist["modules"].values():
        done += _Gating(module, library).run()
    return done


class _Gating:
    def __init__(self, module: dict[str, Any], library: Library) -> None:
        self._cells: dict[str, Any] = module["cells"]
        self._names: dict[str, Any] = module["netnames"]
        self._last = 1
        self._switches = 0
        for cell in self._cells.values():
            for bits in cell["connections"].values():
                self._last = max([self._last, *(bit for bit in bits if isinstance(bit, int))])
        for net in (*self._names.values(), *module["ports"].values()):
            self._last = max([self._last, *(bit for bit in net["bits"] if isinstance(bit, int))])
        assert library.gating is not None
        self._kind = library.gating.name
        self._pins = library.gating_pins()

    def run(self) -> int:
        gated = {cell["connections"][self._pins[2]][0] for cell in self._cells.values() if cell["type"] == self._kind}
        free = [
            cell
            for cell in self._cells.values()
            if cell["type"] == "$_DFF_P_" and cell["connections"]["C"][0] not in gated and _can(cell)
        ]
        groups = self._groups(free)
        for group in groups:
            self._gate(group)
        self._gate_gates()
        return sum(map(len, groups))

    def _groups(self, free: Sequence[Any]) -> list[list[Any]]:
        """Bits of one word together, as they change together; what is left over by the order of its names."""
        names: dict[int, str] = {}
        for name, net in self._names.items():
            for k, bit in enumerate(net["bits"]):
                own = f"{name}[{k:04d}]"
                if bit not in names or (own.startswith("$"), len(own), own) < (
                    names[bit].startswith("$"), len(names[bit]), names[bit],
                ):  # fmt: skip
                    names[bit] = own
        words: dict[tuple[int, str], list[Any]] = {}
        for cell in free:
            clock = cell["connections"]["C"][0]
            name = names.get(cell["connections"]["Q"][0], "")
            cell["name"] = name
            words.setdefault((clock, re.sub(r"\[\d+\]$", "", name)), []).append(cell)
        groups, rest = [], []
        for _, cells in sorted(words.items()):
            cells.sort(key=lambda cell: str(cell["name"]))
            if len(cells) < LEAST:
                rest += cells
            else:
                groups += _chunks(cells)
        groups += _chunks(rest)
        for cell in free:
            del cell["name"]
        return [group for group in groups if len(group) >= LEAST]

    def _gate_gates(self) -> None:
        """Clock gating cells that have none before them get one for several, which is on if one of them is."""
        enable, clock, out, _ = self._pins
        for _ in range(LEVELS):
            gates = [cell["connections"] for cell in self._cells.values() if cell["type"] == self._kind]
            behind = {pins[out][0] for pins in gates}
            by_clock: dict[int, list[Any]] = {}
            for pins in gates:
                if pins[clock][0] not in behind and isinstance(pins[enable][0], int):
                    by_clock.setdefault(pins[clock][0], []).append(pins)
            for pins_of in by_clock.values():
                for group in _chunks(pins_of) if len(pins_of) >= LEAST else ():
                    gated = self._switch([pins[enable][0] for pins in group], group[0][clock])
                    for pins in group:
                        pins[clock] = [gated]

    def _gate(self, group: Sequence[Any]) -> None:
        changed = []
        for cell in group:
            pins = cell["connections"]
            changed.append(self._add("$_XOR_", A=pins["D"], B=pins["Q"]))
        gated = self._switch(changed, group[0]["connections"]["C"])
        for cell in group:
            cell["connections"]["C"] = [gated]

    def _switch(self, enables: list[int], source: list[Any]) -> int:
        """A clock that runs where one of the enables is high."""
        while len(enables) > 1:
            pairs = [enables[k : k + 2] for k in range(0, len(enables), 2)]
            enables = [self._add("$_OR_", A=[pair[0]], B=[pair[1]]) if len(pair) > 1 else pair[0] for pair in pairs]
        enable, clock, out, test = self._pins
        gated = self._new()
        connections = {enable: [enables[0]], clock: source, out: [gated], **{pin: ["0"] for pin in test}}
        self._switches += 1
        self._cells[f"{SELF}_{self._switches}"] = _cell(self._kind, connections, {out})
        return gated

    def _new(self) -> int:
        self._last += 1
        return self._last

    def _add(self, kind: str, **inputs: list[Any]) -> int:
        out = self._new()
        self._cells[f"$self{out}"] = _cell(kind, {**inputs, "Y": [out]}, {"Y"})
        return out


def _can(cell: Any) -> bool:
    pins = cell["connections"]
    return isinstance(pins["D"][0], int) and pins["D"] != pins["Q"]


def _cell(kind: str, connections: dict[str, list[Any]], outputs: set[str]) -> dict[str, Any]:
    return {
        "hide_name": 0,
        "type": kind,
        "parameters": {},
        "attributes": {},
        "port_directions": {pin: "output" if pin in outputs else "input" for pin in connections},
        "connections": connections,
    }


def _chunks(cells: Sequence[Any]) -> list[list[Any]]:
    parts = -(-len(cells) // MOST)
    size = -(-len(cells) // parts) if parts else 1
    return [list(cells[begin : begin + size]) for begin in range(0, len(cells), size)]
