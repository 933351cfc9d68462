"""Gates, area, timing and energy of small cores in libraries of cells: measures, and writes `bench/results/asic.json`.

    .venv/bin/python bench/asic.py sky130hd_tt.lib.gz sg13g2_typ.lib.gz

Takes minutes. The libraries are no part of the repository; timing needs OpenSTA. The networks are drawn at random, with
the shape and the density that their rows name: energy depends on both, not on what a network has learned.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from random_networks import random_counts, random_network  # noqa: E402 - of the tests
from spikewright.build.generate import build  # noqa: E402
from spikewright.integer.file import save_model  # noqa: E402
from spikewright.support.files import write_json  # noqa: E402
from spikewright_boards.asic.flow import build_asic  # noqa: E402

SAMPLES = 20
SHAPES = {"gating": (4, 4, 2), "density": (12, 12, 4)}
STEPS = 6


def measure(folder: Path, library: Path, shape: tuple[int, ...], density: float, gating: Any) -> dict[str, Any]:
    """A row: a network with one lane, shared by its layers, fixed weights."""
    network = random_network(
        3, shape, recurrent=(False,) * (len(shape) - 2), density=density, timesteps=STEPS, weight_bits=4, value_bits=2
    )
    name = f"{'-'.join(map(str, shape))}-{density:g}"
    if not (folder / name).is_dir():
        save_model(folder / f"{name}.safetensors", network)
        build(folder / f"{name}.safetensors", folder / name, lanes=1, layers="shared")
    counts = random_counts(3, network, SAMPLES)
    out = folder / f"{name}-{library.stem}-{gating}"
    report = build_asic(folder / name, [library], gating=gating, counts=counts, out_dir=out)
    energy = report["energy"]
    return {
        "network": "-".join(map(str, shape)),
        "density": density,
        "library": report["library"],
        "gating": gating,
        "cells": sum(report["cells"].values()),
        "area_um2": report["area_um2"],
        "registers": report["registers"],
        "gated_registers": report["gated_registers"],
        "fmax_mhz": report["fmax_mhz"],
        **{
            key: energy[key]
            for key in ("cycles", "inference_nj", "synaptic_ops", "synaptic_op_pj", "parts_nj", "toggles")
        },
    }


def page(rows: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """What `bench/results.py` makes a page of."""
    common = {
        "command": "python bench/asic.py LIBRARY ...",
        "data": f"{SAMPLES} random recordings of {STEPS} steps, back to back; networks drawn at random",
        "seeds": "one (3)",
        "spread": "none: a network and its recordings give the same netlist and the same energy every time",
    }
    gating = []
    for row in rows["gating"]:
        clock = row["parts_nj"]["clock"] / row["inference_nj"]
        gated = f"{row['gated_registers']} of {row['registers']}"
        megahertz = "" if row["fmax_mhz"] is None else f"{row['fmax_mhz']:.0f}"
        size = [f"{row['cells']:,}", f"{row['area_um2']:,.0f}"]
        energy = [f"{row['inference_nj']:.2f}", f"{clock:.0%}"]
        gating.append([row["library"], row["gating"], *size, gated, megahertz, *energy])
    density = []
    for row in rows["density"]:
        work = [f"{row['density']:.0%}", f"{row['synaptic_ops']:,.0f}", f"{row['cycles']:,.0f}"]
        energy = [f"{row['inference_nj']:.2f}", f"{row['synaptic_op_pj']:.0f}"]
        density.append([*work, *energy, f"{row['area_um2']:,.0f}", f"{row['toggles']:,.0f}"])
    return {
        "title": "Gates, area and energy of ASICs",
        "intro": [
            "Netlists by `spikewright asic`, before layout: the wire to an input is taken for 3 fF, the clock tree has "
            "no buffers, and glitches are not seen. What was measured gave the scores and classes of the network, in "
            "the predicted cycles. All at 100 MHz, with fixed weights, one lane that the layers share, and memories in "
            "registers and constant logic."
        ],
        "tables": [
            {
                "title": "Clock gating",
                "text": [
                    "A network of 4-4-2 neurons, half of its weights zero. `none`: all clocks run; `enable`: registers "
                    "with one enable are gated; `full`: the others too, and the gating cells themselves."
                ],
                "columns": ["library", "gating", "cells", "um2", "gated registers", "MHz", "nJ/inference", "clock"],
                "rows": gating,
                "notes": ["MHz is by OpenSTA, with an ideal clock and wires without delay."],
                **common,
            },
            {
                "title": "Density",
                "text": [f"A network of 12-12-4 neurons in {rows['density'][0]['library']}, gating `full`."],
                "columns": [
                    *("weights that are not zero", "additions", "cycles"),
                    *("nJ/inference", "pJ/addition", "um2", "changes of nets"),
                ],
                "rows": density,
                "notes": ["Weights are constant logic here: fewer of them are fewer gates, too."],
                **common,
            },
        ],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("libraries", type=Path, nargs="+", metavar="LIB")
    parser.add_argument("-o", "--out", type=Path, default=ROOT / "bench" / "results" / "asic.json", metavar="FILE")
    args = parser.parse_args()
    rows: dict[str, list[dict[str, Any]]] = {"gating": [], "density": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for library in args.libraries:
            for gating in ("none", "enable", "full"):
                rows["gating"].append(measure(folder, library, SHAPES["gating"], 0.5, gating))
        for density in (0.1, 0.5, 1.0):
            rows["density"].append(measure(folder, args.libraries[0], SHAPES["density"], density, "full"))
    write_json(args.out, page(rows))


if __name__ == "__main__":
    main()
