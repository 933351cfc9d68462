"""Runs cocotb benches in compiled simulations: those of components, and the one that records a whole core."""

from __future__ import annotations

import builtins
import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt

from spikewright.contract.errors import CheckFailed, ToolTrouble
from spikewright.support.caches import temporary_folder
from spikewright.support.environment import complaint, is_trouble, tool_environment
from spikewright_sim.core.dut import REFUSED, Dut, Engine, Progress
from spikewright_sim.core.icarus import run_command
from spikewright_sim.core.recording import Recording


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
    waves: Path | None = None,
    engine: Engine = "cocotb",
) -> Recording:
    """Run samples through the Verilog and the memory images of a build folder, after its weights were loaded, if any.

    With `waves`, all that the core does is written to that file.

    Raises
    ------
    CheckFailed
        If the core breaks the protocol of its output, or refuses the load image.
    """
    executable = dut.compiled(engine, progress, waves=waves is not None)
    with temporary_folder(dut.build_dir) as folder:
        for image in dut.build_dir.glob("*.hex"):
            shutil.copyfile(image, folder / image.name)
        job = {
            "seed": seed,
            "layers": len(dut.core.layers),
            "traced": dut.traced,
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
                "spikewright_sim.bench.core",
                folder,
                seed=seed,
                four_states=engine == "icarus",
                env={f"SPIKEWRIGHT_{key.upper()}": str(path) for key, path in files.items()},
                arguments=[] if waves is None else ["--trace", "--trace-file", str(waves.resolve())],
            )
        if not files["recording"].is_file():
            raise CheckFailed(f"the simulation was stopped by its bench:\n{log[-2000:]}")
        recording = Recording(**json.loads(files["recording"].read_text()))
        if recording.refused:
            raise CheckFailed(REFUSED)
        return recording


def run_bench(
    executable: Path,
    module: str,
    folder: Path,
    *,
    seed: int,
    env: dict[str, str] | None = None,
    arguments: Sequence[str] = (),
    four_states: bool = False,
) -> str:
    """Run a cocotb module in a compiled simulation, in `folder`; returns its log, whether it succeeded or not.

    cocotb's own runner would let variables of the user's through: filters of tests, levels of its log, prefixes of
    commands. The recording is for whoever calls this to miss, and to tell why.

    Raises
    ------
    ToolTrouble
        If the bench did not come to an end, and the core is not to blame.
    """
    from cocotb_tools.config import libs_dir, pygpi_entry_point
    from find_libpython import find_libpython

    log, results = folder / "simulation.log", folder / "results.xml"
    library = find_libpython()
    if library is None:
        raise ToolTrouble(f"Python's shared library must be installed for cocotb: {sys.executable} has none")
    # Verilator starts registers with zeros unless it is told to draw them.
    command = [
        str(executable.resolve()),
        *arguments,
        "+verilator+rand+reset+2",
        f"+verilator+seed+{1 + seed % (1 << 30)}",
    ]
    if four_states:
        command = run_command(executable)
    results.unlink(missing_ok=True)
    with tool_environment(folder) as environment, log.open("w") as output:
        environment |= {
            "PATH": f"{environment['PATH']}{os.pathsep}{libs_dir}",
            "PYTHONPATH": os.pathsep.join(sys.path),
            "PYGPI_PYTHON_BIN": sys.executable,
            "GPI_USERS": f"{library};{pygpi_entry_point()}",
            "TOPLEVEL_LANG": "verilog",
            "COCOTB_TOPLEVEL": executable.name,
            "COCOTB_TEST_MODULES": module,
            "COCOTB_RANDOM_SEED": str(seed),
            "COCOTB_TRUST_INERTIAL_WRITES": "1",
            "COCOTB_RESULTS_FILE": str(results),
            **(env or {}),
        }
        subprocess.run(command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT, check=False)
    text = log.read_text(errors="replace")
    if (stopped := _trouble(results, text)) is not None:
        raise ToolTrouble(f"the simulation must run, not stop: {stopped}")
    return text


def _trouble(results: Path, log: str) -> str | None:
    """What stopped a bench that is not about the core: the machine's limits, or that it did not even start."""
    failures = _failures(results)
    if failures is None:
        of_core = any(line.startswith("%Error") and not is_trouble(line) for line in log.splitlines())
        return None if of_core else complaint(log.splitlines())
    for failure in failures:
        kind = getattr(builtins, failure.get("type", ""), None)
        if isinstance(kind, type) and issubclass(kind, (OSError, MemoryError, ImportError)):
            return f"{failure.get('type')}: {failure.get('message')}"
    return None


def _failures(results: Path) -> list[ElementTree.Element] | None:
    """Failures that the bench reports; None if it did not tell how it ended, or only half."""
    try:
        return list(ElementTree.parse(results).iter("failure"))
    except (OSError, ElementTree.ParseError):
        return None


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
