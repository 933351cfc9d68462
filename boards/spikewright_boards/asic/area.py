"""Area of a netlist, by block and by kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from .gates import GateModule, Netlist
from .library import Library
from .memories import Found

KINDS = ("logic", "registers", "gating", "memories", "macros")
"""`memories` are those in registers and in constant logic, with what writes and reads them."""


def area_report(netlist: Netlist, library: Library, memories: Sequence[Found]) -> dict[str, Any]:
    """`area_um2`, `registers`, `gated_registers`, `cells`, `kinds`, `blocks`, see `docs/reference/json.md`.

    Macros of unknown area count as nothing, and `kinds` then has None for them.
    """
    macros = {memory.macro.name: memory.macro.area for memory in memories if memory.macro is not None}
    arrays = {memory.module for memory in memories if memory.macro is None}
    own = {name: _kinds(module, library, name in arrays, macros) for name, module in netlist.modules.items()}
    blocks = []
    total: Counter[str] = Counter()
    for place, name in netlist.places():
        kinds = own[name]
        total.update(kinds)
        cells = sum(instance.kind in library.cells for instance in netlist.modules[name].instances.values())
        area = round(sum(kinds.values()), 3)
        blocks.append({"block": short(place), "module": name, "cells": cells, "area_um2": area})
    cells_of = netlist.cells()
    registers = sum(count for name, count in cells_of.items() if is_register(library, name))
    kinds_found: dict[str, float | None] = {kind: round(total[kind], 3) for kind in KINDS}
    if any(area is None for area in macros.values()):
        kinds_found["macros"] = None
    return {
        "cells": {name: cells_of[name] for name in sorted(cells_of, key=lambda name: (-cells_of[name], name))},
        "area_um2": round(sum(total.values()), 3),
        "registers": registers,
        "gated_registers": _gated(netlist, library),
        "kinds": kinds_found,
        "blocks": sorted(blocks, key=lambda block: -float(str(block["area_um2"]))),
    }


def memory_report(
    memories: Sequence[Found], blocks: Sequence[Mapping[str, Any]], netlist: Netlist
) -> list[dict[str, Any]]:
    """Memories, each with the area that it takes of the netlist, None where a macro's is not known.

    One in registers that is too small to be a block has no area of its own: None too.
    """
    areas = {block["module"]: block["area_um2"] for block in blocks}
    found = []
    for memory in memories:
        if memory.macro is not None:
            area = None if memory.macro.area is None else round(memory.macro.area * memory.macros, 3)
        else:
            area = areas.get(memory.module) if memory.module in netlist.modules else None
        found.append({**memory.as_dict(), "area_um2": area})
    return found


def short(place: str) -> str:
    """A place without the core's own name; the outermost module is `top`."""
    return place.removeprefix("core_").removeprefix("core.") or "top"


def is_register(library: Library, cell: str) -> bool:
    return cell in library.cells and library.cells[cell].register is not None


def _kinds(module: GateModule, library: Library, array: bool, macros: Mapping[str, float | None]) -> Counter[str]:
    """Areas by kind, of what is in a module itself."""
    kinds: Counter[str] = Counter()
    for instance in module.instances.values():
        cell = library.cells.get(instance.kind)
        if cell is None:
            kinds["macros"] += macros.get(instance.kind) or 0.0  # type: ignore[assignment] # areas are no whole numbers
        else:
            kind = "memories" if array else "gating" if cell.gate else "registers" if cell.register else "logic"
            kinds[kind] += cell.area  # type: ignore[assignment] # as above
    return kinds


def _gated(netlist: Netlist, library: Library) -> int:
    """Registers whose clock can be switched off."""
    if library.gating is None:
        return 0
    out = library.gating_pins()[2]
    found = 0
    for name, times in netlist.counts().items():
        instances = netlist.modules[name].instances.values()
        clocks = {instance.pins[out][0] for instance in instances if instance.kind == library.gating.name}
        found += times * sum(
            is_register(library, instance.kind) and any(bits[0] in clocks for bits in instance.pins.values())
            for instance in instances
        )
    return found
