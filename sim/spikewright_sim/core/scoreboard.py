"""Comparison of what a core did with the integer network and the cycle model."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from spikewright.contract.core import CoreSpec
from spikewright.contract.integers import IntArray, check_samples
from spikewright.integer.reference import Trace
from spikewright.predict.cycles import CycleModel, SampleCycles
from spikewright_sim.core.recording import Recording

SHOWN = 10
"""Differences that are described; all are counted."""


@dataclass
class Report:
    """Differences over some samples.

    `mismatches` counts values (spikes, membranes, scores, classes, results that are missing), `cycle_mismatches`
    counts cycles; `values` and `cycles` describe the first of them.
    """

    mismatches: int = 0
    cycle_mismatches: int = 0
    values: list[str] = field(default_factory=list)
    cycles: list[str] = field(default_factory=list)
    classes: list[int] = field(default_factory=list)
    predicted: list[SampleCycles] = field(default_factory=list)
    latencies: list[int] = field(default_factory=list)

    @property
    def details(self) -> list[str]:
        """The first differences; values first, as a wrong value soon makes every cycle wrong."""
        return (self.values + self.cycles)[:SHOWN]

    @property
    def different(self) -> bool:
        return self.mismatches > 0 or self.cycle_mismatches > 0

    def differ(self, what: str, expected: Any, got: Any) -> None:
        self.mismatches += 1
        self.values.append(f"{what}: expected {expected}, got {got}")
        del self.values[SHOWN:]

    def differ_in_cycles(self, what: str, expected: Any, got: Any) -> None:
        self.cycle_mismatches += 1
        self.cycles.append(f"{what}: expected {expected}, got {got}")
        del self.cycles[SHOWN:]

    def add(self, other: Report) -> None:
        """Append what was found in later samples."""
        self.add_differences(other)
        self.classes += other.classes
        self.predicted += other.predicted
        self.latencies += other.latencies

    def add_differences(self, other: Report) -> None:
        """Append what was found in other runs of the same samples."""
        self.mismatches += other.mismatches
        self.cycle_mismatches += other.cycle_mismatches
        self.values = (self.values + other.values)[:SHOWN]
        self.cycles = (self.cycles + other.cycles)[:SHOWN]


def unpack_signed(words: list[int], bits: int, fields: int) -> IntArray:
    """(len(words), fields) from words of `fields` two's complement numbers each, the first in the low bits."""
    mask, sign = (1 << bits) - 1, 1 << (bits - 1)
    values = [[((word >> bits * k & mask) ^ sign) - sign for k in range(fields)] for word in words]
    return np.array(values, dtype=np.int64).reshape(len(words), fields)


def compare(
    core: CoreSpec,
    values: npt.NDArray[np.integer],
    trace: Trace,
    seen: Recording,
    *,
    output_bytes: int,
    names: list[str] | None = None,
    timed: int | None = None,
    traced: bool = True,
) -> Report:
    """Compare samples, in the order in which they were simulated from an idle core.

    Parameters
    ----------
    core : CoreSpec
    values : (B, T, inputs) integers
        Input.
    trace : Trace
        What the integer network did for `values`.
    seen : Recording
    output_bytes : int
        Bytes of one output beat.
    names : list of str, optional
        Names of the samples, for messages.
    timed : int, optional
        The first so many samples (default: all) met no pause of input or output, so that their cycles are predicted.
    traced : bool
        Whether the core showed spikes and membranes; without, scores, classes and the cycles of both are compared.
    """
    network = core.network
    check_samples("values", values, network.timesteps, network.inputs)
    report = Report()
    samples, steps, _ = values.shape
    names = names or [f"sample {b}" for b in range(samples)]
    model = CycleModel(core)
    predicted = []
    for b in range(min(samples if timed is None else timed, len(seen.accepted))):
        spikes = [layer[b].numpy() for layer in trace.spikes]
        predicted.append(model.run(values[b], spikes, seen.starts[b]))
    report.predicted = predicted
    for index in range(len(core.layers) if traced else 0):
        _compare_layer(report, core, index, trace, seen, predicted, names, steps)
    _compare_results(report, core, trace, seen, predicted, names, output_bytes)
    return report


