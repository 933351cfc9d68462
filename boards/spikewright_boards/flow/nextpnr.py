"""A netlist to a bitstream: placement and routing, and what packs the result."""

from __future__ import annotations

from pathlib import Path

from spikewright.contract.errors import CheckFailed
from spikewright_boards.catalog import FullBoard

from .tools import Progress, ToolError, run_tool
from .top import TOP


def run_nextpnr(board: FullBoard, work: Path, seed: int, clock_mhz: float, progress: Progress) -> None:
    flow = board.flow
    (constraints, suffix), (layout, of_layout) = flow.constraints, flow.layout
    place_and_route = [
        *(board.device.nextpnr_option, *board.nextpnr_options, *flow.route),
        *(
            "--json",
            f"{TOP}.json",
            constraints,
            f"{flow.constraints_prefix}{TOP}.{suffix}",
            layout,
            f"{TOP}.{of_layout}",
        ),
        *("--report", "nextpnr.json", "--seed", str(seed), "--timing-allow-fail"),
        *(("--freq", f"{clock_mhz:g}") if flow.frequency else ()),
    ]
    files = {"package": board.device.package, "layout": f"{TOP}.{of_layout}", "bitstream": f"{TOP}.{flow.bitstream}"}
    try:
        run_tool(flow.nextpnr, place_and_route, work, progress)
        run_tool(flow.pack, [option.format(**files) for option in flow.pack_options], work, progress)
    except ToolError as error:
        raise CheckFailed(f"the design must fit {board.name}: {error}") from error
