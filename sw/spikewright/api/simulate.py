"""Simulation of the Verilog, compared with the integer network."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

from spikewright.api.result import Result
from spikewright.api.source import AnyPath, Data, Model, model_file, opened
from spikewright.build.folder import MODEL, open_build
from spikewright.contract.defaults import SIMULATED_SAMPLES
from spikewright.contract.shown import Facts, percent, thousands
from spikewright.support.progress import say


class Simulation(Result):
    """What a simulation found; `check()` raises an error if anything differs.

    Attributes
    ----------
    samples : int
    mismatches : int
        Spikes, membranes, scores and classes that are not those of the integer network.
    cycle_mismatches : int
        Cycles that are not as predicted.
    details : list of str
        The first differences, with layer, step and neuron.
    accuracy : float
        Of the simulated hardware, 0 .. 1.
    cycles_per_inference, predicted_cycles_per_inference : dict
        `min`, `mean` and `max`.
    failed : str or None
        Why it failed, in a line.
    """

    samples: int
    mismatches: int
    cycle_mismatches: int
    details: list[str]
    accuracy: float
    cycles_per_inference: dict[str, Any]
    predicted_cycles_per_inference: dict[str, Any]

    def __init__(self, report: dict[str, Any]) -> None:
        super().__init__(report, failure(report))

    def facts(self) -> Facts:
        operations, dense = thousands(self["synaptic_ops"]), thousands(self["dense_synaptic_ops"])
        return [
            ("accuracy, hardware", f"{percent(self.accuracy)} ({self.samples} samples)"),
            ("mismatches", str(self.mismatches)),
            ("cycle mismatches", str(self.cycle_mismatches)),
            ("cycles per inference", spread(self.cycles_per_inference)),
            ("  predicted", spread(self.predicted_cycles_per_inference)),
            *([("  after the input", spread(self["cycles_after_input"]))] if self.get("cycles_after_input") else []),
            ("synaptic operations", f"{operations} ({dense} if no weight were zero)"),
            *netlist_facts(self.get("netlist")),
            *(("difference", line) for line in self.details),
            *([("waveform", self["waveform"])] if self.get("waveform") else []),
            *([("waves", self["waves"])] if self.get("waves") else []),
        ]


def simulate(
    build: AnyPath,
    data: Data = "sample",
    *,
    split: str = "test",
    samples: int | None = None,
    engine: Literal["cocotb", "native", "icarus"] = "cocotb",
    netlist: AnyPath | None = None,
    model: Model | None = None,
    image: AnyPath | None = None,
    repeat: int = 1,
    scheduler: str | None = None,
    seed: int = 0,
    waves: AnyPath | None = None,
    wave_samples: Sequence[int] = (0,),
) -> Simulation:
    """Run samples through the Verilog and through the integer network in PyTorch, and compare.

    Every spike and membrane of every neuron at every step is compared, and the scores, the class and the number of
    clock cycles.

    Parameters
    ----------
    build : Build, or folder by `generate`
    data : SpikeData, folder or "sample"
    split : "train", "valid" or "test"
        Part of a folder's data set.
    samples : int, optional
        The first so many; by default the first 20, or all if there are fewer.
    engine : "cocotb", "native" or "icarus"
        native is a C++ loop for whole test sets; icarus knows four states, and nothing of a register before it is
        written.
    netlist : "ecp5", "ice40" or path, optional
        Simulate what yosys makes of the core for this family, or the gates in this folder by `asic`, instead of the
        core.
    model : model, optional
        Of a core with loadable weights: load this network.
    image : path, optional
        Load this image, which must be of `model`.
    repeat : int
        native: run all samples back to back so many times, without a reset.
    scheduler : str, optional
        native: address of a Dask scheduler whose workers simulate.
    seed : int
        Of the pauses at input and output.
    waves : path, optional
        A file *.vcd that gets all signals of some samples; beside it, a view for GTKWave that ends with ".gtkw".
    wave_samples : sequence of int
        Numbers of these samples.

    Returns
    -------
    Simulation
        A difference is no error: see `mismatches` and `cycle_mismatches`, or call `check()`.

    Raises
    ------
    InputError
        If a file or an option does not fit, or a tool is missing.
    """
    from spikewright_sim.core.dut import Dut
    from spikewright_sim.core.toolchain import check_tools
    from spikewright_sim.gates import open_netlist
    from spikewright_sim.netlist import make_netlist, netlist_report
    from spikewright_sim.runner import simulate as run
    from spikewright_sim.waves import check_waves, write_waves

    check_tools()  # A missing tool is better told before the work than after.
    folder = Path(build)
    with ExitStack() as files:
        loaded = None if model is None else files.enter_context(model_file(model))
        open_build(folder, loaded)
        at_most = SIMULATED_SAMPLES if samples is None else None
        chosen = opened(loaded or folder / MODEL).samples(data, split, samples, at_most)
        if waves is not None:
            check_waves(Path(waves), wave_samples, len(chosen))
        if netlist is None:
            target = folder
        elif Path(netlist).is_dir():
            target = open_netlist(folder, Path(netlist))
        else:
            target = make_netlist(folder, str(netlist), say)
        report = run(
            target,
            chosen.counts,
            chosen.labels,
            engine=engine,
            seed=seed,
            repeat=repeat,
            model=loaded,
            image=None if image is None else Path(image),
            scheduler=scheduler,
            bar=True,
            progress=say,
        )
        if waves is not None:
            dut = Dut.open(target, loaded, None if image is None else Path(image))
            write_waves(dut, chosen.counts, wave_samples, Path(waves), engine=engine, seed=seed, progress=say)
            report["waves"] = str(waves)
        if netlist is not None:
            report["netlist"] = netlist_report(target)
    return Simulation(report)


def netlist_facts(netlist: dict[str, Any] | None) -> Facts:
    """The family, where its memories are, and its cells, the most frequent ones first."""
    if netlist is None:
        return []
    cells = ", ".join(f"{count} {name}" for name, count in sorted(netlist["cells"].items(), key=lambda item: -item[1]))
    return [(f"netlist, {netlist['family']}", f"memories in {netlist['memories']}; {cells}")]


def failure(report: dict[str, Any]) -> str | None:
    """Why a simulation failed, None if all was equal."""
    if not report["mismatches"] and not report["cycle_mismatches"]:
        return None
    first = f"; {report['details'][0]}" if report["details"] else ""
    return f"{report['mismatches']} mismatches, {report['cycle_mismatches']} cycle mismatches{first}"


def spread(cycles: dict[str, Any]) -> str:
    """Least, most and mean cycles as people read them."""
    if cycles["mean"] is None:
        return "none"
    return f"{thousands(cycles['min'])} - {thousands(cycles['max'])}, mean {thousands(cycles['mean'])}"
