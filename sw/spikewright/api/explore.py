"""Design space exploration: latency, resources and accuracy over lanes and weight bits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spikewright.api.quantize import quantize
from spikewright.api.result import Result
from spikewright.api.source import AnyNetwork, AnyPath, Data, opened
from spikewright.contract.defaults import BOARD, EXPLORED_BITS, EXPLORED_SAMPLES
from spikewright.contract.errors import InputError
from spikewright.contract.names import unusual
from spikewright.contract.network import NetworkSpec
from spikewright.contract.shown import Facts, percent, thousands
from spikewright.data.shd import SpikeData
from spikewright.integer.reference import IntegerNetwork
from spikewright.learn.networks import SpikingNetwork
from spikewright.support.progress import step


class Exploration(Result):
    """Designs for a network.

    Attributes
    ----------
    board : str
    clock_mhz : float
    samples : int
    points : list of dict
        The designs: `weight_bits`, `lanes`, `layers`, `encoding`, `accuracy`, `cycles`, `microseconds`, `luts`, `ffs`,
        `brams`, `dsps`, `fits` and `front`.
    front : list of dict
        Those than which no other is better in one cost and as good in all.
    """

    board: str
    clock_mhz: float
    samples: int
    points: list[dict[str, Any]]

    @property
    def front(self) -> list[dict[str, Any]]:
        """The designs of the Pareto front that fit the board."""
        return [point for point in self.points if point["front"] and point["fits"]]

    def title(self) -> str:
        return f"{type(self).__name__}: {len(self.points)} designs, {len(self.front)} of the Pareto front fit the board"

    def facts(self) -> Facts:
        unit = f"{self.clock_mhz:g} MHz"
        available = self["available"]
        facts = [
            ("samples", f"{self.samples} ({self['split']})" if self["split"] else str(self.samples)),
            ("board", f"{self.board}: {thousands(available['luts'])} LUTs, {available['brams']} block RAMs"),
            ("", f"{'accuracy':>9} {'cycles':>9} {'at ' + unit:>12} {'LUTs':>8} {'RAMs':>5}"),
        ]
        shown = [point for point in self.points if point["encoding"] == "auto" or point["front"]]
        facts += [_fact(point) for point in shown]
        if hidden := len(self.points) - len(shown):
            facts.append(("", f"{hidden} with other encodings that take more are left out: --json and --out have all"))
        return facts


def _fact(point: dict[str, Any]) -> tuple[str, str]:
    unusually = "".join(f" {word}" for word in unusual(point["layers"]))
    label = f"{point['weight_bits']} bits, {point['lanes']:>2} lanes{unusually}"
    if point["encoding"] != "auto":
        label += f", {point['encoding']}"
    text = (
        f"{percent(point['accuracy']):>9} {thousands(point['cycles']['mean']):>9} "
        f"{point['microseconds']:>9.1f} us {thousands(point['luts']):>8} {point['brams']:>5}"
    )
    marks = [name for name, shown in (("front", point["front"]), ("does not fit", not point["fits"])) if shown]
    return label, f"{text}  {', '.join(marks)}"


def explore(
    network: AnyNetwork,
    data: Data = "sample",
    *,
    board: str = BOARD,
    split: str = "test",
    samples: int = EXPLORED_SAMPLES,
    clock_mhz: float | None = None,
    weight_bits: Sequence[int] | None = None,
    out: AnyPath | None = None,
) -> Exploration:
    """Predict the exact cycles of an inference, and estimate resources, for every number of lanes.

    Nothing is simulated or synthesized.

    Parameters
    ----------
    network : network, or its path, or name of a shipped checkpoint
        A float network is quantized to several widths.
    data : SpikeData, folder or "sample"
    board : str
        Target.
    split : "train", "valid" or "test"
        Part of a folder's data set.
    samples : int
        Run the first so many, all if there are fewer.
    clock_mhz : float, optional
        For microseconds; what the board is meant for by default.
    weight_bits : sequence of int, optional
        Of a float network, 2 .. 16 each; 8, 6 and 4 by default.
    out : path, optional
        Folder to make, with figure (SVG, PNG), CSV and JSON.

    Raises
    ------
    InputError
        If the network, the data or the board cannot be used.
    """
    from spikewright.predict.explore import explore as run
    from spikewright.predict.explore import rows
    from spikewright.report.front import write
    from spikewright_boards.catalog import find

    target = find(board)
    source = opened(network)
    folder = None if isinstance(data, SpikeData) else data  # samples to explore are not for training
    networks = _networks(source.network, folder, weight_bits)
    if samples < 1:
        raise InputError(f"samples must be at least 1, not {samples}")
    chosen = source.samples(data, split, at_most=samples)
    clock = clock_mhz or target.clock_mhz
    with step(f"Predicting cores for {len(chosen)} samples"):
        points = rows(run(networks, chosen, target), clock)
    report = {
        "model": None if source.path is None else str(source.path),
        "data": None if folder is None else str(folder),
        "split": None if folder is None else split,
        "samples": len(chosen),
        "board": board,
        "available": {name: getattr(target.device, name) for name in ("luts", "ffs", "brams", "dsps")},
        "clock_mhz": clock,
        "points": points,
    }
    if out is not None:
        write(Path(out), report)
    return Exploration({**report, "out": None if out is None else str(out)})


def _networks(
    network: SpikingNetwork | IntegerNetwork, data: AnyPath | None, weight_bits: Sequence[int] | None
) -> dict[int, NetworkSpec]:
    """Integer networks by their weight bits."""
    if isinstance(network, IntegerNetwork):
        if weight_bits is not None:
            raise InputError("weight_bits must be left out for an integer network, which has its own")
        return {max(layer.weight_bits for layer in network.spec.layers): network.spec}
    return {bits: quantize(network, weight_bits=bits, data=data).spec for bits in weight_bits or EXPLORED_BITS}
