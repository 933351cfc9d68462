"""Design space exploration: latency, resources and accuracy of a network over lanes, encodings and weight bits.

Nothing is simulated or synthesized, so it takes less than a minute: cycles are those of `CycleModel`, exact for every
sample; resources are those of `spikewright.predict.resources`, estimated.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from spikewright.contract.core import CoreSpec
from spikewright.contract.cores import CORES
from spikewright.contract.devices import Board
from spikewright.contract.encoding import encoding_named, encoding_names
from spikewright.contract.errors import InputError
from spikewright.contract.names import LANES, LAYERS, Layers
from spikewright.contract.network import NetworkSpec
from spikewright.data.shd import SpikeData
from spikewright.integer.reference import IntegerNetwork, Trace
from spikewright.layout.pack import Packer
from spikewright.layout.price import Resources
from spikewright.predict.cycles import CycleModel
from spikewright.predict.resources import estimate

_BATCH = 64


@dataclass(frozen=True)
class Design:
    """A core for one network.

    Parameters
    ----------
    weight_bits : int
    lanes : int
        Lanes of the largest layer, or those that all layers share.
    accuracy : float
        Accuracy of the integer network, on the samples.
    cycles : (least, mean, most)
        Clock cycles of an inference.
    resources : Resources
    fits : bool
        On the device.
    layers : "parallel", "shared" or "slotted"
        How the layers work, see `LAYERS_HELP`.
    encoding : str
        As `pack` takes it. Cycles are the same for all.
    after_input : float
        Mean clock cycles from the last input beat that is taken to the class.
    """

    weight_bits: int
    lanes: int
    accuracy: float
    cycles: tuple[int, float, int]
    resources: Resources
    fits: bool
    layers: Layers = "parallel"
    encoding: str = "auto"
    after_input: float = 0.0

    def costs(self) -> tuple[float, ...]:
        """What shall be small: cycles, block RAMs, LUTs, errors."""
        return self.cycles[1], self.resources.brams, self.resources.luts, -self.accuracy


def front(designs: Sequence[Design]) -> list[Design]:
    """The Pareto front: designs than which no other is better in one cost and as good in all."""
    return [
        design
        for design in designs
        if not any(_dominates(other.costs(), design.costs()) for other in designs if other is not design)
    ]


def _dominates(a: Sequence[float], b: Sequence[float]) -> bool:
    return all(x <= y for x, y in zip(a, b, strict=True)) and any(x < y for x, y in zip(a, b, strict=True))


def explore(
    networks: Mapping[int, NetworkSpec],
    data: SpikeData,
    board: Board,
    *,
    progress: Callable[[Design], None] = lambda design: None,
) -> list[Design]:
    """Every design of the space.

    Parameters
    ----------
    networks : mapping
        Integer networks by their weight bits.
    data : SpikeData
        At least one sample; all are counted.
    board : Board
    progress : callable, optional
        Is given each design as it is found.

    Raises
    ------
    InputError
        If there is no sample, or the samples do not fit the networks.
    """
    if not len(data):
        raise InputError("data must hold at least one sample, not 0")
    designs = []
    for weight_bits, network in networks.items():
        traces = _run(network, data)
        classes = torch.cat([trace.classes for trace in traces]).numpy()
        accuracy = float((classes == data.labels).mean())
        packer = Packer(network)
        for layers in _kinds(network):
            for lanes in lanes_of(network):
                cycles: tuple[tuple[int, float, int], float] | None = None
                for encoding, core in _cores(packer, lanes, layers, board.device.family):
                    resources = estimate(core, board)
                    cycles = cycles or _cycles(core, data, traces)
                    fits = resources.fit(board.device)
                    spread, after = cycles
                    design = Design(weight_bits, lanes, accuracy, spread, resources, fits, layers, encoding, after)
                    progress(design)
                    designs.append(design)
    return designs


def _kinds(network: NetworkSpec) -> list[Layers]:
    """Those that can have the network; a single layer has nothing to share or to keep pace with."""
    kinds = LAYERS if len(network.layers) > 1 else LAYERS[:1]
    return [kind for kind in kinds if CORES[kind].refusal(network) is None]


def _cores(packer: Packer, lanes: int, layers: Layers, target: str) -> Iterator[tuple[str, CoreSpec]]:
    """A core with the encodings that suit the target best; then one for each single encoding that is not the same."""
    core = packer.pack(lanes, layers=layers, target=target)
    yield "auto", core
    if not core.encodes:
        return
    chosen = {image.encoding for image in core.memories.values()}
    rows = max(image.rows for image in core.memories.values())
    for encoding in encoding_names():
        if chosen != {encoding} and encoding_named(encoding).refusal(rows) is None:
            yield encoding, packer.pack(lanes, layers=layers, encoding=encoding)


def lanes_of(network: NetworkSpec) -> list[int]:
    """Numbers of lanes that make sense: up to the neurons of the largest layer."""
    most = max(layer.neurons for layer in network.layers)
    return [lanes for lanes in LANES if lanes == 1 or lanes <= most]


def _run(network: NetworkSpec, data: SpikeData) -> list[Trace]:
    golden = IntegerNetwork(network)
    return [golden.run(torch.from_numpy(data.counts[first : first + _BATCH])) for first in range(0, len(data), _BATCH)]


def _cycles(core: CoreSpec, data: SpikeData, traces: Sequence[Trace]) -> tuple[tuple[int, float, int], float]:
    """Least, mean and most cycles of a sample that finds the core idle, and the mean of those after its input."""
    model = CycleModel(core)
    start = 0
    latencies, after = [], []
    for index, counts in enumerate(data.counts):
        spikes = [layer[index % _BATCH].numpy() for layer in traces[index // _BATCH].spikes]
        sample = model.run(counts, spikes, start)
        # Long after: what the last sweep still prepares is done.
        start = sample.done + 10_000
        latencies.append(sample.latency)
        after.append(sample.after_input)
    return (min(latencies), float(np.mean(latencies)), max(latencies)), float(np.mean(after))


def recommended(designs: Sequence[Design], board: Board, samples: int) -> Design | None:
    """The design to start from: most speed for its share of the board.

    Of the designs that fit and whose accuracy is at most one point, or one sample, below the best, the one with the
    least product of latency and share of the board, the larger of those of its LUTs and its block RAMs; of equal ones
    the fastest. None if none fits.

    Parameters
    ----------
    designs : sequence of Design
    board : Board
    samples : int
        On which the accuracies were measured.
    """
    fitting = [design for design in designs if design.fits]
    if not fitting:
        return None
    least = max(design.accuracy for design in fitting) - max(0.01, 1 / samples) - 1e-9

    def cost(design: Design) -> tuple[float, float]:
        share = max(design.resources.brams / board.device.brams, design.resources.luts / board.device.luts)
        return design.cycles[1] * share, design.cycles[1]

    return min((design for design in fitting if design.accuracy >= least), key=cost)


def rows(designs: Sequence[Design], clock_mhz: float) -> list[dict[str, Any]]:
    """The designs as a table, JSON-ready, those of the front marked."""
    best = front(designs)
    return [
        {
            "weight_bits": design.weight_bits,
            "lanes": design.lanes,
            "layers": design.layers,
            "encoding": design.encoding,
            "accuracy": design.accuracy,
            "cycles": dict(zip(("min", "mean", "max"), design.cycles, strict=True)),
            "microseconds": design.cycles[1] / clock_mhz,
            "microseconds_after_input": design.after_input / clock_mhz,
            "luts": design.resources.luts,
            "ffs": design.resources.ffs,
            "brams": design.resources.brams,
            "dsps": design.resources.dsps,
            "fits": design.fits,
            "front": any(design is other for other in best),
        }
        for design in designs
    ]
