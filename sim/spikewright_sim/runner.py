"""Simulation of a build folder: cocotb on Verilator, compared with the integer network and the cycle model."""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch

from spikewright import __version__
from spikewright.build import image_of, open_build
from spikewright.errors import CheckFailed, InputError
from spikewright.files import MANIFEST, atomic_dir, read_json, sha256, write_manifest
from spikewright.image import CoreSpec
from spikewright.integer import IntegerNetwork, Trace
from spikewright.spec import NetworkSpec
from spikewright_hw.verilog import LOAD_IMAGE

from . import native
from .recording import Recording
from .scoreboard import Report, compare
from .testset import Found, TestSet
from .toolchain import cocotb_main, compile_model, environment

TOP = "spikewright_core"
NETLIST = "netlist.json"
"""In the build folder of a netlist: what cells it has."""
PORTS = ("clk", "rst", "*axis*", "trace*", "s_load*", "loaded", "load_error")
BEHIND_EACH_OTHER = 3
"""Samples that the native loop also runs back to back, and with pauses."""

Progress = Callable[[str], None]
Engine = Literal["cocotb", "native"]


@dataclass(frozen=True)
class Stimulus:
    """A sample to simulate.

    Parameters
    ----------
    values : (T, inputs) integers
    name : str
        For messages.
    isolated : bool
        Start in an idle core, not right behind the sample before.
    stall : float
        Probability of a pause of the input, and of one of the output, each cycle.
    """

    values: npt.NDArray[np.integer]
    name: str
    isolated: bool = False
    stall: float = 0.0


def beats(values: npt.NDArray[np.integer], stream: dict[str, int]) -> list[tuple[int, int]]:
    """Input beats (tdata, tlast) of a sample (T, inputs): per step its events by rising axon, then a mark."""
    words: list[tuple[int, int]] = []
    mark = 1 << stream["mark_bit"]
    for t, row in enumerate(values):
        words += [(int(axon) | int(row[axon]) << stream["axon_bits"], 0) for axon in np.flatnonzero(row)]
        words.append((mark, int(t == len(values) - 1)))
    return words


def compiled(
    build_dir: Path,
    core: CoreSpec,
    engine: Engine,
    progress: Progress,
    *,
    waves: bool = False,
    quick: bool = False,
) -> Path:
    """The simulation of a build folder, compiled unless its Verilog was before.

    The native one may write waves, or be compiled quickly, see `compile_model`; that of a netlist always is.
    """
    environment()  # tells what is missing before anything is written
    folder = build_dir / f"simulation-{engine}{'-waves' if waves else ''}"
    header = native.header(core)
    stamp = (
        f"{__version__} {sha256(build_dir / f'{TOP}.v')} {sha256(native.MAIN)} {header if engine == 'native' else ''}"
    )
    if not (folder / MANIFEST).is_file() or read_json(folder / MANIFEST, "manifest").get("stamp") != stamp:
        progress(f"compiling the Verilog with Verilator, for {engine}")
        with atomic_dir(folder) as part:
            if engine == "native":
                (part / "layers.h").write_text(header)
                main = native.MAIN
                quick = not waves and (quick or (build_dir / NETLIST).is_file())
                options: dict[str, Any] = {"vpi": False, "waves": waves, "quick": quick}
            else:
                main, ldflags = cocotb_main()
                options = {"ldflags": ldflags}
            try:
                compile_model([build_dir / f"{TOP}.v"], TOP, part, main=main, ports=PORTS, **options)
            except RuntimeError as error:
                raise InputError(f"{build_dir / f'{TOP}.v'} must be the core of its manifest: {error}") from error
            write_manifest(part, {"stamp": stamp})
    return folder / TOP


def record(
    build_dir: Path,
    core: CoreSpec,
    stream: dict[str, int],
    stimuli: list[Stimulus],
    *,
    weights: bytes = b"",
    seed: int,
    progress: Progress,
) -> Recording:
    """Run samples through the Verilog and the memory images of a build folder, after `weights` were loaded, if any.

    Raises
    ------
    CheckFailed
        If the core breaks the protocol of its output, or refuses the load image.
    """
    executable = compiled(build_dir, core, "cocotb", progress)
    with tempfile.TemporaryDirectory(prefix="spikewright-") as name:
        folder = Path(name)
        for image in build_dir.glob("*.hex"):
            shutil.copyfile(image, folder / image.name)
        job = {
            "seed": seed,
            "layers": len(core.layers),
            "weights": weights.hex(),
            "settle": settle(core),
            "patience": patience(core),
            "samples": [
                {"beats": beats(item.values, stream), "isolated": item.isolated, "stall": item.stall}
                for item in stimuli
            ],
        }
        files = {key: folder / f"{key}.json" for key in ("job", "progress", "recording")}
        files["job"].write_text(json.dumps(job))
        with _watch(files["progress"], len(stimuli), progress):
            log = run_bench(
                executable,
                "spikewright_sim.bench_core",
                folder,
                seed=seed,
                env={f"SPIKEWRIGHT_{key.upper()}": str(path) for key, path in files.items()},
            )
        if not files["recording"].is_file():
            raise CheckFailed(f"the simulation was stopped by its bench:\n{log[-2000:]}")
        recording = Recording(**json.loads(files["recording"].read_text()))
        if recording.refused:
            raise CheckFailed(native.REFUSED)
        return recording


