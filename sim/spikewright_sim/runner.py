"""Simulation of a build folder: cocotb on Verilator, compared with the integer network and the cycle model."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from spikewright.contract.errors import InputError
from spikewright.contract.integers import check_labels, check_samples
from spikewright.integer.operations import total_operations
from spikewright.integer.reference import IntegerNetwork
from spikewright_sim.bench.runner import Stimulus, record
from spikewright_sim.core.dut import NETLIST, Dut, Engine, Progress
from spikewright_sim.core.scoreboard import Report, compare
from spikewright_sim.native import loop as native
from spikewright_sim.testset import Found, TestSet

OPTIMIZED_FROM = 30_000
"""Time steps, of all samples, from which on an optimized loop saves more time than its compilation costs."""
BEHIND_EACH_OTHER = 3
"""Samples that the native loop also runs back to back, and with pauses."""


def simulate(
    build_dir: Path | str,
    counts: npt.NDArray[np.integer],
    labels: npt.NDArray[np.integer],
    *,
    engine: Engine = "cocotb",
    seed: int = 0,
    repeat: int = 1,
    model: Path | str | None = None,
    image: Path | str | None = None,
    scheduler: str | None = None,
    bar: bool = False,
    progress: Progress = lambda message: None,
) -> dict[str, Any]:
    """Compare the Verilog of a build folder with the integer network and the cycle model.

    Every sample runs alone in an idle core, which gives its latency; a few then run back to back, and a few with random
    pauses at both ends. The native loop is made for whole test sets. All are compared: spikes and membranes of every
    neuron at every step, scores and class, and, where nothing paused, the cycle of every step of every layer.

    Parameters
    ----------
    build_dir : Path
        Folder that `spikewright generate` made.
    counts : (B, T, inputs) integers
    labels : (B,) integers
    engine : "cocotb", "native" or "icarus"
        The last one is slow, and knows nothing of a register before it is written.
    seed : int
        Seed of the pauses, and of what registers hold before the reset.
    repeat : int
        Native only: how often all samples run back to back through the same core, without a reset. From 2 on, all of
        them do, else only the first few.
    model : Path, optional
        For a core that is loaded at run time: the network to load, instead of the one in the folder.
    image : Path, optional
        The load image, instead of one that is made of `model`, or the one in the folder.
    scheduler : str, optional
        Native only: address of a Dask scheduler whose workers simulate instead of the processors of this machine. They
        must see `build_dir` under the same name; each thread of a worker then has its own core.
    bar : bool
        Native only: show a progress bar, in a terminal.
    progress : callable
        Is told what is going on, a line at a time.

    Returns
    -------
    dict
        JSON-ready: `engine`, `samples`, `mismatches`, `cycle_mismatches`, `details` (the first differences),
        `accuracy` (of the simulated hardware), `cycles_per_inference` and `predicted_cycles_per_inference` (`min`,
        `mean`, `max`), `cycles_after_input` (likewise, from the last beat that is taken to the class, as predicted),
        `synaptic_ops` (additions of a synapse) and `dense_synaptic_ops` (what the same events would
        cost if no weight were zero), both over all `samples`; `waveform`, a file with the first sample that differs,
        or None.

    Raises
    ------
    InputError
        If the build folder or the samples do not fit, or a tool is missing.
    """
    dut = Dut.open(Path(build_dir), model, image)
    samples = len(counts)
    if not samples:
        raise InputError("samples must be at least 1, not 0")
    check_samples("counts", counts, dut.core.network.timesteps, dut.core.network.inputs)
    check_labels(labels, samples)
    if not np.issubdtype(counts.dtype, np.integer):
        raise InputError(f"counts must be integers, not {counts.dtype}")
    total = Report()
    operations = [0, 0]
    if engine != "native" and repeat != 1:
        raise InputError(f"repeat must be 1 for the engine {engine}, not {repeat}")
    if engine != "native" and scheduler is not None:
        raise InputError(f"a scheduler must not be given for the engine {engine}")
    waveform = dut.place / "mismatch.vcd"
    waveform.unlink(missing_ok=True)
    found: Iterable[Found]
    if engine == "native":
        steps = (repeat + 1 if repeat > 1 else 1) * samples * dut.core.network.timesteps
        quick = steps < OPTIMIZED_FROM or (dut.build_dir / NETLIST).is_file()
        dut.compiled(engine, progress, quick=quick)  # once, before the work is shared out
        dut = replace(dut, build_dir=dut.build_dir.resolve())
        test_set = TestSet(dut.build_dir, counts, partial(_runs, repeat), waveform, bar)
        part = partial(_native, dut, seed, repeat, quick)
        found = (
            test_set.here(partial(part, progress=progress))
            if scheduler is None
            else test_set.on_cluster(part, scheduler)
        )
    else:
        found = [_cocotb(dut, seed, counts, progress, engine)]
    for report, part_operations in found:
        total.add(report)
        operations = [a + b for a, b in zip(operations, part_operations, strict=True)]
    complete = len(total.classes) >= samples
    return {
        "engine": engine,
        "samples": samples,
        "mismatches": total.mismatches,
        "cycle_mismatches": total.cycle_mismatches,
        "details": total.details,
        "accuracy": float(np.mean(np.array(total.classes[:samples]) == labels)) if complete else 0.0,
        "cycles_per_inference": _spread(total.latencies[:samples]),
        "predicted_cycles_per_inference": _spread([item.latency for item in total.predicted[:samples]]),
        "cycles_after_input": _spread([item.after_input for item in total.predicted[:samples]]),
        "synaptic_ops": operations[0],
        "dense_synaptic_ops": operations[1],
        "waveform": str(waveform) if engine == "native" and total.different else None,
    }


def _cocotb(dut: Dut, seed: int, counts: npt.NDArray[np.integer], progress: Progress, engine: Engine) -> Found:
    samples = len(counts)
    alone = [Stimulus(counts[b], f"sample {b}", isolated=True) for b in range(samples)]
    few = list(range(min(samples, 3)))
    back_to_back = [Stimulus(counts[b], f"sample {b} back to back") for b in few]
    # The first of these is isolated, so that its pauses do not delay the result of the sample before.
    paused = [Stimulus(counts[b], f"sample {b} with pauses", isolated=b == 0, stall=0.3) for b in few[:2]]
    stimuli = alone + back_to_back + paused
    values = np.stack([item.values for item in stimuli])
    progress(f"running {samples} samples through the integer network")
    trace = IntegerNetwork(dut.core.network).run(torch.from_numpy(values.astype(np.int64)))
    seen = record(dut, stimuli, seed=seed, progress=progress, engine=engine)
    progress("comparing every neuron at every step")
    report = compare(
        dut.core,
        values,
        trace,
        seen,
        output_bytes=dut.stream["output_bytes"],
        names=[item.name for item in stimuli],
        timed=len(alone) + len(back_to_back),
        traced=dut.traced,
    )
    spikes = [layer[:samples] for layer in trace.spikes]
    return report, total_operations(dut.core.network, values[:samples], spikes)


def _runs(repeat: int, samples: int, begin: int) -> int:
    """Simulations of a part: alone, back to back, and with pauses, see `_native`."""
    few = min(samples, BEHIND_EACH_OTHER) if begin == 0 else 0
    return samples + (repeat * samples if repeat > 1 else few) + few


def _native(
    dut: Dut,
    seed: int,
    repeat: int,
    quick: bool,
    counts: npt.NDArray[np.integer],
    begin: int,
    *,
    waveform: Path | None = None,
    processes: int | None = None,
    advance: Callable[[int], object] = lambda samples: None,
    progress: Progress = lambda message: None,
) -> Found:
    values = counts.astype(np.int64)
    trace = IntegerNetwork(dut.core.network).run(torch.from_numpy(values))
    job = native.Job(dut, values, trace)
    executable = dut.compiled("native", progress, quick=quick)
    wave = None
    if waveform is not None:
        wave = native.Wave(waveform, lambda: dut.compiled("native", progress, waves=True))
    options: dict[str, Any] = {"seed": seed, "first": begin, "progress": progress, "advance": advance}
    report = native.run_native(executable, job, **options, processes=processes, wave=wave)
    few = len(counts) if repeat > 1 else min(len(counts), BEHIND_EACH_OTHER) if begin == 0 else 0
    drives = [native.Drive(close=True, repeat=repeat, label=" back to back")]
    drives += [native.Drive(close=True, stall=0.3, label=" with pauses")] if begin == 0 else []
    for drive in drives if few else ():
        found = native.run_native(
            executable,
            job.first(few if drive.timed else BEHIND_EACH_OTHER),
            **options,
            processes=processes if repeat > 1 else 1,
            drive=drive,
            wave=None if report.different else wave,
        )
        report.add_differences(found)
    return report, total_operations(dut.core.network, values, trace.spikes)


def _spread(cycles: list[int]) -> dict[str, float | int | None]:
    if not cycles:
        return {"min": None, "mean": None, "max": None}
    return {"min": min(cycles), "mean": sum(cycles) / len(cycles), "max": max(cycles)}
