"""Whole test sets: a C++ loop around the Verilated core, which compares on the fly what Python expects.

The loop in `native.cpp` runs a sample after the other, each in an idle core, and compares spikes and membranes of
every neuron at every step, scores, class, and the cycle of every step: the same as the cocotb bench, much
faster, without its pauses and samples back to back.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spikewright.cycles import CycleModel, SampleCycles
from spikewright.integer import Trace
from spikewright.spec import CoreSpec, LayerImage

from .scoreboard import Report

MAIN = Path(__file__).with_name("native.cpp")


@dataclass(frozen=True)
class _Layer:
    """What the loop must know of the trace of a layer."""

    image: LayerImage
    timesteps: int

    @property
    def lanes(self) -> int:
        return self.image.lanes

    @property
    def rows(self) -> int:
        return self.image.rows

    @property
    def bits(self) -> int:
        return self.image.spec.bounds(self.timesteps).state_bits

    @property
    def words(self) -> int:
        return -(-self.lanes * self.bits // 32)


def layers_of(core: CoreSpec) -> list[_Layer]:
    return [_Layer(image, core.network.timesteps) for image in core.layers]


def header(core: CoreSpec) -> str:
    """`layers.h`: how many layers, how wide, and an accessor of their traces."""
    layers = layers_of(core)

    def table(name: str, values: list[int]) -> str:
        return f"static const int {name}[LAYERS] = {{{', '.join(map(str, values))}}};\n"

    cases = ""
    for k, layer in enumerate(layers):
        spikes = "0" if layer.image.spec.readout else f"top.trace{k}_spikes"
        read = f"row = top.trace{k}_row; spikes = {spikes}; words_of(top.trace{k}_v, v, {layer.words}); break;"
        cases += f"    case {k}: {read}\n"
    return (
        "// Written by spikewright_sim.native for one core.\n#pragma once\n#include <cstdint>\n"
        f"#define LAYERS {len(layers)}\n#define CLASSES {core.network.classes}\n"
        f"#define MAX_WORDS {max(layer.words for layer in layers)}\n"
        + table("ROWS", [layer.rows for layer in layers])
        + table("LANES", [layer.lanes for layer in layers])
        + table("BITS", [layer.bits for layer in layers])
        + table("WORDS", [layer.words for layer in layers])
        + "template <class T> static void words_of(const T& value, uint32_t* out, int words);\n"
        "static void read_trace(const Vtop& top, int layer, uint32_t& row, uint32_t& spikes, uint32_t* v) {\n"
        "    switch (layer) {\n" + cases + "    }\n}\n"
    )


def expected_rows(
    layer: _Layer, spikes: npt.NDArray[Any] | None, membranes: npt.NDArray[Any]
) -> npt.NDArray[np.uint32]:
    """(T * rows, 1 + words): the spikes of a traced row, then its membranes, as the core packs them.

    Parameters
    ----------
    spikes : (T, neurons) bool, or None for a read-out
    membranes : (T, neurons) integers
    """
    steps = len(membranes)
    order = layer.image.order
    positions = layer.rows * layer.lanes

    def deal(values: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
        padded = np.zeros((steps, positions), dtype=np.int64)
        padded[:, : len(order)] = values[:, order]
        return padded.reshape(steps * layer.rows, layer.lanes)

    out = np.zeros((steps * layer.rows, 1 + layer.words), dtype=np.uint32)
    if spikes is not None:
        out[:, 0] = deal(spikes) @ (1 << np.arange(layer.lanes))
    bits = deal(membranes)[:, :, None] >> np.arange(layer.bits) & 1
    flat = np.zeros((len(out), 32 * layer.words), dtype=np.uint8)
    flat[:, : layer.lanes * layer.bits] = bits.reshape(len(out), -1)
    out[:, 1:] = np.packbits(flat, axis=1, bitorder="little").view("<u4")
    return out


def run_native(
    executable: Path,
    images: Path,
    core: CoreSpec,
    stimuli: Callable[[int], list[tuple[int, int]]],
    values: npt.NDArray[np.integer],
    trace: Trace,
    *,
    output_bytes: int,
    settle: int,
    patience: int,
    seed: int,
    first: int = 0,
    progress: Callable[[str], None],
    processes: int | None = None,
) -> Report:
    """Run samples (T, B, inputs) through a core compiled with `native.cpp`, on all processors.

    Parameters
    ----------
    executable : Path
    images : Path
        Folder of the memory images.
    core : CoreSpec
    stimuli : callable
        The input beats (tdata, tlast) of a sample.
    values, trace
        As for `scoreboard.compare`.
    output_bytes : int
        Of an output beat.
    settle : int
        Idle cycles between samples.
    patience : int
        Cycles without any sign of life after which a core is given up.
    seed : int
        Of the registers' contents before reset.
    first : int
        Number of the first sample, for messages.
    processes : int, optional
        How many at once; default: one per processor.
    """
    samples = values.shape[1]
    shards = [shard for shard in np.array_split(np.arange(samples), processes or os.cpu_count() or 1) if len(shard)]
    done = [0] * len(shards)
    report = Report()
    with tempfile.TemporaryDirectory(prefix="spikewright-") as name, ThreadPoolExecutor(len(shards)) as pool:
        futures = []
        for number, shard in enumerate(shards):
            folder = Path(name, str(number))
            folder.mkdir()
            for image in images.glob("*.hex"):
                (folder / image.name).symlink_to(image.resolve())

            def write_and_run(shard: npt.NDArray[np.int64] = shard, folder: Path = folder) -> list[SampleCycles]:
                predicted = _write_job(folder, core, stimuli, values, trace, shard, output_bytes)
                command = [
                    str(executable.resolve()),
                    "stimulus",
                    "expected",
                    "report",
                    "progress",
                    str(settle),
                    str(patience),
                ]
                command += ["+verilator+rand+reset+2", f"+verilator+seed+{1 + seed % (1 << 30)}"]
                finished = subprocess.run(command, cwd=folder, capture_output=True, text=True)
                if finished.returncode:
                    raise RuntimeError(f"the native simulation failed: {finished.stderr[-2000:]}")
                return predicted

            futures.append(pool.submit(write_and_run))
        while wait(futures, timeout=5).not_done:
            for number in range(len(shards)):
                file = Path(name, str(number), "progress")
                text = file.read_text() if file.is_file() else ""
                done[number] = int(text) if text else done[number]
            progress(f"simulated {sum(done)} of {samples} samples, from sample {first} on")
        for number, (shard, future) in enumerate(zip(shards, futures, strict=True)):
            report.predicted += future.result()
            _read_report(report, core, Path(name, str(number), "report"), first + shard, output_bytes)
    return report


def _write_job(
    folder: Path,
    core: CoreSpec,
    stimuli: Callable[[int], list[tuple[int, int]]],
    values: npt.NDArray[np.integer],
    trace: Trace,
    shard: npt.NDArray[np.int64],
    output_bytes: int,
) -> list[SampleCycles]:
    mask = (1 << 8 * output_bytes) - 1
    predicted = []
    layers = layers_of(core)
    with (folder / "stimulus").open("wb") as stimulus, (folder / "expected").open("wb") as expected:
        for b in shard.tolist():
            beats = np.array([data | last << 63 for data, last in stimuli(b)], dtype="<u8")
            stimulus.write(np.array(len(beats), dtype="<u4").tobytes() + beats.tobytes())
            spikes = [layer[:, b].numpy() for layer in trace.spikes]
            cycles = CycleModel(core).run(values[:, b], spikes, 0)
            predicted.append(cycles)
            expected.write(np.array(len(values), dtype="<u4").tobytes())
            for k, layer in enumerate(layers):
                expected.write(cycles.steps[k].astype("<u4").tobytes())
                fired = None if layer.image.spec.readout else spikes[k]
                expected.write(expected_rows(layer, fired, trace.membranes[k][:, b].numpy()).astype("<u4").tobytes())
            output = [int(score) & mask for score in trace.scores[b]] + [int(trace.classes[b])]
            expected.write(np.array(output, dtype="<u8").tobytes())
            expected.write(np.array([cycles.accepted, cycles.done], dtype="<u4").tobytes())
    return predicted


@dataclass
class _Reader:
    """Words of a difference in terms of the network."""

    core: CoreSpec
    layers: list[_Layer] = field(init=False)

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
        if kind in ("score", "class"):
            return f"{name}, {kind} (beat {place}): expected {expected:#x}, got {got:#x}"
        return f"{name}, {kind} in cycle: expected {expected}, got {got}"


def _read_report(report: Report, core: CoreSpec, file: Path, shard: npt.NDArray[np.int64], output_bytes: int) -> None:
    reader = _Reader(core)
    lines = file.read_text().splitlines()
    finished = 0
    for line in lines:
        kind, *words = line.split()
        if kind == "difference":
            described = report.cycles if words[1] in ("cycle", "accepted", "done") else report.values
            described.append(reader.describe(f"sample {shard[int(words[0])]}", words[1:]))
        elif kind == "sample":
            _, mismatches, cycle_mismatches, cycles, last = map(int, words)
            report.mismatches += mismatches
            report.cycle_mismatches += cycle_mismatches
            report.latencies.append(cycles)
            report.classes.append(last & (1 << (8 * output_bytes - 1)) - 1)
            finished += 1
    if lines[-1:] != ["end"] or finished < len(shard):
        report.differ("results", len(shard), finished)
