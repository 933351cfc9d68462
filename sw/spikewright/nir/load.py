"""From a NIR file to a float network that fires as the library's own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from spikewright.contract.errors import InputError
from spikewright.nir.chain import chain
from spikewright.nir.dialect import load_dialect, shipped
from spikewright.nir.graph import named, read_graph
from spikewright.nir.network import ForeignNetwork


def import_nir(
    path: Path | str,
    dialect: str | Path | None = None,
    settings: Mapping[str, str] | None = None,
    *,
    timesteps: int | None = None,
    decision: str | None = None,
) -> ForeignNetwork:
    """Read a NIR file in the dialect of the library that wrote it.

    Parameters
    ----------
    path : path
        The file.
    dialect : str or path
        Name of a shipped dialect ("snntorch", "norse-1.1", ...), or a JSON file of rules.
    settings : mapping, optional
        What the dialect leaves open, as text: `{"reset": "zero", "readout.reset": "none"}`.
    timesteps : int, optional
        Steps of a sample, 1 .. 65535; any number if left out.
    decision : str, optional
        "sum", "count", "max" or "last"; see `DECISIONS`.

    Returns
    -------
    ForeignNetwork

    Raises
    ------
    InputError
        If the file is damaged or contradicts itself, the dialect leaves a rule open, or the network cannot be done
        exactly; one line that names the file, the node and the field.
    """
    graph = read_graph(path)
    try:
        if dialect is None:
            first = next((layer for layer in chain(graph).layers if layer.node is not None), None)
            about = "" if first is None else f": dt, cmp and reset of {named(first.name)} are not in the file"
            raise InputError(f"dialect must be a JSON file or one of {', '.join(sorted(shipped()))}{about}")
        return ForeignNetwork(graph, load_dialect(dialect, settings), timesteps=timesteps, decision=decision)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
