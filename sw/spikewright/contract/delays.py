"""Delays of spikes: what a layer keeps of its spikes, and when it asks for them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from spikewright.contract.integers import IntArray, unsigned_bits


class DelayEntry(NamedTuple):
    """Neurons of one row of hardware positions whose spikes take the same time: they are read together.

    Parameters
    ----------
    delay : int
        Steps.
    row : int
    lanes : tuple of int
    """

    delay: int
    row: int
    lanes: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class DelayPlan:
    """What a layer keeps of its spikes, and when it asks for them, so that they arrive after delays.

    Parameters
    ----------
    delays : (neurons,) integers
        Steps, by hardware position.
    lanes : int
    most : (int, int), optional
        Entries and delay that memories which are loaded at run time can hold; without it, those of the contents.
    value_bits : int
        Width of the number of spikes of a neuron in a step.
    """

    delays: IntArray
    lanes: int
    most: tuple[int, int] | None = None
    value_bits: int = 1

    @property
    def neurons(self) -> int:
        return len(self.delays)

    @property
    def rows(self) -> int:
        """Neurons per lane, the last row perhaps not full."""
        return -(-self.neurons // self.lanes)

    @property
    def row_bits(self) -> int:
        return unsigned_bits(self.rows - 1)

    @property
    def program(self) -> list[DelayEntry]:
        """What a step asks of the steps before, long delays first."""
        members: dict[tuple[int, int], list[int]] = {}
        for position, delay in enumerate(self.delays.tolist()):
            members.setdefault((-delay, position // self.lanes), []).append(position % self.lanes)
        return [DelayEntry(-delay, row, tuple(lanes)) for (delay, row), lanes in sorted(members.items())]

    @property
    def loadable(self) -> bool:
        return self.most is not None

    @property
    def entries(self) -> int:
        """Most entries of the program."""
        return self.most[0] if self.most else len(self.program)

    @property
    def slots(self) -> int:
        """Steps whose spikes are kept."""
        return 1 + (self.most[1] if self.most else int(self.delays.max()))

    @property
    def ring_words(self) -> int:
        """Rows of spikes that are kept: a slot for every step that may be asked for."""
        return self.slots * self.rows

    @property
    def ring_width(self) -> int:
        """Width of a row of spikes."""
        return self.lanes * self.value_bits