def run_bench(executable: Path, module: str, folder: Path, *, seed: int, env: dict[str, str] | None = None) -> str:
    """Run a cocotb module in a compiled simulation, in `folder`; returns its log, whether it succeeded or not."""
    from cocotb_tools.runner import get_runner

    log = folder / "simulation.log"
    # Where a bench or the simulator fails, cocotb ends the process; whoever misses a recording tells why.
    with suppress(SystemExit):
        get_runner("verilator").test(
            test_module=module,
            hdl_toplevel=executable.name,
            hdl_toplevel_lang="verilog",
            build_dir=executable.parent,
            test_dir=folder,
            log_file=log,
            results_xml=str(folder / "results.xml"),
            seed=seed,
            # Verilator starts registers with zeros unless it is told to draw them.
            plusargs=["+verilator+rand+reset+2", f"+verilator+seed+{1 + seed % (1 << 30)}"],
            extra_env=env or {},
        )
    return log.read_text(errors="replace")


def settle(core: CoreSpec) -> int:
    """Cycles in which a core surely finishes what it does after a result: a sweep, and a program of delays."""
    longest = 0
    for layer in core.layers:
        longest = max(longest, (layer.rows if core.engine is None else core.engine_rows) + len(layer.program))
    return longest + 64


def patience(core: CoreSpec) -> int:
    """Cycles without any sign of life after which a core is given up.

    More than the longest step of any layer takes, in which every axon has an event.
    """
    longest = 0
    for layer in core.layers:
        synapses = max(len(data) for data in layer.data)
        longest = max(longest, synapses + 8 * layer.spec.axons)
    return 4 * (longest + settle(core)) + 1000


