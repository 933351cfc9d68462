from typing import Any

from spikewright_boards.flow.netlist import Memory, count_flip_flops, find_memories


def memory_cell(words: int, width: int, writes: int, collision_free: bool = True, clocked: bool = True) -> Any:
    return {
        "type": "$mem_v2",
        "parameters": {
            "SIZE": f"{words:032b}",
            "WIDTH": f"{width:032b}",
            "WR_PORTS": f"{writes:032b}",
            "RD_CLK_ENABLE": str(int(clocked)),
            "RD_COLLISION_X_MASK": str(int(collision_free)),
        },
    }


def netlist(cells: dict[str, Any]) -> Any:
    return {"modules": {"top": {"cells": cells}}}


def find(before: dict[str, Any], after: dict[str, str]) -> list[Memory]:
    return find_memories(netlist(before), netlist({name: {"type": kind} for name, kind in after.items()}), "top")


def test_every_home_is_told_apart() -> None:
    before = {
        "core.core.layer0.rom.image.words": memory_cell(1146, 14, 0),
        "core.core.layer0.table.image.words": memory_cell(20, 9, 0),
        "core.core.layer1.rom.image_bits0.words": memory_cell(1600, 9, 0),
        "core.core.layer1.rom.image_bits9.words": memory_cell(1600, 4, 0),
        "core.core.layer0.membranes.memory": memory_cell(42, 19, 1),
        "core.core.ring.memory": memory_cell(12, 8, 1),
        "core.core.lost.memory": memory_cell(4, 8, 1, clocked=False),
        "core.other": {"type": "$add"},
    }
    after = {
        "core.core.layer0.rom.image.words.0.0": "SB_RAM40_4K",
        "core.core.layer0.rom.image.words.1.0": "SB_RAM40_4K",
        "core.core.layer1.rom.image_bits0.words.0.0": "DP16KD",
        "core.core.layer1.rom.image_bits9.words.0.0": "DP16KD",
        "core.core.layer0.membranes.memory.0.0": "DP16KD",
        "core.core.ring.memory.0.0": "TRELLIS_DPR16X4",
        "core.core.ring.memory.0.1": "TRELLIS_DPR16X4",
        "core.core.lost.memory_TRELLIS_FF_Q": "TRELLIS_FF",
    }
    found = {memory.name: (memory.home, memory.blocks) for memory in find(before, after)}
    assert found == {
        "layer0.rom": ("block RAM", 2),
        "layer0.table": ("logic", 0),
        "layer1.rom.bits0": ("block RAM", 1),
        "layer1.rom.bits9": ("block RAM", 1),
        "layer0.membranes": ("block RAM", 1),
        "ring": ("distributed RAM", 2),
        "lost": ("flip-flops", 0),
    }
    sizes = {memory.name: (memory.words, memory.width, memory.writable) for memory in find(before, after)}
    assert sizes["layer0.membranes"] == (42, 19, True)
    assert sizes["layer0.table"] == (20, 9, False)


def test_emulated_collisions_are_reported_where_they_cost() -> None:
    before = {
        "core.core.a.memory": memory_cell(256, 20, 1, collision_free=False),
        "core.core.b.memory": memory_cell(256, 20, 1),
        "core.core.c.memory": memory_cell(16, 20, 1, collision_free=False),
        "core.core.d.image.words": memory_cell(256, 20, 0, collision_free=False),
    }
    after = {
        "core.core.a.memory.0.0": "DP16KD",
        "core.core.b.memory.0.0": "DP16KD",
        "core.core.c.memory.0.0": "TRELLIS_DPR16X4",
        "core.core.d.image.words.0.0": "DP16KD",
    }
    assert [memory.name for memory in find(before, after) if memory.emulated] == ["a"]


def test_as_dict_is_json_ready() -> None:
    (memory,) = find({"bridge.queue.memory": memory_cell(256, 15, 1)}, {"bridge.queue.memory.0.0": "DP16KD"})
    assert memory.as_dict() == {
        "name": "bridge.queue",
        "words": 256,
        "width": 15,
        "home": "block RAM",
        "blocks": 1,
        "emulated": False,
    }


def test_flip_flops_are_counted_over_all_kinds() -> None:
    kinds = ["SB_DFF", "SB_DFFESR", "SB_DFFE", "SB_LUT4", "TRELLIS_FF", "SB_RAM40_4K"]
    assert count_flip_flops(netlist({str(k): {"type": kind} for k, kind in enumerate(kinds)}), "top") == 4
