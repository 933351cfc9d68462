"""Runs cocotb benches in compiled simulations: those of components, and the one that records a whole core."""

from __future__ import annotations

import json
import shutil
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from spikewright.contract.errors import CheckFailed

from .dut import REFUSED, Dut, Progress
from .recording import Recording


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


def record(
    dut: Dut,
    stimuli: list[Stimulus],
    *,
    seed: int,
    progress: Progress,
) -> Recording:
    """Run samples through the Verilog and the memory images of a build folder, after its weights were loaded, if any.

    Raises
    ------
    CheckFailed
        If the core breaks the protocol of its output, or refuses the load image.
    """
    executable = dut.compiled("cocotb", progress)
    with tempfile.TemporaryDirectory(prefix="spikewright-") as name:
        folder = Path(name)
        for image in dut.build_dir.glob("*.hex"):
            shutil.copyfile(image, folder / image.name)
        job = {
            "seed": seed,
            "layers": len(dut.core.layers),
            "weights": dut.weights.hex(),
            "settle": dut.settle,
            "patience": dut.patience,
            "samples": [
                {"beats": dut.beats(item.values), "isolated": item.isolated, "stall": item.stall} for item in stimuli
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
            raise CheckFailed(REFUSED)
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
