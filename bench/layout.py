"""A tiny network as a layout: whether what is drawn is the netlist, and still gives the answers of the network.

    make layout

Gates of a random network of 2-2-2 neurons in OSU's library for 0.18 um, placed and routed by qflow, compared by netgen
(LVS), and what magic finds in the layout simulated. Without these tools nothing is done, and a line says which is
missing and how to get it. Takes minutes.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from random_networks import random_counts, random_network  # noqa: E402 - of the tests
from spikewright.build.generate import build  # noqa: E402
from spikewright.contract.errors import CheckFailed, InputError, ToolTrouble  # noqa: E402
from spikewright.integer.file import save_model  # noqa: E402
from spikewright.support.progress import say  # noqa: E402
from spikewright_boards.asic.flow import build_asic  # noqa: E402
from spikewright_boards.asic.layout import Qflow, find_qflow, lay_out  # noqa: E402
from spikewright_sim.gates import open_netlist  # noqa: E402
from spikewright_sim.runner import simulate  # noqa: E402

SAMPLES = 20


def check(qflow: Qflow, out: Path) -> str:
    """Lay out and simulate; returns what was found."""
    network = random_network(3, (2, 2, 2), recurrent=(False,), timesteps=3, weight_bits=3, value_bits=1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        save_model(folder / "model.safetensors", network)
        build(folder / "model.safetensors", folder / "build", lanes=1, layers="shared")
        build_asic(folder / "build", [qflow.liberty], gating="none", out_dir=folder / "gates")
        report = lay_out(qflow, folder / "gates", out, say)
        counts = random_counts(5, network, SAMPLES)
        engine = "native" if shutil.which("iverilog") is None else "icarus"
        labels = np.zeros(SAMPLES, dtype=np.int64)
        result = simulate(open_netlist(folder / "build", out), counts, labels, engine=engine)
    size = f"{report['width_um']:g} x {report['height_um']:g} um"
    lines = [
        f"layout: {report['cells']:,} cells, {report['nets']:,} nets, {size}",
        f"LVS: {report['lvs']}",
        f"simulation of what is in the layout ({engine}): {SAMPLES} recordings, {result['mismatches']} mismatches, "
        f"{result['cycle_mismatches']} cycle mismatches",
    ]
    if result["mismatches"] or result["cycle_mismatches"]:
        raise CheckFailed("\n".join([*lines, *result["details"]]))
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--out", type=Path, default=ROOT / "build" / "layout", metavar="DIR")
    args = parser.parse_args()
    qflow = find_qflow()
    if isinstance(qflow, str):
        print(qflow)
        return 0
    try:
        print(check(qflow, args.out))
    except (CheckFailed, InputError, ToolTrouble) as error:
        print(f"layout: {error}", file=sys.stderr)
        return 1 if isinstance(error, CheckFailed) else 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
