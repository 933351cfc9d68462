"""How often each net of a core changes while it works: by the native loop, in Verilator's file of the format SAIF."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from spikewright.contract.errors import CheckFailed, InputError
from spikewright.integer.operations import total_operations
from spikewright.integer.reference import IntegerNetwork
from spikewright.support.caches import temporary_folder
from spikewright_sim.core.dut import Dut, Progress
from spikewright_sim.native import loop as native

_NET = re.compile(r"\s*\((\S+) \(T0 \d+\) \(T1 (\d+)\).*\(TC (\d+)\)\)$")
_GROUP = re.compile(r"\s*\((?:INSTANCE (\S+)|NET)$")
_CLOCK = "clk"


@dataclass(frozen=True)
class Toggles:
    """Changes of nets while samples ran back to back.

    Parameters
    ----------
    nets : dict
        How often each changed, and in how many cycles it was high, by the place of its module, with dots, and its name,
        a bit of a wide one with its index.
    cycles : int
    samples : int
    synaptic_ops, dense_synaptic_ops : int
        Additions of a synapse, and what they were if no weight were zero.
    """

    nets: dict[tuple[str, str], tuple[int, int]]
    cycles: int
    samples: int
    synaptic_ops: int
    dense_synaptic_ops: int


def count_toggles(build_dir: Path, counts: npt.NDArray[np.integer], *, seed: int = 0, progress: Progress) -> Toggles:
    """Run samples (B, T, inputs) back to back through a core, compare all, and count the changes of its nets.

    The load of the weights and the reset are not counted.

    Raises
    ------
    InputError
        If a tool is missing, or the folder is not usable.
    CheckFailed
        If anything differs from the integer network.
    """
    dut = Dut.open(build_dir)
    if not len(counts):
        raise InputError("samples must be at least 1, not 0")
    values = counts.astype(np.int64)
    trace = IntegerNetwork(dut.core.network).run(torch.from_numpy(values))
    executable = dut.compiled("native", progress, toggles=True, quick=True)
    with temporary_folder(dut.build_dir) as folder:
        file = folder / "toggles.saif"
        progress(f"counting changes of nets in {len(counts)} samples")
        drive = native.Drive(close=True)
        job = native.Job(dut, values, trace)
        report = native.run_native(
            executable, job, seed=seed, progress=progress, processes=1, drive=drive, toggles=file
        )
        if report.different:
            raise CheckFailed(f"a core must give the answers of its network to be measured: {report.details[0]}")
        nets = read_saif(file.read_text())
    operations = total_operations(dut.core.network, values, trace.spikes)
    return Toggles(nets, nets["", _CLOCK][0] // 2, len(counts), *operations)


def read_saif(text: str) -> dict[tuple[str, str], tuple[int, int]]:
    """`nets` of `Toggles`, of a file by Verilator: places are below the outermost module."""
    nets: dict[tuple[str, str], tuple[int, int]] = {}
    groups: list[str] = []
    for line in text.splitlines():
        if found := _NET.match(line):
            # Of what is around the core, too, with the same names as its ports.
            places = [group for group in groups if group][2:]
            nets[".".join(places), found[1].replace("\\", "")] = (int(found[3]), int(found[2]) // 2)
        elif found := _GROUP.match(line):
            groups.append(found[1] or "")
        elif line.strip() == ")" and groups:
            groups.pop()
    return nets
