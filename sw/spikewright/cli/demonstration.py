"""The whole way on what is shipped: checkpoint, integer network, Verilog, simulation, comparison."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from spikewright.integer.recordings import binning_of, load
from spikewright.support.files import atomic_dir, write_manifest
from spikewright.support.progress import say, step
from spikewright.support.shipped import SAMPLE, asset

CHECKPOINT = "synth-full.safetensors"


def demo(out: Path | None = None, *, samples: int = 5, lanes: int = 8) -> dict[str, Any]:
    """Quantize the shipped checkpoint, generate a core, simulate it and compare it with the PyTorch model.

    Parameters
    ----------
    out : Path, optional
        Folder to make, for the integer network and the build folder; none is kept by default.
    samples : int
        How many of the shipped recordings are simulated; all of them are run through the networks in PyTorch.
    lanes : int

    Returns
    -------
    dict
        JSON-ready: `checkpoint`, `data`, `samples`, `lanes`, `accuracy` (`float`, `quantized` on all recordings,
        `hardware` on the simulated ones), `sparsity`, `synapses` (`stored`, `skipped`), `memory_bits` (by memory),
        `simulation` (as `spikewright_sim.runner.simulate` returns).

    Raises
    ------
    InputError
        If a tool is missing or `out` cannot be written.
    """
    from spikewright.build.generate import build
    from spikewright.integer.evaluate import evaluate
    from spikewright.integer.file import save_model
    from spikewright.integer.reference import IntegerNetwork
    from spikewright.integer.rounding import quantize
    from spikewright.learn.checkpoint import read_checkpoint
    from spikewright.support.files import sha256
    from spikewright_sim.core.toolchain import check_tools
    from spikewright_sim.runner import simulate

    check_tools()  # A missing tool is better told before the work than after.
    checkpoint = asset(CHECKPOINT)
    with _folder(out) as folder:
        with step(f"1/5 reading {CHECKPOINT} and {SAMPLE}", quiet_for=0):
            network, _, _ = read_checkpoint(checkpoint)
            binning = binning_of(network.config)
            data = load(None, "test", network.config, binning)
        with step("2/5 quantizing to 8 bits", quiet_for=0):
            spec = quantize(network)
            model = folder / "model.safetensors"
            save_model(model, spec, {**binning, "checkpoint_sha256": sha256(checkpoint)})
        with step(f"3/5 running {len(data)} samples through the float and the integer network", quiet_for=0):
            before = evaluate(network, data)
            after = evaluate(IntegerNetwork(spec), data)
        with step(f"4/5 packing and writing Verilog for {lanes} lanes", quiet_for=0):
            manifest = build(model, folder / "build", lanes)
        with step(f"5/5 simulating {samples} samples, then some of them back to back and with pauses", quiet_for=0):
            # A third of the time that cocotb takes, and the same comparisons.
            simulation = simulate(
                folder / "build",
                data.counts[:samples],
                data.labels[:samples],
                engine="native",
                progress=lambda line: say(f"    {line}"),
            )
    return {
        "checkpoint": CHECKPOINT,
        "data": SAMPLE,
        "samples": len(data),
        "lanes": lanes,
        "accuracy": {
            "float": before["accuracy"],
            "quantized": after["accuracy"],
            "hardware": simulation["accuracy"],
        },
        "sparsity": after["sparsity"],
        "synapses": {"stored": manifest["synapses"], "skipped": manifest["weights"] - manifest["synapses"]},
        "memory_bits": manifest["memory_bits"],
        "simulation": simulation,
    }


@contextmanager
def _folder(out: Path | None) -> Iterator[Path]:
    if out is not None:
        with atomic_dir(out) as folder:
            yield folder
            write_manifest(folder, {"format": "spikewright-demo-1"})
    else:
        with tempfile.TemporaryDirectory(prefix="spikewright-demo-") as name:
            yield Path(name)
