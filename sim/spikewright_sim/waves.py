"""Waveforms of chosen samples, and how GTKWave shows them: signals by layer and lane."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from spikewright.contract.errors import InputError
from spikewright.integer.reference import IntegerNetwork
from spikewright.support.files import atomic_path
from spikewright_sim.bench.runner import Stimulus, record
from spikewright_sim.core.dut import Dut, Engine, Progress
from spikewright_sim.native.loop import Job, run_native

SUFFIX = ".vcd"
VIEW = ".gtkw"
_SCOPE = re.compile(r"\s*\$scope \w+ (\S+) \$end")
_VARIABLE = re.compile(r"\s*\$var \w+ (\d+) \S+ (\S+)(?: \[[\d:]+\])? \$end")
_STREAMS = re.compile(r"clk|rst|[sm]_(?:axis|load)_\w+|loaded|load_error|trace_valid")
_OPEN, _CLOSED, _END = "@800200", "@c00200", "@1000200"
_BIT, _HEX, _SIGNED, _UNSIGNED = "@28", "@22", "@420", "@24"
"""GTKWave's flags: where a group begins, as it is shown at first, and ends; and how a signal is shown."""


@dataclass(frozen=True)
class Variable:
    """A signal of a waveform: the names of the scopes that it is in, the outermost first, its own, and its width."""

    scopes: tuple[str, ...]
    name: str
    width: int

    @property
    def line(self) -> str:
        bits = f"[{self.width - 1}:0]" if self.width > 1 else ""
        return f"{'.'.join((*self.scopes, self.name))}{bits}"

    @property
    def flags(self) -> str:
        if self.width == 1:
            return _BIT
        if re.search(r"_tdata$|^trace\d+_v$|payload$", self.name):
            return _HEX  # of several fields, or lanes
        return _SIGNED if re.search(r"state|current|total|previous|product|^v$", self.name) else _UNSIGNED


def check_waves(file: Path, chosen: Sequence[int], samples: int) -> None:
    """Raises `InputError` unless waves of the chosen ones of so many samples can be written to a file of that name."""
    if file.suffix != SUFFIX:
        raise InputError(f"waves must be a file *{SUFFIX}, not {file}")
    if not chosen or len(set(chosen)) != len(chosen):
        raise InputError(f"samples with waves must be different ones, at least one, not {list(chosen)}")
    if bad := [number for number in chosen if not 0 <= number < samples]:
        raise InputError(f"samples with waves must be 0 .. {samples - 1}, not {bad[0]}")


def write_waves(
    dut: Dut,
    counts: npt.NDArray[np.integer],
    chosen: Sequence[int],
    file: Path,
    *,
    engine: Engine,
    seed: int,
    progress: Progress,
) -> None:
    """Run some samples, each in an idle core, and write all signals as a waveform; beside it, a view for GTKWave.

    Parameters
    ----------
    dut : Dut
    counts : (B, T, inputs) integers
    chosen : sequence of int
        Which of them.
    file : Path
        A VCD file; the view has the same name and ends with ".gtkw".
    engine : "cocotb" or "native"
    seed : int
        Of what registers hold before the reset.

    Raises
    ------
    InputError
        If the file or a number does not fit, or a tool is missing.
    """
    check_waves(file, chosen, len(counts))
    progress(f"writing the waves of {len(chosen)} samples to {file}")
    values = counts[list(chosen)].astype(np.int64)
    with atomic_path(file) as waves:
        if engine == "native":
            executable = dut.compiled("native", progress, waves=True)
            job = Job(dut, values, IntegerNetwork(dut.core.network).run(torch.from_numpy(values)))
            run_native(executable, job, seed=seed, progress=progress, processes=1, whole=waves)
        else:
            stimuli = [Stimulus(sample, f"sample {b}", isolated=True) for b, sample in zip(chosen, values, strict=True)]
            record(dut, stimuli, seed=seed, progress=progress, waves=waves)
        with waves.open() as lines:
            text = view(variables(lines), dut.name, file)
    with atomic_path(file.with_suffix(VIEW)) as part:
        part.write_text(text)


def variables(lines: Iterable[str]) -> Iterator[Variable]:
    """Signals of a VCD file, from its header."""
    scopes: list[str] = []
    for line in lines:
        if scope := _SCOPE.match(line):
            scopes.append(scope[1])
        elif line.lstrip().startswith("$upscope"):
            scopes.pop()
        elif variable := _VARIABLE.match(line):
            yield Variable(tuple(scopes), variable[2], int(variable[1]))
        elif line.lstrip().startswith("$enddefinitions"):
            return


def view(found: Iterable[Variable], top: str, file: Path) -> str:
    """A save file of GTKWave for a waveform of the core `top`: its streams, then a group for every layer and its lanes.

    Of a lane, the signals that have names in its own module; lanes are folded. Lanes that all layers share are a group
    beside these.
    """
    streams: list[Variable] = []
    traces: dict[str, list[Variable]] = {}
    lanes: dict[str, dict[str, list[Variable]]] = {}
    for variable in found:
        place = variable.scopes
        if place and place[-1] == top:
            trace = re.fullmatch(r"trace(\d+)_[a-z]\w*", variable.name)
            if trace:
                traces.setdefault(f"layer{trace[1]}", []).append(variable)
            elif _STREAMS.fullmatch(variable.name):
                streams.append(variable)
        elif place and re.fullmatch(r"lane\d+", place[-1]) and re.match(r"[a-z]", variable.name):
            parents = [name for name in place[:-1] if re.fullmatch(r"layer\d+", name)] or [place[-2]]
            lanes.setdefault(parents[-1], {}).setdefault(place[-1], []).append(variable)
    lines = ["[*] made by spikewright", f'[dumpfile] "{file.resolve()}"', "[timestart] 0"]
    lines += _group("streams", [_shown(streams)])
    for layer in sorted({*traces, *lanes}, key=_numbered):
        inner = [
            _group(lane, [_shown(of)], _CLOSED) for lane, of in sorted(lanes.get(layer, {}).items(), key=_numbered)
        ]
        lines += _group(layer, [_shown(traces.get(layer, [])), *inner])
    return "\n".join(lines) + "\n"


def _numbered(item: Any) -> tuple[str, int]:
    name = item if isinstance(item, str) else item[0]
    stem = name.rstrip("0123456789")
    return stem, int(name[len(stem) :] or 0)


def _shown(signals: Sequence[Variable]) -> list[str]:
    return [line for signal in sorted(signals, key=lambda signal: signal.name) for line in (signal.flags, signal.line)]


def _group(name: str, parts: Sequence[list[str]], begin: str = _OPEN) -> list[str]:
    return [begin, f"-{name}", *(line for part in parts for line in part), _END, f"-{name}"]
