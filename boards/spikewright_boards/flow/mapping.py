"""What a core takes of a family of devices that needs no board: yosys alone."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spikewright.build.folder import check_images
from spikewright.contract.errors import InputError
from spikewright.contract.names import verilog_files
from spikewright.support.files import MANIFEST, read_json, read_manifest
from spikewright.support.progress import say
from spikewright_boards.families import Cells, find

from .sources import core_sources
from .tools import Progress, ToolError, run_tool, tool_version


def map_core(build_dir: Path | str, family: str, *, progress: Progress = say) -> dict[str, Any]:
    """Synthesize a core for a family of devices, without a board around it.

    Parameters
    ----------
    build_dir : Path
        Folder by `spikewright generate`.
    family : str
        A name of `spikewright_boards.families`.
    progress : callable
        Takes lines of progress; standard error by default.

    Returns
    -------
    dict
        `family`, `luts`, `ffs`, `block_rams`, `distributed_rams`, `dsps` (numbers of cells), `cells` (by type),
        `memories`, each with `name`, `words`, `width`, `writable` and `home`, `dissolved` (names of those that are
        written and found no RAM), `tools`.

    Raises
    ------
    InputError
        If the folder or the family is not usable, yosys is missing, or rejects the core.
    """
    build_dir = Path(build_dir)
    target = find(family)
    manifest = read_manifest(build_dir)
    verilog = [build_dir / name for name in verilog_files(manifest, build_dir / MANIFEST)]
    sources = core_sources(verilog, manifest)
    check_images(build_dir, manifest.get("images"))
    top = verilog[0].stem
    with tempfile.TemporaryDirectory(prefix="spikewright-map-") as scratch:
        work = Path(scratch)
        for source in sources:
            shutil.copyfile(source, work / source.name)
        # Whatever the family calls its steps: the memories are looked at right before they are mapped.
        script = f"""
            read_verilog -defer {" ".join(file.name for file in verilog)}
            {target.synth} -top {top} -run begin:{target.memories}
            flatten
            memory_collect
            select t:$mem_v2
            write_json -selected memories.json
            select -clear
            {target.synth} -top {top} -run {target.memories}:
            flatten
            write_json netlist.json
        """
        (work / "yosys.ys").write_text("\n".join(line.strip() for line in script.strip().splitlines()) + "\n")
        try:
            run_tool("yosys", ["yosys.ys"], work, progress)
        except ToolError as error:
            raise InputError(
                f"{verilog[0]} must be the core of its manifest, not what yosys rejects: {error}"
            ) from error
        before = read_json(work / "memories.json", "netlist", limit=1 << 30)["modules"][top]["cells"]
        after = read_json(work / "netlist.json", "netlist", limit=1 << 30)["modules"][top]["cells"]
    return {"family": family, **_described(target, before, after), "tools": {"yosys": tool_version("yosys")}}


def _described(target: Cells, before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, Any]:
    types: dict[str, int] = {}
    rams: dict[str, str] = {}
    for name, cell in after.items():
        kind = cell["type"]
        if not kind.startswith("$"):
            types[kind] = types.get(kind, 0) + 1
        if kind.startswith(target.block_rams):
            rams[name] = "block RAM"
        elif kind.startswith(target.distributed_rams or ("-",)):
            rams[name] = "distributed RAM"
    memories = []
    for name, cell in sorted(before.items()):
        parameters = cell["parameters"]
        writable = int(parameters["WR_PORTS"], 2) > 0
        # yosys names what it makes of a memory by it, with numbers behind.
        homes = {home for ram, home in rams.items() if ram.startswith(f"{name}.")}
        memories.append(
            {
                "name": name,
                "words": int(parameters["SIZE"], 2),
                "width": int(parameters["WIDTH"], 2),
                "writable": writable,
                "home": min(homes, default="flip-flops" if writable else "logic"),
            }
        )
    dissolved = [memory["name"] for memory in memories if memory["home"] == "flip-flops"]
    cells = dict(sorted(types.items(), key=lambda item: (-item[1], item[0])))
    return {**target.count(types), "cells": cells, "memories": memories, "dissolved": dissolved}
