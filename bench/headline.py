"""One SHD inference in the least time: accuracy, cycles, clock and size of a core that is placed and routed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import spikewright as sw
from spikewright.support.files import sha256

CHECKPOINT = "shd-adabreg90"
WEIGHT_BITS = 6
LANES = 32
BOARD = "ulx3s-85f"
CLOCK_MHZ = 110


def headline(data: Path, folder: Path) -> dict[str, Any]:
    """Quantize, generate, simulate the whole test part and place and route with the default seed.

    Parameters
    ----------
    data : Path
        Folder with the files of SHD.
    folder : Path
        For what is made. What is there already is used again, as a placement takes long: a build folder by the same
        version, of which simulation and synthesis check that its files are those that it was made of.

    Returns
    -------
    dict
        JSON-ready: `us_per_inference` (mean cycles over the clock), `us_after_last_event` (from the last input beat),
        `accuracy`, `cycles` and `cycles_after_input` (means), `fmax_mhz`, `mismatches`, `cycle_mismatches`, `luts`,
        `ffs`, `brams`, `dsps`, and of what.
    """
    folder.mkdir(parents=True, exist_ok=True)
    model, build = folder / "model.safetensors", folder / "build"
    if not build.is_dir():
        sw.save_network(sw.quantize(CHECKPOINT, weight_bits=WEIGHT_BITS, data=data), model)
        sw.generate(model, build, lanes=LANES, layers="slotted")
    report = build / f"synth-{BOARD}" / "report.json"
    synthesized = json.loads(report.read_text("utf-8")) if report.is_file() else {}
    if synthesized.get("core_sha256") != sha256(build / "spikewright_core.v"):
        synthesized = dict(sw.synth(build, BOARD, clock_mhz=CLOCK_MHZ))
    recordings = sw.load_data(data, network=CHECKPOINT)
    simulated = sw.simulate(build, recordings, samples=len(recordings), engine="native")
    clock = synthesized["fmax_mhz"]
    cycles, after = (simulated[name]["mean"] for name in ("cycles_per_inference", "cycles_after_input"))
    return {
        "us_per_inference": cycles / clock,
        "us_after_last_event": after / clock,
        "accuracy": simulated["accuracy"],
        "cycles": cycles,
        "cycles_after_input": after,
        "fmax_mhz": clock,
        "mismatches": simulated["mismatches"],
        "cycle_mismatches": simulated["cycle_mismatches"],
        "samples": simulated["samples"],
        **{name: synthesized[name] for name in ("luts", "ffs", "brams", "dsps")},
        "checkpoint": CHECKPOINT,
        "weight_bits": WEIGHT_BITS,
        "lanes": LANES,
        "layers": "slotted",
        "board": BOARD,
    }
