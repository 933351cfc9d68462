"""Whole test sets: a C++ loop around the Verilated core, which compares on the fly what Python expects.

The loop in `native.cpp` runs a sample after the other, each in an idle core or right behind the one before. It compares
spikes and membranes of every neuron at every step, scores, class, and the cycle of every step: the same as the cocotb
bench, much faster. A core is reset once, in the middle of a sample, and never again.
"""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spikewright.contract.core import CoreSpec
from spikewright.contract.errors import CheckFailed, ToolTrouble
from spikewright.contract.integers import check_samples
from spikewright.integer.reference import Trace
from spikewright.predict.cycles import CycleModel, SampleCycles
from spikewright.support.caches import temporary_folder
from spikewright.support.environment import complaint, tool_environment
from spikewright.support.files import atomic_path
from spikewright_sim.core.dut import REFUSED, Dut
from spikewright_sim.core.scoreboard import Report
from spikewright_sim.core.traces import TracedLayer, expected_rows, layers_of

_REFUSED_STATUS = 4


@dataclass(frozen=True)
class Drive:
    """How samples follow each other.

    Parameters
    ----------
    close : bool
        Right behind each other, rather than each in an idle core.
    stall : float
        Probability of a pause of the input, and of one of the output, each cycle; cycles are not compared then.
    repeat : int
        How often all of them run, without a reset.
    label : str
        Behind the name of a sample in messages.
    """

    close: bool = False
    stall: float = 0.0
    repeat: int = 1
    label: str = ""

    @property
    def timed(self) -> bool:
        return not self.stall


@dataclass(frozen=True)
class Wave:
    """Where the waveform of the first sample with a difference goes, and how a loop that writes it is compiled."""

    path: Path
    compile: Callable[[], Path]


