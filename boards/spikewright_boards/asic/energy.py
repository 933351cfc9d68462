"""Energy of an inference: changes of nets in a simulation of the gates, times what the library says of each."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from spikewright_sim.toggles import Toggles

from .area import short
from .gates import GateModule, Netlist
from .library import Library
from .memories import Macro
from .power import CellPower
from .wiring import clocks_of, is_input

WIRE_FARADS = 3e-15
"""What the wire to an input is taken for, as there is no layout yet: some 15 um."""
PARTS = ("clock", "internal", "switching", "leakage", "macros")


def energy_report(
    netlist: Netlist, library: Library, macros: Mapping[str, Macro], toggles: Toggles, clock_mhz: float
) -> dict[str, Any]:
    """Energy per inference, by block and by kind, see `docs/reference/json.md`.

    `clock` is all that changes with the clock itself: clock pins, clock nets and clock gating cells.
    """
    seconds = toggles.cycles / clock_mhz / 1e6
    powers = {name: CellPower(library, library.cells[name]) for name in netlist.cells() if name in library.cells}
    total: defaultdict[str, float] = defaultdict(float)
    accesses = {name: {"reads": 0.0, "writes": 0.0} for name in sorted(macros)}
    blocks = []
    for place, name in netlist.places():
        block = _Block(netlist, library, powers, netlist.modules[name], toggles, place)
        parts = block.parts(seconds, macros)
        for macro, kind, times in block.accesses(macros):
            accesses[macro][kind] += round(times / toggles.samples, 1)
        for part, joules in parts.items():
            total[part] += joules
        blocks.append(
            {
                "block": short(place),
                "nj": _nano(sum(parts.values()), toggles),
                "clock_nj": _nano(parts["clock"], toggles),
            }
        )
    whole = sum(total.values())
    changes = sum(changed for (place, _), (changed, _) in toggles.nets.items())
    return {
        "samples": toggles.samples,
        "cycles": round(toggles.cycles / toggles.samples, 1),
        "inference_nj": _nano(whole, toggles),
        "synaptic_op_pj": round(whole / toggles.synaptic_ops * 1e12, 4) if toggles.synaptic_ops else None,
        "synaptic_ops": round(toggles.synaptic_ops / toggles.samples, 1),
        "dense_synaptic_ops": round(toggles.dense_synaptic_ops / toggles.samples, 1),
        "power_mw": round(whole / seconds * 1e3, 6),
        "parts_nj": {part: _nano(total[part], toggles) for part in PARTS},
        "macro_accesses": accesses,
        "macros_without_energy": sorted(name for name, macro in macros.items() if macro.read_pj is None),
        "toggles": round(changes / toggles.samples, 1),
        "blocks": sorted(blocks, key=lambda block: -float(str(block["nj"]))),
    }


def _nano(joules: float, toggles: Toggles) -> float:
    return round(joules / toggles.samples * 1e9, 6)


class _Block:
    def __init__(
        self,
        netlist: Netlist,
        library: Library,
        powers: Mapping[str, CellPower],
        module: GateModule,
        toggles: Toggles,
        place: str,
    ) -> None:
        self._netlist = netlist
        self._library = library
        self._powers = powers
        self._module = module
        self._changes = {bit: toggles.nets.get((place, name), (0, 0)) for bit, name in _simulated_names(module).items()}
        self._loads: defaultdict[int, float] = defaultdict(float)
        for instance in module.instances.values():
            cell = library.cells.get(instance.kind)
            for pin, bits in instance.pins.items():
                if instance.kind in netlist.modules or not is_input(library, netlist, instance.kind, pin):
                    continue
                farads = WIRE_FARADS + (cell.pins[pin].capacitance if cell is not None else WIRE_FARADS)
                for bit in bits:
                    if isinstance(bit, int):
                        self._loads[bit] += farads

    def parts(self, seconds: float, macros: Mapping[str, Macro]) -> dict[str, float]:
        """Joules of what is in the module itself, by `PARTS`."""
        parts: defaultdict[str, float] = defaultdict(float)
        clocks = clocks_of(self._module, self._library)
        volts = self._library.voltage

        for bit, (changes, _) in self._changes.items():
            switched = changes * self._loads[bit] * volts**2 / 2
            parts["clock" if bit in clocks else "switching"] += switched
        for instance in self._module.instances.values():
            power = self._powers.get(instance.kind)
            if power is not None:
                parts["leakage"] += power.leakage * seconds
                for pin, bits in instance.pins.items():
                    net = bits[0]
                    if isinstance(net, int) and (changes := self._changes[net][0]):
                        joules = changes * power.internal(pin, self._loads[net])
                        parts["clock" if net in clocks else "internal"] += joules
        for name, kind, times in self.accesses(macros):
            parts["macros"] += (
                times * 1e-12 * ((macros[name].read_pj if kind == "reads" else macros[name].write_pj) or 0.0)
            )
        for instance in self._module.instances.values():
            if macro := macros.get(instance.kind):
                parts["macros"] += self._cycles(instance.pins, macro) * (macro.clock_pj or 0.0) * 1e-12
                parts["macros"] += (macro.leakage_uw or 0.0) * 1e-6 * seconds
        return parts

    def accesses(self, macros: Mapping[str, Macro]) -> Iterator[tuple[str, str, int]]:
        """Cycles in which memories in the module itself read and write: the name of the macro, the kind, how many."""
        for instance in self._module.instances.values():
            if (macro := macros.get(instance.kind)) is None:
                continue
            cycles = self._cycles(instance.pins, macro)
            for signal, kind in (("read_enable", "reads"), ("write_enable", "writes")):
                # Of several ports with the same enable, one tells.
                port = next(port for port, given in macro.ports.items() if given.removeprefix("!") == signal)
                bit = instance.pins[port][0]
                if isinstance(bit, int):
                    high = self._changes[bit][1]
                    yield instance.kind, kind, cycles - high if macro.ports[port].startswith("!") else high

    def _cycles(self, pins: Mapping[str, Any], macro: Macro) -> int:
        """Of the clock of a macro."""
        clock = next(pins[port][0] for port, given in macro.ports.items() if given == "clock")
        return self._changes.get(clock, (0, 0))[0] // 2


def _simulated_names(module: GateModule) -> dict[int, str]:
    """Names of nets in the simulation of the written netlist: those of ports have the bit in brackets."""
    names = dict(module.names)
    for direction in ("output", "input"):
        for port, (of, bits) in module.ports.items():
            for k, bit in enumerate(bits if of == direction else ()):
                if isinstance(bit, int):
                    names[bit] = port if len(bits) == 1 else f"{port}[{k}]"
    return names