def _compare_layer(
    report: Report,
    core: CoreSpec,
    index: int,
    trace: Trace,
    seen: Recording,
    predicted: list[SampleCycles],
    names: list[str],
    steps: int,
) -> None:
    image = core.layers[index]
    spec = image.spec
    lanes = image.lanes
    sweep = image.rows
    rows = seen.rows[index]
    samples = len(names)
    complete = len(rows) // sweep
    if len(rows) != samples * steps * sweep:
        report.differ(f"layer {index}, traced rows", samples * steps * sweep, len(rows))
    complete = min(complete, samples * steps)
    rows = rows[: complete * sweep]
    order = np.array([row for _, row, _, _ in rows]).reshape(complete, sweep)
    for step in np.flatnonzero((order != np.arange(sweep)).any(axis=1)).tolist()[:1]:
        report.differ(
            f"{names[step // steps]}, layer {index}, step {step % steps}, rows",
            list(range(sweep)),
            order[step].tolist(),
        )
    bits = core.membrane_bits(index)
    v = unpack_signed([v for _, _, _, v in rows], bits, lanes).reshape(complete, sweep * lanes)
    width = spec.count_bits
    mask = (1 << width) - 1
    fired = np.array([[s >> width * lane & mask for lane in range(lanes)] for _, _, s, _ in rows], dtype=np.int64)
    fired = fired.reshape(complete, sweep * lanes)
    comparisons: list[tuple[str, npt.NDArray[Any], npt.NDArray[Any]]] = []
    if not spec.readout:
        comparisons.append(("", trace.spikes[index].reshape(-1, spec.neurons).numpy(), fired))
    comparisons.append((" membrane", trace.membranes[index].reshape(-1, spec.neurons).numpy(), v))
    for what, expected, by_position in comparisons:
        got = by_position[:, np.argsort(image.order)]
        differing = np.argwhere(expected[:complete] != got)
        report.mismatches += max(0, len(differing) - SHOWN)
        for step, neuron in differing[:SHOWN].tolist():
            report.differ(
                f"{names[step // steps]}, layer {index}, step {step % steps}, neuron {neuron}{what}",
                int(expected[step, neuron]),
                int(got[step, neuron]),
            )
    begins = [cycle for cycle, _, _, _ in rows[::sweep]]
    for b, sample in enumerate(predicted):
        of_sample = begins[b * steps : (b + 1) * steps]
        for t, (expected_cycle, cycle) in enumerate(zip(sample.steps[index].tolist(), of_sample, strict=False)):
            if expected_cycle != cycle:
                report.differ_in_cycles(
                    f"{names[b]}, layer {index}, step {t}, cycle", expected_cycle - sample.start, cycle - sample.start
                )


def _compare_results(
    report: Report,
    core: CoreSpec,
    trace: Trace,
    seen: Recording,
    predicted: list[SampleCycles],
    names: list[str],
    output_bytes: int,
) -> None:
    classes = core.network.classes
    width = 8 * output_bytes
    packets: list[list[tuple[int, int, int]]] = [[]]
    for beat in seen.beats:
        packets[-1].append(beat)
        if beat[2]:
            packets.append([])
    complete = packets[:-1]
    if len(complete) != len(names) or packets[-1]:
        report.differ("results", len(names), len(complete))
    for b, packet in enumerate(complete[: len(names)]):
        scores = unpack_signed([data for _, data, _ in packet[:-1]], width, 1).reshape(-1).tolist()
        done, last, _ = packet[-1]
        expected_scores = trace.scores[b].tolist()
        if scores != expected_scores:
            report.differ(f"{names[b]}, scores", expected_scores, scores)
        expected_class = int(trace.classes[b])
        report.classes.append(last & ((1 << (width - 1)) - 1))
        if report.classes[-1] != expected_class:
            report.differ(f"{names[b]}, class", expected_class, report.classes[-1])
        if last >> (width - 1):
            report.differ(f"{names[b]}, error flag", 0, 1)
        if len(packet) != classes + 1:
            report.differ(f"{names[b]}, beats", classes + 1, len(packet))
        report.latencies.append(done - seen.starts[b] + 1)
    for b, sample in enumerate(predicted):
        if sample.accepted != seen.accepted[b]:
            report.differ_in_cycles(
                f"{names[b]}, last beat taken in cycle", sample.accepted - sample.start, seen.accepted[b] - sample.start
            )
        if b < len(complete) and sample.done != complete[b][-1][0]:
            report.differ_in_cycles(
                f"{names[b]}, class in cycle", sample.done - sample.start, complete[b][-1][0] - sample.start
            )
