"""Families of devices that a core can be synthesized for without a board, a module each; found by being there.

They only say how yosys is called, and what its cells are: what a core takes of a family, and whether all memories found
a home, is known long before anybody has a board. Those with boards are families of `spikewright.contract.devices` too.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from spikewright.contract import found


@dataclass(frozen=True, kw_only=True)
class Cells:
    """How yosys maps a core to a family, and what it makes of it.

    Parameters
    ----------
    synth : str
        Its command, with options.
    memories : str
        The label of that command at which memories are mapped.
    luts, ffs, block_rams, distributed_rams, dsps : tuple of str
        What the types of these cells begin with.
    """

    synth: str
    memories: str = "map_ram"
    luts: tuple[str, ...]
    ffs: tuple[str, ...]
    block_rams: tuple[str, ...]
    distributed_rams: tuple[str, ...] = ()
    dsps: tuple[str, ...] = ()

    def count(self, types: Mapping[str, int]) -> dict[str, int]:
        """`luts`, `ffs`, `block_rams`, `distributed_rams` and `dsps` among cells, counted by type."""
        kinds = ("luts", "ffs", "block_rams", "distributed_rams", "dsps")
        return {kind: sum(n for name, n in types.items() if name.startswith(getattr(self, kind))) for kind in kinds}


def names() -> tuple[str, ...]:
    """The names of all families; none of their modules is imported."""
    return found.names(__name__)


def find(name: str) -> Cells:
    """The family of a name.

    Raises
    ------
    InputError
        If there is none.
    """
    family: Cells = found.find(__name__, "family", name)
    return family
