"""What a finished placement says: how much of the device is used, how fast the clock may be, and what limits it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from spikewright.contract.devices import Flow
from spikewright.support.files import read_json

from .netlist import count_flip_flops
from .top import TOP


def utilization(flow: Flow, work: Path) -> dict[str, Any]:
    nextpnr = read_json(work / "nextpnr.json", "report", limit=1 << 28)
    used = nextpnr["utilization"]
    result: dict[str, Any] = {}
    available: dict[str, int] = {}
    for key in ("luts", "ffs", "brams", "dsps", "sprams"):
        if kind := getattr(flow, key):
            # Devices of a family differ in what they have at all: iCE40HX has neither multipliers nor large memories.
            if kind in used:
                result[key], available[key] = used[kind]["used"], used[kind]["available"]
            elif key != "sprams":
                result[key], available[key] = 0, 0
        elif key == "ffs":
            # A logic cell of iCE40 is a LUT with a flip-flop.
            result[key] = count_flip_flops(read_json(work / f"{TOP}.json", "netlist", limit=1 << 30), TOP)
            available[key] = available["luts"]
    clock, fmax = min(nextpnr["fmax"].items(), key=lambda item: item[1]["achieved"] / item[1]["constraint"])
    return {
        **result,
        "available": available,
        "fmax_mhz": round(fmax["achieved"], 2),
        "critical_path": _critical_path(nextpnr, clock),
    }


def _critical_path(nextpnr: Mapping[str, Any], clock: str) -> dict[str, Any]:
    for path in nextpnr["critical_paths"]:
        if path["from"].split()[-1] == clock == path["to"].split()[-1]:
            steps = path["path"]
            routing = sum(step["delay"] for step in steps if step["type"] == "routing")
            total = sum(step["delay"] for step in steps)
            return {
                "from": steps[0]["from"]["cell"],
                "to": steps[-1]["to"]["cell"],
                "logic_ns": round(total - routing, 2),
                "routing_ns": round(routing, 2),
                "nets": [step["net"] for step in steps if step["type"] == "routing"],
            }
    return {"from": "", "to": "", "logic_ns": 0.0, "routing_ns": 0.0, "nets": []}
