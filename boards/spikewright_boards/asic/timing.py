"""Timing of a netlist, by OpenSTA where it is installed."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spikewright.contract.errors import ToolTrouble
from spikewright.support.environment import complaint, tool_environment
from spikewright_boards.flow.tools import Progress

from .area import short

PROGRAMS = ("sta", "opensta")
MISSING = "timing not measured: OpenSTA is not installed (Debian and Ubuntu: apt install opensta)"
PATHS = 100
"""Ends of paths that are looked at, the slowest ones."""
_PATH = re.compile(r"^Startpoint: (\S+).*?^Endpoint: (\S+).*?^\s+(-?[\d.]+)\s+slack \(\w+\)", re.MULTILINE | re.DOTALL)


def slowest_logic(text: str) -> float | None:
    """The longest delay of logic in a block, in nanoseconds, of what abc wrote; None if it wrote none.

    An estimate: from register or port of a block to register or port, without the registers and wires themselves.
    """
    words = text.split()
    try:
        # All networks have one name for abc. Of the first: inputs, outputs, gates, area, picoseconds; of each further
        # one gates, area and delay in percent of that, and seconds.
        first, further = float(words[5]), [float(word) for word in words[8::4]]
    except (IndexError, ValueError):
        return None
    return round(first * max(100.0, *further, 0.0) / 1e5, 3)


def find_timer() -> str | None:
    """OpenSTA's executable, None if it is not installed."""
    return next((found for name in PROGRAMS if (found := shutil.which(name))), None)


def time_netlist(
    timer: str, folder: Path, top: str, libraries: Sequence[str], period_ns: float, progress: Progress
) -> dict[str, Any]:
    """Setup and hold of `netlist.v` in `folder`, under `netlist.sdc`; the clock is ideal, and wires have no delay.

    Returns
    -------
    dict
        `by`, `fmax_mhz`, `setup_slack_ns`, `hold_slack_ns`, and `paths`, the slowest one that ends in each block, with
        `block`, `from`, `to`, `slack_ns`.

    Raises
    ------
    ToolTrouble
        If OpenSTA does not work.
    """
    progress("timing the netlist")
    script = "".join(f"read_liberty {name}\n" for name in libraries)
    script += (
        f"read_verilog netlist.v\nlink_design {top}\nread_sdc netlist.sdc\n"
        f'puts "@setup"\nreport_checks -path_delay max -group_count {PATHS} -format full\n'
        'puts "@hold"\nreport_checks -path_delay min -format full\nputs "@end"\n'
    )
    (folder / "timing.tcl").write_text(script)
    with tool_environment(folder) as environment:
        command = [timer, "-no_splash", "-exit", "timing.tcl"]
        done = subprocess.run(
            command, cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            errors="replace",
        )  # fmt: skip
    (folder / "timing.tcl").unlink()
    text = done.stdout
    if done.returncode or "@end" not in text or re.search(r"^Error\b", text + done.stderr, re.MULTILINE):
        raise ToolTrouble(f"OpenSTA must work, not end early: {complaint((text + done.stderr).splitlines())}")
    return read_report(text, period_ns)


def read_report(text: str, period_ns: float) -> dict[str, Any]:
    """What `time_netlist` returns, of what OpenSTA printed."""
    _, _, rest = text.partition("@setup")
    setup, _, hold = rest.partition("@hold")
    late = [(start, end, float(slack)) for start, end, slack in _PATH.findall(setup)]
    early = [float(slack) for _, _, slack in _PATH.findall(hold)]
    if not late:
        raise ToolTrouble("OpenSTA must find paths, not none")
    slowest: dict[str, dict[str, Any]] = {}
    for start, end, slack in late:
        block = short(end.rpartition("/")[0].replace("/", "."))
        if block not in slowest or slack < slowest[block]["slack_ns"]:
            slowest[block] = {"block": block, "from": start, "to": end, "slack_ns": slack}
    worst = min(slack for _, _, slack in late)
    return {
        "by": "OpenSTA",
        "fmax_mhz": round(1e3 / (period_ns - worst), 2),
        "setup_slack_ns": worst,
        "hold_slack_ns": min(early) if early else None,
        "paths": sorted(slowest.values(), key=lambda path: float(path["slack_ns"])),
    }
