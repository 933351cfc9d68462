"""What a netlist needs besides logic: buffers where a net has many ends, and cells that make constants."""

from __future__ import annotations

from .gates import Bit, GateModule, Instance, Netlist, unused
from .library import Cell, Library

MOST_ENDS = 16
"""Inputs that a net may drive, but for clocks: their trees are made with the layout."""
CLOCK = "clk"

Sink = tuple[str, str, int]
"""Instance, pin and bit."""


def wire(netlist: Netlist, library: Library) -> None:
    """Put buffers and constants into a netlist; afterwards no port is just another one."""
    for module in netlist.modules.values():
        _Wiring(module, netlist, library).run()


class _Wiring:
    def __init__(self, module: GateModule, netlist: Netlist, library: Library) -> None:
        self._module = module
        self._netlist = netlist
        self._library = library
        self._buffer = _buffer(library)
        self._taken = set(module.instances) | set(module.ports) | set(module.names.values())

    def run(self) -> None:
        self._constants()
        self._separate_outputs()
        clocks = clocks_of(self._module, self._library)
        for net, sinks in self._sinks().items():
            if net not in clocks:
                self._tree(net, sinks)

    def _sinks(self) -> dict[int, list[Sink]]:
        found: dict[int, list[Sink]] = {}
        for name, instance in self._module.instances.items():
            for pin, bits in instance.pins.items():
                if self._is_input(instance, pin):
                    for k, bit in enumerate(bits):
                        if isinstance(bit, int):
                            found.setdefault(bit, []).append((name, pin, k))
        return found

    def _is_input(self, instance: Instance, pin: str) -> bool:
        inner = self._netlist.modules.get(instance.kind)
        if inner is not None:
            return inner.ports[pin][0] == "input"
        return is_input(self._library, self._netlist, instance.kind, pin)

    def _tree(self, net: int, sinks: list[Sink]) -> None:
        while len(sinks) > MOST_ENDS:
            parts = -(-len(sinks) // MOST_ENDS)
            size = -(-len(sinks) // parts)
            branches = []
            for begin in range(0, len(sinks), size):
                own = self._module.new_net(f"{self._module.names[net]}_buf")
                for name, pin, k in sinks[begin : begin + size]:
                    self._module.instances[name].pins[pin][k] = own
                branches.append(self._add_buffer(net, own))
            sinks = branches

    def _add_buffer(self, source: Bit, out: int) -> Sink:
        name = unused(f"{self._module.names[out]}_cell", self._taken)
        self._taken.add(name)
        buffer = self._buffer
        pin = buffer.inputs[0].name
        self._module.instances[name] = Instance(buffer.name, {pin: [source], buffer.outputs[0].name: [out]})
        return name, pin, 0

    def _separate_outputs(self) -> None:
        """A buffer at every output that another port has too."""
        seen = {bit for direction, bits in self._module.ports.values() if direction == "input" for bit in bits}
        for name, (direction, bits) in self._module.ports.items():
            for k, bit in enumerate(bits if direction == "output" else ()):
                if bit in seen and isinstance(bit, int):
                    bits[k] = out = self._module.new_net(f"{name}_{k}_out")
                    self._add_buffer(bit, out)
                seen.add(bit)

    def _constants(self) -> None:
        for value in (0, 1):
            cell = self._library.ties(value)
            if cell is None:
                continue
            ends: list[tuple[list[Bit], int]] = []
            for instance in self._module.instances.values():
                for pin, bits in instance.pins.items():
                    ends += _constants_in(bits, value) if self._is_input(instance, pin) else []
            for direction, bits in self._module.ports.values():
                ends += _constants_in(bits, value) if direction == "output" else []
            for begin in range(0, len(ends), MOST_ENDS):
                net = self._module.new_net(f"always_{value}")
                for bits, k in ends[begin : begin + MOST_ENDS]:
                    bits[k] = net
                name = unused(f"tie_{value}", self._taken)
                self._taken.add(name)
                self._module.instances[name] = Instance(cell.name, {Library.tie_pin(cell, value): [net]})


def _constants_in(bits: list[Bit], value: int) -> list[tuple[list[Bit], int]]:
    values = ("1",) if value else ("0", "x", "z")
    return [(bits, k) for k, bit in enumerate(bits) if bit in values]


def clocks_of(module: GateModule, library: Library) -> set[int]:
    """Nets of a module that are clocks: its own, and those that clock gating cells make of it."""
    found = {bit for port, (_, bits) in module.ports.items() if port == CLOCK for bit in bits}
    if library.gating is not None:
        out = library.gating_pins()[2]
        for instance in module.instances.values():
            if instance.kind == library.gating.name:
                found.update(instance.pins[out])
    return {bit for bit in found if isinstance(bit, int)}


def is_input(library: Library, netlist: Netlist, kind: str, pin: str) -> bool:
    """Whether a pin of a cell, or of a memory macro, is an input."""
    cell = library.cells.get(kind)
    return not cell.pins[pin].output if cell is not None else (kind, pin) not in netlist.macro_outputs


def _buffer(library: Library) -> Cell:
    """The smallest buffer that may drive `MOST_ENDS` of its own inputs and some wire; the largest if none may."""
    buffers = library.buffers
    for cell in buffers:
        most = cell.outputs[0].group.number("max_capacitance", float("inf")) * library.farads
        if most >= 2 * MOST_ENDS * cell.inputs[0].capacitance:
            return cell
    return buffers[-1]
