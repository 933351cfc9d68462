"""What a simulated core showed: written inside of the simulator, where nothing heavy is imported, read outside."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Recording:
    """What a simulated core showed, in the order in which it did.

    Parameters
    ----------
    rows : per layer, list of (cycle, row, spikes, v)
        Every traced row: spikes as a bit per lane, v as the membranes of the lanes, lane 0 in the low bits.
    beats : list of (cycle, tdata, tlast)
        Every beat of the output.
    starts, accepted : list of int
        Per sample, the cycle from which the first beat is offered, and the one in which the last is taken.
    refused : bool
        The core found the load image wrong; nothing else was recorded.
    """

    rows: list[list[tuple[int, int, int, int]]]
    beats: list[tuple[int, int, int]] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    accepted: list[int] = field(default_factory=list)
    refused: bool = False
