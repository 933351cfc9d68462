"""Where the block RAMs of the lanes go, before anything else is placed."""

from __future__ import annotations

import re
from collections.abc import Iterable

from spikewright.contract.devices import BlockRamSites

SHARE = 0.5
"""Of the block RAMs of a device, that those of the lanes must take at least to be placed ahead.

nextpnr first finds the place for all cells that makes the wires shortest, however many lie in one place. Only the pins,
a few in a corner, hold them apart, and so a core that fills a device starts as a heap. With the memories of the lanes
spread over the device, the lanes lie around them from the beginning.
"""


def floorplan(cells: Iterable[str], sites: BlockRamSites) -> dict[str, str]:
    """Sites for the block RAMs of the lanes: lanes with the same number next to each other, whatever their layer.

    Parameters
    ----------
    cells : iterable of str
        Hierarchical names of all block RAMs of a design.
    sites : BlockRamSites

    Returns
    -------
    dict
        Site by cell; empty where the lanes have fewer than `SHARE` of the block RAMs of the device, or a row has no
        room for them.
    """
    lanes: dict[int, list[str]] = {}
    for name in sorted(cells):
        if found := re.search(r"\blane(\d+)\.", name):
            lanes.setdefault(int(found[1]), []).append(name)
    columns, rows = len(sites.columns), len(sites.rows)
    if sum(map(len, lanes.values())) < SHARE * columns * rows:
        return {}
    in_row = -(-len(lanes) // rows)
    plan: dict[str, str] = {}
    for row in range(rows):
        names = [name for lane in sorted(lanes)[row * in_row :][:in_row] for name in lanes[lane]]
        if len(names) > columns:
            return {}
        plan |= {name: sites.site(row, nth * columns // len(names)) for nth, name in enumerate(names)}
    return plan
