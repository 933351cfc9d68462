"""Encodings: how the memories of a layer tell the neuron of a synapse. Each is a module of `contract.encodings`.

Imports no NumPy, as the command line lists the names of encodings for `--help`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cache
from typing import TYPE_CHECKING, Any

from spikewright.contract import found
from spikewright.contract.errors import InputError, suggestion

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from spikewright.contract.integers import IntArray

_PACKAGE = "spikewright.contract.encodings"
_FIRST = ("absolute", "relative", "bitmap")
"""Of encodings that take the same, the first one is chosen."""


class Encoding(ABC):
    """What tells the rows, within their lane, of the neurons of a run of synapses.

    That is an index in every word of the synapse memory, beside the weight, and the extent of the run in the pointer
    to it. A subclass is the only class of its module in `spikewright.contract.encodings`, and the name of the module
    is that of the encoding. The gateware that reads it is the walk in the module of the same name in
    `spikewright_hw.walks`: an address in every cycle, whatever the encoding, so that the cycles are the same for all.
    """

    @abstractmethod
    def encode(self, present: npt.NDArray[np.bool_]) -> IntArray:
        """(synapses,) indices, at least 0, by axon, lane and row, of (axons, lanes, rows): where there are synapses."""

    @abstractmethod
    def decode(self, extents: npt.NDArray[Any], indices: IntArray, rows: int) -> IntArray:
        """(synapses,) rows of the synapses of some runs, in a lane of so many rows.

        Parameters
        ----------
        extents : (runs,) integers
        indices : (synapses,) integers
            Run by run.
        rows : int
        """

    def extents(self, present: npt.NDArray[np.bool_]) -> npt.NDArray[Any]:
        """(axons, lanes) integers: the number of synapses of a run, or what stands for it; 0 if there are none."""
        extents: npt.NDArray[Any] = present.sum(axis=2)
        return extents

    def lengths(self, extents: npt.NDArray[Any]) -> IntArray:
        """Numbers of synapses of runs, from their extents."""
        return extents

    def index_bits(self, rows: int, highest: int) -> int:
        """Width of an index of a lane of so many rows, of which none is above `highest`."""
        return highest.bit_length()

    def extent_bits(self, rows: int, length_bits: int) -> int:
        """Width of an extent, at least 1, in a lane of so many rows where a number of synapses takes `length_bits`."""
        return length_bits

    def refusal(self, rows: int) -> str | None:
        """Why lanes of so many rows cannot have this encoding, as the text of an error; None if they can."""
        return None

    def walk_cost(self, rows: int, length_bits: int, index_bits: int) -> tuple[int, int]:
        """LUTs and flip-flops of the walk of a lane beyond those of one where an index is the row."""
        return 0, 0


def encoding_names() -> tuple[str, ...]:
    """Names of all encodings."""
    return found.names(_PACKAGE, _FIRST)


def encoding_named(name: str) -> Encoding:
    """The encoding of a name.

    Raises
    ------
    InputError
        If there is none.
    """
    if name not in encoding_names():
        near = suggestion(name, encoding_names())
        raise InputError(f"encoding must be one of {', '.join(encoding_names())}, not {name!r:.60}{near}")
    return _made(found.class_in(_PACKAGE, name, Encoding))


@cache
def _made(of: type[Encoding]) -> Encoding:
    return of()
