"""What became of the memories of a design: netlists of yosys, before and after memory mapping."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

BLOCK_RAM = (
    *("DP16KD", "SB_RAM40_4K", "SB_RAM40_4KNR", "SB_RAM40_4KNW", "SB_RAM40_4KNRNW", "SB_SPRAM256KA"),
    *("DPB", "DPX9B", "SDPB", "SDPX9B", "SP", "SPX9", "pROM", "pROMX9"),
)
DISTRIBUTED_RAM = ("TRELLIS_DPR16X4", "RAM16S1", "RAM16S2", "RAM16S4", "RAM16SDP1", "RAM16SDP2", "RAM16SDP4")
FLIP_FLOPS = ("TRELLIS_FF", "SB_DFF", "DFF")

Home = Literal["block RAM", "distributed RAM", "logic", "flip-flops"]


@dataclass(frozen=True)
class Memory:
    """A memory of the design and where it went.

    Parameters
    ----------
    name : str
        Hierarchical, without the top level and the core's own name.
    words, width : int
        After optimization; yosys drops bits that are never read.
    writable : bool
    home : "block RAM", "distributed RAM", "logic" or "flip-flops"
        A read-only memory in logic is a table of LUTs. A writable one that found no RAM *dissolved* into flip-flops.
    blocks : int
        RAM primitives it occupies.
    emulated : bool
        A block RAM that reads and writes one address at a time is not declared don't-care, so that yosys added a
        bypass around it: flip-flops, comparators and multiplexers.
    """

    name: str
    words: int
    width: int
    writable: bool
    home: Home
    blocks: int
    emulated: bool

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "words": self.words,
            "width": self.width,
            "home": self.home,
            "blocks": self.blocks,
            "emulated": self.emulated,
        }


def _cells(netlist: Mapping[str, Any], top: str) -> Mapping[str, Any]:
    cells: Mapping[str, Any] = netlist["modules"][top]["cells"]
    return cells


def find_memories(before: Mapping[str, Any], after: Mapping[str, Any], top: str) -> list[Memory]:
    """Memories of a flat design.

    Parameters
    ----------
    before : mapping
        JSON netlist by yosys, with its memory cells right before they are mapped.
    after : mapping
        JSON netlist of primitives.
    top : str
        Module.
    """
    primitives: dict[str, list[str]] = {}
    for name, cell in _cells(after, top).items():
        if cell["type"] in BLOCK_RAM or cell["type"] in DISTRIBUTED_RAM:
            # yosys names the primitives of a memory <memory>.<column>.<row>.
            primitives.setdefault(name.rsplit(".", 2)[0], []).append(cell["type"])
    memories = []
    for name, cell in _cells(before, top).items():
        if not cell["type"].startswith("$mem"):
            continue
        parameters = cell["parameters"]
        writable = int(parameters["WR_PORTS"], 2) > 0
        types = primitives.get(name, [])
        home: Home
        if any(kind in BLOCK_RAM for kind in types):
            home = "block RAM"
        elif types:
            home = "distributed RAM"
        else:
            home = "flip-flops" if writable else "logic"
        clocked = "1" in parameters["RD_CLK_ENABLE"]
        memories.append(
            Memory(
                name=_name(name),
                words=int(parameters["SIZE"], 2),
                width=int(parameters["WIDTH"], 2),
                writable=writable,
                home=home,
                blocks=len(types),
                emulated=writable and clocked and home == "block RAM" and "0" in parameters["RD_COLLISION_X_MASK"],
            )
        )
    return sorted(memories, key=lambda memory: memory.name)


def _name(cell: str) -> str:
    """Without the top level, the core's own name, and what is inside a memory but the part of one that is split."""
    name = re.sub(r"\.image_(bits\d+)\.words$", r".\1", cell.removeprefix("core.core."))
    return re.sub(r"(\.memory)+(\.(single|double)\.words)?$|\.image\.words$", "", name)


def count_flip_flops(netlist: Mapping[str, Any], top: str) -> int:
    """Flip-flops among the primitives of a flat design."""
    kinds = Counter(cell["type"] for cell in _cells(netlist, top).values())
    return sum(count for kind, count in kinds.items() if kind.startswith(FLIP_FLOPS))