@contextmanager
def _watch(file: Path, total: int, progress: Progress) -> Iterator[None]:
    """Tell how many samples are through, every other second."""
    done = threading.Event()

    def poll() -> None:
        told = "0"
        while not done.wait(2):
            now = file.read_text() if file.is_file() else "0"
            if now != told:
                progress(f"simulated {now} of {total} samples")
                told = now

    thread = threading.Thread(target=poll, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


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
        By `spikewright generate`.
    counts : (B, T, inputs) integers
    labels : (B,) integers
    engine : "cocotb" or "native"
    seed : int
        Of the pauses, and of what registers hold before the reset.
    repeat : int
        Native only: how often all samples run back to back through the same core, without a reset. From 2 on, all of
        them do, else only the first few.
    model : Path, optional
        Of a core that is loaded at run time: the network to load, instead of the one in the folder.
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
        `mean`, `max`), `synaptic_ops` (additions of a synapse) and `dense_synaptic_ops` (what the same events would
        cost if no weight were zero), both over all `samples`; `waveform`, a file with the first sample that differs,
        or None.

    Raises
    ------
    InputError
        If the build folder or the samples do not fit, or a tool is missing.
    """
    build_dir = Path(build_dir)
    manifest, core = open_build(build_dir, model)
    weights = _weights(build_dir, manifest, core, model, image)
    samples = len(counts)
    if not samples:
        raise InputError("samples must be at least 1, not 0")
    total = Report()
    operations = [0, 0]
    if engine == "cocotb" and repeat != 1:
        raise InputError(f"repeat must be 1 for the engine cocotb, not {repeat}")
    if engine == "cocotb" and scheduler is not None:
        raise InputError("a scheduler must not be given for the engine cocotb")
    waveform = build_dir / "mismatch.vcd"
    waveform.unlink(missing_ok=True)
    found: Iterable[Found]
    if engine == "native":
        compiled(build_dir, core, engine, progress)  # once, before the work is shared out
        test_set = TestSet(build_dir.resolve(), counts, partial(_runs, repeat), waveform, bar)
        part = partial(_native, build_dir.resolve(), core, manifest["stream"], weights, seed, repeat)
        found = (
            test_set.here(partial(part, progress=progress))
            if scheduler is None
            else test_set.on_cluster(part, scheduler)
        )
    else:
        found = [_cocotb(build_dir, core, manifest["stream"], weights, counts, seed, progress)]
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
        "synaptic_ops": operations[0],
        "dense_synaptic_ops": operations[1],
        "waveform": str(waveform) if engine == "native" and total.different else None,
    }


def _weights(
    build_dir: Path, manifest: dict[str, Any], core: CoreSpec, model: Path | str | None, image: Path | str | None
) -> bytes:
    """The load image; none for a core that holds its network from the start."""
    if not core.loadable:
        if image is not None:
            raise InputError(f"{build_dir} must be made by `generate --weights loadable` to take a load image")
        return b""
    if image is None and model is not None:
        return image_of(build_dir, manifest, core)
    file = Path(image) if image is not None else build_dir / LOAD_IMAGE
    try:
        weights = file.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read {file}: {error.strerror or error}") from error
    if not weights:
        raise InputError(f"{file} must be a load image, not an empty file")
    return weights


def _cocotb(
    build_dir: Path,
    core: CoreSpec,
    stream: dict[str, int],
    weights: bytes,
    counts: npt.NDArray[np.integer],
    seed: int,
    progress: Progress,
) -> tuple[Report, tuple[int, int]]:
    samples = len(counts)
    alone = [Stimulus(counts[b], f"sample {b}", isolated=True) for b in range(samples)]
    few = list(range(min(samples, 3)))
    back_to_back = [Stimulus(counts[b], f"sample {b} back to back") for b in few]
    # The first of these is isolated, so that its pauses do not delay the result of the sample before.
    paused = [Stimulus(counts[b], f"sample {b} with pauses", isolated=b == 0, stall=0.3) for b in few[:2]]
    stimuli = alone + back_to_back + paused
    values = np.stack([item.values for item in stimuli], axis=1)
    progress(f"running {samples} samples through the integer network")
    trace = IntegerNetwork(core.network).run(torch.from_numpy(values.astype(np.int64)))
    seen = record(build_dir, core, stream, stimuli, weights=weights, seed=seed, progress=progress)
    progress("comparing every neuron at every step")
    report = compare(
        core,
        values,
        trace,
        seen,
        output_bytes=stream["output_bytes"],
        names=[item.name for item in stimuli],
        timed=len(alone) + len(back_to_back),
    )
    return report, synaptic_operations(core.network, values[:, :samples], trace)


def _runs(repeat: int, samples: int, begin: int) -> int:
    """Simulations of a part: alone, back to back, and with pauses, see `_native`."""
    few = min(samples, BEHIND_EACH_OTHER) if begin == 0 else 0
    return samples + (repeat * samples if repeat > 1 else few) + few


def _native(
    build_dir: Path,
    core: CoreSpec,
    stream: dict[str, int],
    weights: bytes,
    seed: int,
    repeat: int,
    counts: npt.NDArray[np.integer],
    begin: int,
    *,
    waveform: Path | None = None,
    processes: int | None = None,
    advance: Callable[[int], object] = lambda samples: None,
    progress: Progress = lambda message: None,
) -> Found:
    values = counts.transpose(1, 0, 2).astype(np.int64)
    trace = IntegerNetwork(core.network).run(torch.from_numpy(values))
    job = native.Job(core, lambda b: beats(counts[b], stream), values, trace, stream["output_bytes"], weights=weights)
    executable = compiled(build_dir, core, "native", progress)
    wave = None
    if waveform is not None:
        wave = native.Wave(waveform, lambda: compiled(build_dir, core, "native", progress, waves=True))
    options: dict[str, Any] = {"settle": settle(core), "patience": patience(core), "seed": seed, "first": begin}
    options |= {"progress": progress, "advance": advance}
    report = native.run_native(executable, build_dir, job, **options, processes=processes, wave=wave)
    few = len(counts) if repeat > 1 else min(len(counts), BEHIND_EACH_OTHER) if begin == 0 else 0
    drives = [native.Drive(close=True, repeat=repeat, label=" back to back")]
    drives += [native.Drive(close=True, stall=0.3, label=" with pauses")] if begin == 0 else []
    for drive in drives if few else ():
        found = native.run_native(
            executable,
            build_dir,
            job.first(few if drive.timed else BEHIND_EACH_OTHER),
            **options,
            processes=processes if repeat > 1 else 1,
            drive=drive,
            wave=None if report.different else wave,
        )
        report.add_differences(found)
    return report, synaptic_operations(core.network, values, trace)


def synaptic_operations(network: NetworkSpec, values: npt.NDArray[np.integer], trace: Trace) -> tuple[int, int]:
    """Additions of a synapse for samples (T, B, inputs), and of a weight if none were zero, for the same events."""
    sparse = dense = 0
    events = torch.from_numpy((values != 0).reshape(-1, network.inputs).sum(axis=0))
    samples = values.shape[1]
    for index, layer in enumerate(network.layers):
        fan_out = torch.from_numpy(np.count_nonzero(layer.weights, axis=0))
        sparse += int((events * fan_out[: layer.inputs]).sum())
        dense += int(events.sum()) * layer.neurons
        if index < len(trace.spikes):
            spikes = trace.spikes[index][:, :samples]
            events = spikes.sum(dim=(0, 1))
            if layer.delays is not None:
                # A spike whose delay ends after the sample arrives nowhere.
                steps = torch.arange(len(spikes))[:, None]
                arrives = steps + 1 + torch.from_numpy(layer.delays.copy()) < len(spikes)
                delayed = (spikes.sum(dim=1) * arrives).sum(dim=0)
                sparse += int((delayed * fan_out[layer.inputs :]).sum())
                dense += int(delayed.sum()) * layer.neurons
    return sparse, dense


def _spread(cycles: list[int]) -> dict[str, float | int | None]:
    if not cycles:
        return {"min": None, "mean": None, "max": None}
    return {"min": min(cycles), "mean": sum(cycles) / len(cycles), "max": max(cycles)}