@dataclass(frozen=True)
class Job:
    """Samples (B, T, inputs) for a core, and what it shall answer.

    Parameters
    ----------
    dut : Dut
    values, trace
        As for `scoreboard.compare`.
    broken : dict
        Input beats (tdata, tlast), by sample, with events besides its values that break the rules: they change nothing
        but the error flag. No cycles of any sample are compared then.
    """

    dut: Dut
    values: npt.NDArray[np.integer]
    trace: Trace
    broken: Mapping[int, list[tuple[int, int]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        network = self.dut.core.network
        check_samples("values", self.values, network.timesteps, network.inputs)

    def first(self, samples: int) -> Job:
        """The first so many samples."""
        return replace(self, values=self.values[:samples])

    def write(self, folder: Path, shard: npt.NDArray[np.int64], drive: Drive) -> list[SampleCycles]:
        """Write the files of `native.cpp`; returns the predicted cycles of all samples, in the order of the passes."""
        (folder / "weights").write_bytes(self.dut.weights)
        bits = 8 * self.dut.stream["output_bytes"]
        layers = layers_of(self.dut.core)
        with (folder / "stimulus").open("wb") as stimulus, (folder / "expected").open("wb") as expected:
            for b in shard.tolist():
                words = self.broken[b] if b in self.broken else self.dut.beats(self.values[b])
                beats = np.array([data | last << 63 for data, last in words], dtype="<u8")
                stimulus.write(np.array(len(beats), dtype="<u4").tobytes() + beats.tobytes())
                expected.write(np.array(self.values.shape[1], dtype="<u4").tobytes())
                for k, layer in enumerate(layers):
                    fired = None if layer.image.spec.readout else self.trace.spikes[k][b].numpy()
                    rows = expected_rows(layer, fired, self.trace.membranes[k][b].numpy())
                    expected.write(rows.astype("<u4").tobytes())
                output = [int(score) & (1 << bits) - 1 for score in self.trace.scores[b]]
                output.append(int(self.trace.classes[b]) | (b in self.broken) << (bits - 1))
                expected.write(np.array(output, dtype="<u8").tobytes())
        predicted: list[SampleCycles] = []
        with (folder / "timing").open("wb") as timing:
            if not drive.timed or self.broken:
                return predicted
            # Samples in an idle core take the same cycles in every pass: the loop reads the file again.
            for b in shard.tolist() * (drive.repeat if drive.close else 1):
                if not predicted or not drive.close:
                    model, start = CycleModel(self.dut.core), 0
                else:
                    start = predicted[-1].accepted + 1
                spikes = [layer[b].numpy() for layer in self.trace.spikes]
                cycles = model.run(self.values[b], spikes, start)
                predicted.append(cycles)
                ends = [cycles.accepted - start, cycles.done - start]
                timing.write((cycles.steps - start).astype("<u4").tobytes() + np.array(ends, dtype="<u4").tobytes())
        return predicted if drive.close else predicted * drive.repeat


def run_native(
    executable: Path,
    job: Job,
    *,
    seed: int,
    first: int = 0,
    progress: Callable[[str], None],
    advance: Callable[[int], object] = lambda samples: None,
    processes: int | None = None,
    drive: Drive | None = None,
    wave: Wave | None = None,
    whole: Path | None = None,
    toggles: Path | None = None,
) -> Report:
    """Run samples through a core compiled with `native.cpp`, on all processors.

    Parameters
    ----------
    executable : Path
    job : Job
    seed : int
        Seed of what registers hold before reset, of the reset in the middle of a sample, and of pauses.
    first : int
        Number of the first sample, for messages.
    progress, advance : callables
        Are told what is going on, a line at a time, and how many samples are through since they were told last.
    processes : int, optional
        How many at once, each with a part of the samples; default: one per processor.
    drive : Drive, optional
    wave : Wave, optional
        Written if something differs.
    whole : Path, optional
        File for the waveform of all that `executable` does, which then must be compiled for that, in one process.

    toggles : Path, optional
        File for the changes of nets in all samples, if `executable` was compiled to count them; in one process.

    Returns
    -------
    Report
        Differences of all passes; classes, latencies and predicted cycles of the first one.
    """
    drive = drive or Drive()
    dut = job.dut
    samples = len(job.values)
    shards = [shard for shard in np.array_split(np.arange(samples), processes or os.cpu_count() or 1) if len(shard)]
    done = [0] * len(shards)
    report = Report()
    with temporary_folder(dut.build_dir) as work, ThreadPoolExecutor(len(shards)) as pool:
        folders = [work / str(number) for number in range(len(shards))]
        options = {
            **{file: file for file in ("stimulus", "expected", "timing", "weights", "report", "progress")},
            **{"settle": dut.settle, "patience": dut.patience, "seed": 1 + seed % (1 << 30), "close": int(drive.close)},
            **{"stall": round(1024 * drive.stall), "repeat": drive.repeat},
            "false_start": 1 + random.Random(seed).randrange(4 * dut.settle),
            **({} if whole is None else {"whole": 1, "wave": whole.resolve(), "false_start": 0}),
            **({} if toggles is None else {"dump": 0, "wave": toggles.resolve()}),
        }
        futures = []
        for shard, folder in zip(shards, folders, strict=True):
            folder.mkdir()
            for image in dut.build_dir.glob("*.hex"):
                (folder / image.name).symlink_to(image.resolve())

            def write_and_run(shard: npt.NDArray[np.int64] = shard, folder: Path = folder) -> list[SampleCycles]:
                predicted = job.write(folder, shard, drive)
                _run(executable, folder, options)
                return predicted

            futures.append(pool.submit(write_and_run))
        while wait(futures, timeout=1).not_done:
            before = sum(done)
            for number, folder in enumerate(folders):
                file = folder / "progress"
                text = file.read_text() if file.is_file() else ""
                done[number] = int(text) if text else done[number]
            advance(sum(done) - before)
        advance(samples * drive.repeat - sum(done))
        for shard, folder, future in zip(shards, folders, futures, strict=True):
            report.predicted += future.result()[: len(shard)]
            worst = _read_report(report, job, folder / "report", first + shard, drive)
            if worst is not None and wave is not None:
                progress(f"writing the waveform of sample {first + shard[worst % len(shard)]} to {wave.path}")
                with atomic_path(wave.path) as temporary:
                    dump = {"dump": worst, "wave": temporary.resolve(), "report": "again"}
                    _run(wave.compile(), folder, {**options, **dump})
                wave = None
    return report


def _run(executable: Path, folder: Path, options: dict[str, Any]) -> None:
    command = [str(executable.resolve()), *(f"{name}={value}" for name, value in options.items())]
    command += ["+verilator+rand+reset+2", f"+verilator+seed+{options['seed']}"]
    with tool_environment(folder) as env:
        finished = subprocess.run(command, cwd=folder, capture_output=True, text=True, env=env, errors="replace")
    if finished.returncode == _REFUSED_STATUS:
        raise CheckFailed(REFUSED)
    if finished.returncode:
        said = complaint(finished.stderr.splitlines())
        raise ToolTrouble(f"the native simulation must run, not end with status {finished.returncode}: {said}")


@dataclass
class _Reader:
    """Words of a difference in terms of the network."""

    core: CoreSpec
    layers: list[TracedLayer] = field(init=False)

    def __post_init__(self) -> None:
        self.layers = layers_of(self.core)

    def describe(self, name: str, words: list[str]) -> str:
        kind = words[0]
        index, step, place, expected, got = map(int, words[1:])
        where = f"{name}, layer {index}, step {step}"
        if kind in ("spike", "membrane"):
            layer = self.layers[index]
            order = layer.image.order
            neuron = int(order[place]) if place < len(order) else f"(none, position {place})"
            if kind == "spike":
                return f"{where}, neuron {neuron}: expected {expected}, got {got}"
            sign = 1 << (layer.bits - 1)
            return f"{where}, neuron {neuron} membrane: expected {(expected ^ sign) - sign}, got {(got ^ sign) - sign}"
        if kind in ("row", "cycle"):
            return f"{where}, {kind}: expected {expected}, got {got}"
        if kind in ("extra", "missing"):
            return f"{where}, traced rows: {kind}"
        if kind == "hung":
            return f"{name}: no sign of life any more after {got} cycles"
        if kind == "early":
            return f"{name}: answered after {got} of {expected} beats"
        if kind in ("score", "class", "unstable"):
            return f"{name}, {kind} (beat {place}): expected {expected:#x}, got {got:#x}"
        return f"{name}, {kind} in cycle: expected {expected}, got {got}"


def _read_report(report: Report, job: Job, file: Path, shard: npt.NDArray[np.int64], drive: Drive) -> int | None:
    """Add what a loop found; the number, in the order of the loop, of the first sample that differs."""
    reader = _Reader(job.dut.core)
    lines = file.read_text().splitlines()
    finished = 0
    worst = None
    for line in lines:
        kind, *words = line.split()
        number = int(words[0]) if words else 0
        if kind == "difference":
            described = report.cycles if words[1] in ("cycle", "accepted", "done") else report.values
            again = f", pass {number // len(shard)}" if drive.repeat > 1 else ""
            described.append(reader.describe(f"sample {shard[number % len(shard)]}{drive.label}{again}", words[1:]))
            worst = number if worst is None else min(worst, number)
        elif kind == "sample":
            mismatches, cycle_mismatches, cycles, last = map(int, words[1:])
            report.mismatches += mismatches
            report.cycle_mismatches += cycle_mismatches
            if number < len(shard):
                report.latencies.append(cycles)
                report.classes.append(last & (1 << (8 * job.dut.stream["output_bytes"] - 1)) - 1)
            finished += 1
    if lines[-1:] != ["end"] or finished < len(shard) * drive.repeat:
        report.differ("results", len(shard) * drive.repeat, finished)
    return worst
