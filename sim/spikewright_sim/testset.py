"""Whole test sets in parts, on the processors of this machine or on the workers of a Dask cluster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from spikewright import __version__
from spikewright.contract.errors import InputError
from spikewright.support.cluster import call_all, connect, threads
from spikewright.support.files import MANIFEST
from spikewright.support.progress import bar
from spikewright_sim.core.scoreboard import Report

PART = 128
"""Samples whose traces are held at once."""
PARTS_PER_WORKER = 4
"""So that a slow worker does not keep the others waiting for long."""

Counts = npt.NDArray[np.integer]
Found = tuple[Report, tuple[int, int]]
"""Differences, and synaptic operations, as by `total_operations`."""


class Simulation(Protocol):
    """Simulates some samples of a build folder: `simulation(counts, begin, ...)`, `begin` the number of the first."""

    def __call__(
        self,
        counts: Counts,
        begin: int,
        *,
        waveform: Path | None = None,
        processes: int | None = None,
        advance: Callable[[int], None] = ...,
    ) -> Found: ...


@dataclass(frozen=True)
class TestSet:
    """Samples to simulate.

    Parameters
    ----------
    build_dir : Path
    counts : (B, T, inputs) integers
    runs : callable
        How many simulations a part (samples, number of the first) takes, for the progress bar.
    waveform : Path
        Written if something differs, with the first sample that does.
    show : bool
        Show a progress bar.
    """

    __test__ = False  # nothing for pytest to collect

    build_dir: Path
    counts: Counts
    runs: Callable[[int, int], int]
    waveform: Path
    show: bool = False

    def parts(self, most: int) -> list[tuple[Counts, int]]:
        return [(self.counts[begin : begin + most], begin) for begin in range(0, len(self.counts), most)]

    def _bar(self, parts: list[tuple[Counts, int]]) -> Any:
        total = sum(self.runs(len(counts), begin) for counts, begin in parts)
        return bar(total=total, desc="Simulating", unit="sample", show=self.show)

    def here(self, simulation: Simulation) -> Iterator[Found]:
        """What was found in one part after the other, each shared among the processors of this machine."""
        parts = self.parts(PART)
        different = False
        with self._bar(parts) as moving:
            for counts, begin in parts:
                found = simulation(counts, begin, waveform=None if different else self.waveform, advance=moving.update)
                different = different or found[0].different
                yield found

    def on_cluster(self, simulation: Simulation, scheduler: str) -> Iterator[Found]:
        """What was found in each part, simulated on the workers of a cluster, which must see the build folder.

        Parameters
        ----------
        simulation : Simulation
            Can be pickled.
        scheduler : str
            Address, as `tcp://host:8786`.

        Raises
        ------
        InputError
            If there is no cluster, or its workers lack the build folder or run another version.
        CheckFailed
            If a worker fails otherwise.
        """
        with connect(scheduler, "a simulation") as client:
            most = min(PART, -(-len(self.counts) // (PARTS_PER_WORKER * threads(client))))
            parts = self.parts(most)
            calls = [(simulation, self.build_dir, __version__, *part) for part in parts]
            with self._bar(parts) as moving:
                ended = call_all(
                    client,
                    _on_worker,
                    calls,
                    lambda index: moving.update(self.runs(len(parts[index][0]), parts[index][1])),
                )
        for part, found in zip(parts, ended, strict=True):
            if found[0].different:
                simulation(*part, waveform=self.waveform)
                break
        yield from ended


def _on_worker(simulation: Simulation, build_dir: Path, version: str, counts: Counts, begin: int) -> Found:
    if __version__ != version:
        raise InputError(f"spikewright must be {version}, as where the simulation was started, not {__version__}")
    if not (build_dir / MANIFEST).is_file():
        raise InputError(f"{build_dir} must be the build folder there too, but there is none")
    # One process: a worker has as many threads as it shall use processors.
    return simulation(counts, begin, processes=1)
