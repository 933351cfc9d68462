"""Netlists of standard cells: read from yosys' JSON, changed, and written as Verilog that every tool reads.

Names are plain words, and there are no assignments but of what a port has to itself: some layout tools take no more.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

Bit = int | str
"""A net, by its number, or a constant: "0", "1", "x"."""


@dataclass
class Instance:
    """A cell or module in a module; `pins` has the nets of each pin, the lowest bit first.

    `key` is its name by yosys, empty if it was added since.
    """

    kind: str
    pins: dict[str, list[Bit]]
    key: str = ""


@dataclass
class GateModule:
    """A module of gates.

    Parameters
    ----------
    name : str
    ports : dict
        Direction and nets, the lowest bit first.
    instances : dict
    names : dict
        Of nets, and what they are good for.
    """

    name: str
    ports: dict[str, tuple[str, list[Bit]]]
    instances: dict[str, Instance]
    names: dict[int, str]
    last: int = field(default=0)

    def new_net(self, name: str) -> int:
        """Number of a net that was not there."""
        self.last = max(self.last, *self.names, 1) + 1 if not self.last else self.last + 1
        self.names[self.last] = unused(name, set(self.names.values()) | set(self.ports))
        return self.last


@dataclass
class Netlist:
    """Modules of gates; those that `instances` name and that are not among them are cells, or memories."""

    top: str
    modules: dict[str, GateModule]
    macro_outputs: set[tuple[str, str]] = field(default_factory=set)
    """Names of memory macros, and of their outputs."""

    @classmethod
    def from_json(cls, netlist: Mapping[str, Any], top: str) -> Netlist:
        """From what `write_json` of yosys wrote."""
        modules = {}
        for name, module in netlist["modules"].items():
            blackbox = int(str(module.get("attributes", {}).get("blackbox", "0")), 2)
            if not blackbox and (module["cells"] or name == top):
                modules[_plain(name)] = _module(_plain(name), module)
        outputs = {
            (_plain(name), port)
            for name, module in netlist["modules"].items()
            for port, content in module["ports"].items()
            if content["direction"] == "output" and _plain(name) not in modules
        }
        return cls(top, modules, outputs)

    def counts(self) -> dict[str, int]:
        """How often each module is there, all places together."""
        counts: Counter[str] = Counter({self.top: 1})
        for name in self.order():
            for instance in self.modules[name].instances.values():
                if instance.kind in self.modules:
                    counts[instance.kind] += counts[name]
        return dict(counts)

    def order(self) -> list[str]:
        """Names of the modules, every one before those that are in it."""
        order: dict[str, None] = {}

        def visit(name: str) -> None:
            for instance in self.modules[name].instances.values():
                if instance.kind in self.modules and instance.kind not in order:
                    visit(instance.kind)
            order[name] = None

        visit(self.top)
        return list(reversed(order))

    def places(self) -> Iterator[tuple[str, str]]:
        """Places in the hierarchy, with dots, and the module of each; that of the top is empty."""
        waiting = [("", self.top)]
        while waiting:
            place, name = waiting.pop()
            yield place, name
            for inner, instance in sorted(self.modules[name].instances.items(), reverse=True):
                if instance.kind in self.modules:
                    waiting.append((f"{place}.{inner}" if place else inner, instance.kind))

    def cells(self) -> Counter[str]:
        """How often each cell is there, all places together."""
        found: Counter[str] = Counter()
        for name, count in self.counts().items():
            for instance in self.modules[name].instances.values():
                if instance.kind not in self.modules:
                    found[instance.kind] += count
        return found

    def verilog(self) -> str:
        return "\n".join(verilog(self.modules[name]) for name in reversed(self.order()))


def unused(name: str, taken: set[str]) -> str:
    """The name, or the next free one that begins with it."""
    if name not in taken:
        return name
    number = 2
    while f"{name}_{number}" in taken:
        number += 1
    return f"{name}_{number}"


def _plain(name: str) -> str:
    return re.sub(r"\W+", "_", name)


def _module(name: str, module: Mapping[str, Any]) -> GateModule:
    ports = {key: (port["direction"], list(port["bits"])) for key, port in module["ports"].items()}
    nets = _net_names(module, set(ports))
    instances: dict[str, Instance] = {}
    number = 0
    taken = set(ports) | set(nets.values())
    for key, cell in module["cells"].items():
        if cell["type"] == "$scopeinfo":
            continue
        pins = {pin: list(bits) for pin, bits in cell["connections"].items()}
        if key.startswith("$"):
            number += 1
            own = f"u{number}"
            out = pins.get("Q", [])
            if len(out) == 1 and isinstance(out[0], int):
                own = f"{nets[out[0]]}_reg"
        else:
            own = _plain(key)
        own = unused(own, taken)
        taken.add(own)
        instances[own] = Instance(_plain(cell["type"]), pins, key)
    return GateModule(name, ports, instances, nets)


def _net_names(module: Mapping[str, Any], taken: set[str]) -> dict[int, str]:
    """Plain names of all nets: those of the design where it has one, the shortest if it has several."""
    named: dict[int, tuple[int, str]] = {}
    for name, net in module["netnames"].items():
        if name.startswith("$"):
            continue
        bits = net["bits"]
        for k, bit in enumerate(bits):
            own = _plain(name) + (f"_{k}" if len(bits) > 1 else "")
            if isinstance(bit, int) and (bit not in named or (len(own), own) < named[bit]):
                named[bit] = (len(own), own)
    names: dict[int, str] = {}
    for name, port in module["ports"].items():
        for k, bit in enumerate(port["bits"]):
            if isinstance(bit, int):
                names.setdefault(bit, name if len(port["bits"]) == 1 else f"{name}_{k}")
    used = taken | set(names.values())
    for bit in sorted(_all_nets(module) - names.keys()):
        own = named[bit][1] if bit in named else f"n{bit}"
        own = own if own not in used else unused(own, used)
        used.add(own)
        names[bit] = own
    return names


def _all_nets(module: Mapping[str, Any]) -> set[int]:
    found = {bit for port in module["ports"].values() for bit in port["bits"] if isinstance(bit, int)}
    for cell in module["cells"].values():
        found |= {bit for bits in cell["connections"].values() for bit in bits if isinstance(bit, int)}
    return found


def verilog(module: GateModule) -> str:
    """A module as Verilog."""
    of_port: dict[Bit, str] = {}
    assigned: list[str] = []
    for name, (direction, bits) in sorted(module.ports.items(), key=lambda item: item[1][0] != "input"):
        for k, bit in enumerate(bits):
            own = name if len(bits) == 1 else f"{name}[{k}]"
            if isinstance(bit, int) and bit not in of_port:
                of_port[bit] = own
            elif direction == "output":
                assigned.append(f"  assign {own} = {_named(bit, of_port, module.names)};")
    lines = [f"module {module.name} ({', '.join(module.ports)});"]
    for name, (direction, bits) in module.ports.items():
        lines.append(f"  {direction} {_range(len(bits))}{name};")
    used = {
        bit
        for instance in module.instances.values()
        for bits in instance.pins.values()
        for bit in bits
        if isinstance(bit, int) and bit not in of_port
    }
    lines += [f"  wire {module.names[bit]};" for bit in sorted(used)]
    for name, instance in module.instances.items():
        pins = []
        for pin, bits in instance.pins.items():
            nets = [_named(bit, of_port, module.names) for bit in reversed(bits)]
            pins.append(f".{pin}({nets[0] if len(nets) == 1 else '{' + ', '.join(nets) + '}'})")
        lines.append(f"  {instance.kind} {name} ({', '.join(pins)});")
    return "\n".join([*lines, *assigned, "endmodule", ""])


def _named(bit: Bit, of_port: Mapping[Bit, str], names: Mapping[int, str]) -> str:
    if isinstance(bit, int):
        return of_port.get(bit) or names[bit]
    return "1'b1" if bit == "1" else "1'b0"


def _range(width: int) -> str:
    return f"[{width - 1}:0] " if width > 1 else ""
