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
from spikewright.contract.network import NetworkSpec
from spikewright.contract.shown import Facts, percent, thousands
from spikewright.data.shd import SpikeData
from spikewright.integer.reference import IntegerNetwork
from spikewright.learn.networks import SpikingNetwork
from spikewright.report.front import design_name
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
    recommended : dict or None
        The one of the points to start from, see `spikewright.predict.explore.recommended`; None if none fits.
    """

    board: str
    clock_mhz: float
    samples: int
    points: list[dict[str, Any]]
    recommended: dict[str, Any] | None

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
        facts += [_fact(point, point == self.recommended) for point in shown]
        if hidden := len(self.points) - len(shown):
            facts.append(("", f"{hidden} with other encodings that take more are left out: --json and --out have all"))
        facts.append(("recommended", self._recommended()))
        return facts

    def _recommended(self) -> str:
        if self.recommended is None:
            return f"none, as no design fits {self.board}"
        name = design_name(self.recommended)
        return f"{name}: the least latency for its share of the board, among the most accurate"


def _fact(point: dict[str, Any], recommended: bool) -> tuple[str, str]:
    label = design_name(point, pad=2)
    text = (
        f"{percent(point['accuracy']):>9} {thousands(point['cycles']['mean']):>9} "
        f"{point['microseconds']:>9.1f} us {thousands(point['luts']):>8} {point['brams']:>5}"
    )
    kinds = (("front", point["front"]), ("does not fit", not point["fits"]), ("recommended", recommended))
    marks = [name for name, shown in kinds if shown]
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
        Folder to make, with a page (`index.html`), figure (SVG, PNG), CSV and JSON.

    Raises
    ------
    InputError
        If the network, the data or the board cannot be used.
    """
    from spikewright.predict.explore import explore as run
    from spikewright.predict.explore import recommended, rows
    from spikewright.report.front_files import write
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
        designs = run(networks, chosen, target)
    points = rows(designs, clock)
    best = recommended(designs, target, len(chosen))
    report = {
        "model": None if source.path is None else str(source.path),
        "data": None if folder is None else str(folder),
        "split": None if folder is None else split,
        "samples": len(chosen),
        "board": board,
        "available": {name: getattr(target.device, name) for name in ("luts", "ffs", "brams", "dsps")},
        "clock_mhz": clock,
        "points": points,
        "recommended": None if best is None else points[designs.index(best)],
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
