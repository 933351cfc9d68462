"""Gate-level netlists by `spikewright asic`, ready to be simulated like the core that they are made of."""

from __future__ import annotations

from pathlib import Path

from spikewright.build.folder import open_build
from spikewright.contract.errors import InputError
from spikewright.contract.names import core_name
from spikewright.support.files import MANIFEST, read_json, read_manifest, sha256

SIMULATION = "simulation"
"""In the folder of a netlist: a build folder whose core is the netlist, with models of its cells."""


def open_netlist(build_dir: Path | str, netlist_dir: Path | str) -> Path:
    """The build folder of a gate-level netlist.

    Raises
    ------
    InputError
        If `netlist_dir` is no folder by `spikewright asic`, or its netlist is of another core than that of `build_dir`.
    """
    build_dir, netlist_dir = Path(build_dir), Path(netlist_dir)
    folder = netlist_dir / SIMULATION
    if not (folder / MANIFEST).is_file() or not (netlist_dir / MANIFEST).is_file():
        raise InputError(f"netlist {netlist_dir} must be a folder by `spikewright asic`, not one without {SIMULATION}")
    manifest, _ = open_build(build_dir)
    core = build_dir / f"{core_name(read_manifest(build_dir), build_dir / MANIFEST)}.v"
    made_of = read_json(netlist_dir / MANIFEST, "manifest").get("core_sha256")
    if made_of != sha256(core):
        raise InputError(f"netlist {netlist_dir} must be made of {core}, not of another core")
    return folder
