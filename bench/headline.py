"""One SHD inference in the least time: accuracy, cycles, clock and size of cores that are placed and routed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import spikewright as sw
from spikewright.contract.names import Layers
from spikewright.support.files import sha256

CHECKPOINT = "shd-adabreg90"
WEIGHT_BITS = 6
LANES = 32
BOARD = "ulx3s-85f"
CLOCKS_MHZ: dict[Layers, int] = {"slotted": 110, "parallel": 90, "shared": 90}
"""What each engine is placed for."""
RESULTS = Path(__file__).parent / "results" / "latency.json"


def headline(data: Path, folder: Path, layers: Layers = "slotted") -> dict[str, Any]:
    """Quantize, generate, simulate the whole test part and place and route with the default seed.

    Parameters
    ----------
    data : Path
        Folder with the files of SHD.
    folder : Path
        For what is made. What is there already is used again, as a placement takes long: a build folder by the same
        version, of which simulation and synthesis check that its files are those that it was made of.
    layers : Layers
        The engine.

    Returns
    -------
    dict
        JSON-ready: `us_per_inference` (mean cycles over the clock), `us_after_last_event` (from the last input beat),
        `accuracy`, `cycles` and `cycles_after_input` (means), `fmax_mhz`, `mismatches`, `cycle_mismatches`, `luts`,
        `ffs`, `brams`, `dsps`, and of what.
    """
    folder.mkdir(parents=True, exist_ok=True)
    model, build = folder / "model.safetensors", folder / layers
    if not model.is_file():
        sw.save_network(sw.quantize(CHECKPOINT, weight_bits=WEIGHT_BITS, data=data), model)
    if not build.is_dir():
        sw.generate(model, build, lanes=LANES, layers=layers)
    report = build / f"synth-{BOARD}" / "report.json"
    synthesized = json.loads(report.read_text("utf-8")) if report.is_file() else {}
    if synthesized.get("core_sha256") != sha256(build / "spikewright_core.v"):
        synthesized = dict(sw.synth(build, BOARD, clock_mhz=CLOCKS_MHZ[layers]))
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
        "layers": layers,
        "board": BOARD,
    }


def write(found: Sequence[dict[str, Any]]) -> None:
    """Puts the figures of several engines into the page of which `bench/results.py` makes a table."""
    page = json.loads(RESULTS.read_text("utf-8"))
    page["tables"][0]["rows"] = [
        [
            of["layers"],
            f"{of['luts']:,}",
            f"{of['ffs']:,}",
            str(of["brams"]),
            f"{of['cycles']:,.0f}",
            f"{of['fmax_mhz']:.1f}",
            f"{of['us_per_inference']:.1f}",
            f"{of['us_after_last_event']:.1f}",
            f"{of['mismatches']}, {of['cycle_mismatches']}",
        ]
        for of in found
    ]
    RESULTS.write_text(json.dumps(page, indent=2, ensure_ascii=False) + "\n", "utf-8")
