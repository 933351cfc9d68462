"""A core before it becomes gates: which of its modules stay blocks, and where its memories go."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from .gates import unused
from .memories import BLACK_BOX_BITS, Found, Macro

BLOCK_GATES = 300
"""Gates from which a module stays a block of its own in the netlist, by a rough estimate."""
MEMORY_BITS = 128
"""Bits from which a memory in registers does."""
FILLED = 0.5
"""Share of a floor that cells fill, as wires need room between them; LibreLane's default (`FP_CORE_UTIL`)."""
MACRO = "spikewright_macro"
"""Attribute of a memory: the macro it goes into."""
_GATES = {"$add": 7, "$sub": 7, "$alu": 7, "$mul": 40, "$lt": 4, "$le": 4, "$gt": 4, "$ge": 4, "$pmux": 6, "$shr": 6}
"""A bit of the output, of cells that take more than three gates for it."""


class Design:
    """The modules of a core as JSON by yosys, with their memories still whole; modules with parameters get plain names.

    Parameters
    ----------
    netlist : dict
        It is changed, and may be read by yosys again.
    top : str
    """

    def __init__(self, netlist: dict[str, Any], top: str) -> None:
        self.netlist = netlist
        self.top = top
        _rename(netlist, top)
        self.modules: dict[str, Any] = netlist["modules"]
        self.counts: Counter[str] = Counter()
        self.places: dict[str, str] = {}
        self._visit(top, "")

    def _visit(self, name: str, place: str) -> None:
        self.counts[name] += 1
        self.places.setdefault(name, place)
        for inner, cell in self.modules[name]["cells"].items():
            if cell["type"] in self.modules:
                self._visit(cell["type"], f"{place}.{inner}" if place else inner)

    def memories(self) -> list[Found]:
        """What the core remembers in arrays, by place."""
        found = []
        for module, times in self.counts.items():
            for name, cell in self._memories_of(module):
                value = {key: int(cell["parameters"][key], 2) for key in ("SIZE", "WIDTH", "RD_PORTS", "WR_PORTS")}
                words, bits, reads, writes = value.values()
                place = _place(f"{self.places[module]}.{name}")
                found.append(Found(module, name, place, words, bits, reads, writes, times))
        return sorted(found, key=lambda memory: memory.place)

    def _memories_of(self, module: str) -> list[tuple[str, Any]]:
        cells = self.modules[module]["cells"]
        return [(name, cell) for name, cell in cells.items() if cell["type"] == "$mem_v2"]

    def mark(self, memories: Sequence[Found]) -> None:
        """Write into the modules which are blocks, and which memory is which macro."""
        for memory in memories:
            cell = self.modules[memory.module]["cells"][memory.name]
            if memory.macro is not None:
                cell["attributes"][MACRO] = memory.macro.name
        sizes: dict[str, int] = {}
        for name in reversed(list(self.counts)):
            self._size(name, sizes)
        in_registers = {
            memory.module for memory in memories if memory.macro is None and memory.words * memory.bits >= MEMORY_BITS
        }
        for name in self.counts:
            attributes = self.modules[name]["attributes"]
            if name != self.top and (sizes[name] >= BLOCK_GATES or name in in_registers):
                attributes["keep_hierarchy"] = f"{1:032b}"

    def _size(self, name: str, sizes: dict[str, int]) -> int:
        """Gates of a module and of all in it that is too small to be a block."""
        if name not in sizes:
            total = 0
            for cell in self.modules[name]["cells"].values():
                kind = cell["type"]
                if kind in self.modules:
                    inner = self._size(kind, sizes)
                    total += inner if inner < BLOCK_GATES else 0
                elif kind != "$mem_v2":
                    width = max((len(bits) for pin, bits in cell["connections"].items() if pin in "QY"), default=1)
                    total += width * _GATES.get(kind, 3)
            sizes[name] = total
        return sizes[name]


def _rename(netlist: dict[str, Any], top: str) -> None:
    taken: set[str] = set()
    new: dict[str, str] = {}
    # Those with a plain name keep it.
    for name in sorted(netlist["modules"], key=lambda name: (name.startswith("$"), name)):
        plain = re.sub(r"\W+", "_", re.sub(r"^\$paramod[^\\]*\\(\w+).*", r"\1", name))
        new[name] = unused(plain, taken)
        taken.add(new[name])
    netlist["modules"] = {new[name]: module for name, module in netlist["modules"].items()}
    for module in netlist["modules"].values():
        for cell in module["cells"].values():
            cell["type"] = new.get(cell["type"], cell["type"])


def _place(name: str) -> str:
    """Without the core's own name, and without what is inside a memory."""
    return re.sub(
        r"(\.memory)?(\.image(_bits\d+)?)?(\.(single|double))?\.(words|memory)$", r"\3", name.removeprefix("core.")
    )


def choose(memories: Sequence[Found], macros: Sequence[Macro] | str | None, bit_area: float) -> None:
    """Decide where each memory goes; `bit_area` is what a bit of it takes in registers, with what selects it.

    Of a map, a memory takes the macros that are the smallest for it, side by side and behind each other, unless
    registers are smaller on a floor that cells fill to `FILLED`. Read-only memories, whose contents no macro of a map
    has, become logic.
    """
    for memory in memories:
        memory.home = "registers" if memory.writes else "logic"
        if memory.reads != 1 or memory.writes != 1 or not macros:
            continue
        if isinstance(macros, str):
            if memory.words * memory.bits >= BLACK_BOX_BITS:
                memory.home, memory.macros = "macro", 1
                memory.macro = Macro(f"ram_{memory.words}x{memory.bits}", memory.words, memory.bits)
            continue
        costs = [(_pieces(memory, macro) * (macro.area or 0.0), _pieces(memory, macro), macro) for macro in macros]
        area, pieces, macro = min(costs, key=lambda cost: cost[:2])
        if area < memory.words * memory.bits * bit_area / FILLED:
            memory.home, memory.macro, memory.macros = "macro", macro, pieces


def _pieces(memory: Found, macro: Macro) -> int:
    return -(-memory.words // (1 << macro.address_bits)) * -(-memory.bits // macro.bits)
