"""Networks of other libraries, from their files to simulated Verilog.

    python bench/nir.py FOLDER [--only NAME ...] [--no-cores] [--write]

FOLDER holds a folder for each network: `net.nir`, `about.json` (its dialect), and `io.npz` with input and spikes as the
library computed them. Each is imported and compared, quantized to 16 bits and (calibrated) to 8, and generated and
simulated by every engine at 1 and 4 lanes. With --write the figures become `bench/results/nir.json`, those of networks
that were not run anew stay, as do other tables of that file.

A network in which a small error grows is told by the column "noise": spikes that differ in floating point, with weights
that are wrong by a random 2**-15 of themselves, which is what 16 bits do to them.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spikewright.api.generate import generate
from spikewright.api.quantize import quantize
from spikewright.contract.cores import CORES
from spikewright.contract.errors import InputError
from spikewright.contract.names import LAYERS
from spikewright.data.shd import SpikeData
from spikewright.integer.reference import IntegerNetwork
from spikewright.nir.convert import as_spiking_network, spiking_layers
from spikewright.nir.load import import_nir
from spikewright.nir.network import ForeignNetwork
from spikewright_sim.core.dut import Dut
from spikewright_sim.native import loop as native

RESULTS = Path(__file__).with_name("results") / "nir.json"
LANES = (1, 4)
NOISE = 2.0**-15
DRAWS = 3
COLUMNS = (
    "network", "spikes", "float differs", "noise", "16 bits differ", "8 bits differ", "cores", "mismatches",
    "cycle mismatches",
)  # fmt: skip

Spikes = dict[str, "np.ndarray[Any, Any]"]


def differing(found: Spikes, recorded: Spikes) -> float:
    """Share of the spikes (T, B, N) that differ."""
    wrong = sum(int((found[name] != spikes).sum()) for name, spikes in recorded.items())
    return wrong / sum(spikes.size for spikes in recorded.values())


def of_foreign(network: ForeignNetwork, values: torch.Tensor) -> Spikes:
    """Spikes (T, B, N) by name."""
    return {name: of.flatten(2).transpose(0, 1).numpy() for name, of in network.run(values).spikes.items()}


def of_own(foreign: ForeignNetwork, spikes: tuple[torch.Tensor, ...]) -> Spikes:
    """Spikes (T, B, N) by name, as the library shows them."""
    found = {}
    for (name, late), of in zip(spiking_layers(foreign), spikes, strict=True):
        steps_first = of.transpose(0, 1).numpy()
        found[name] = np.concatenate([np.zeros_like(steps_first[:late]), steps_first[: len(steps_first) - late]])
    return found


@torch.no_grad()
def with_noise(foreign: ForeignNetwork, values: torch.Tensor, recorded: Spikes) -> float:
    """Mean share of spikes that differ with slightly wrong weights."""
    shares = []
    for seed in range(DRAWS):
        generator = torch.Generator().manual_seed(seed)
        network = as_spiking_network(foreign)
        for weight in network.weight_matrices().values():
            weight.mul_(1 + NOISE * torch.randn(weight.shape, generator=generator))
        shares.append(differing(of_own(foreign, network.run(values).spikes), recorded))
    return sum(shares) / DRAWS


def cores(model: IntegerNetwork, values: torch.Tensor) -> tuple[int, int, int]:
    """Cores that ran, values and cycles that differed."""
    ran = mismatches = cycles = 0
    for layers in (kind for kind in LAYERS if CORES[kind].refusal(model.spec) is None):
        for lanes in LANES:
            with tempfile.TemporaryDirectory(prefix="spikewright-nir-") as name:
                generate(model, Path(name) / "core", lanes=lanes, layers=layers)
                dut = Dut.open(Path(name) / "core")
                trace = IntegerNetwork(dut.core.network).run(values)
                executable = dut.compiled("native", lambda message: None, quick=True)
                job = native.Job(dut, values.numpy(), trace)
                found = native.run_native(executable, job, seed=0, progress=lambda message: None, processes=1)
                for line in found.details:
                    print(f"    {layers}, {lanes} lanes: {line}", file=sys.stderr)
                ran, mismatches, cycles = (
                    ran + 1, mismatches + found.mismatches, cycles + found.cycle_mismatches,
                )  # fmt: skip
    return ran, mismatches, cycles


def measure(folder: Path, with_cores: bool) -> list[Any]:
    """A row of the table."""
    with np.load(folder / "io.npz") as file:
        values = torch.from_numpy(file["input"].swapaxes(0, 1).copy()).flatten(2)
        recorded = {
            name.removesuffix(".spikes"): file[name].reshape(*file[name].shape[:2], -1)
            for name in file.files
            if name.endswith(".spikes")
        }
    foreign = import_nir(folder / "net.nir", folder / "about.json", timesteps=values.shape[1])
    total = sum(spikes.size for spikes in recorded.values())
    row = [folder.name, f"{total:,}", percent(differing(of_foreign(foreign, values), recorded))]
    data = SpikeData(values.numpy().astype(np.uint8), np.zeros(len(values), np.int64))
    try:
        row.append(percent(with_noise(foreign, values, recorded)))
        models = [quantize(foreign, weight_bits=16), quantize(foreign, weight_bits=8, calibrate=len(data), data=data)]
        row += [percent(differing(of_own(foreign, model.run(values).spikes), recorded)) for model in models]
        row += [f"{figure:,}" for figure in cores(models[0], values)] if with_cores else ["", "", ""]
    except InputError as error:
        print(f"    {error}", file=sys.stderr)
        row += ["not in integers", *[""] * 8]
    return row[: len(COLUMNS)]


def percent(share: float) -> str:
    return "0" if share == 0 else f"{100 * share:.2g} %"


def page(rows: list[list[Any]], others: list[Any]) -> dict[str, Any]:
    """The page of `bench/results.py`, with other tables that it has."""
    return {
        "title": "Networks of other libraries",
        "intro": [
            "Networks as snnTorch, Norse, SpikingJelly, sinabs, Rockpool and Spyx wrote them to NIR files, compared "
            "with the spikes that these libraries computed: the imported float network, integers, simulated Verilog."
        ],
        "tables": [
            {
                "title": "From the file to Verilog",
                "text": [
                    "Share of all recorded spikes (step, sample, neuron) that differ; *noise* is that of the float "
                    "network with weights that are wrong by a random 2⁻¹⁵ of themselves: where it is not small, the "
                    "network itself makes small errors grow. Cores are of the 16-bit integers, with every engine that "
                    "takes the network, at 1 and 4 lanes; every spike, membrane and score is compared, and the cycle "
                    "of every step."
                ],
                "columns": list(COLUMNS),
                "rows": rows,
                "command": ["python bench/nir.py ../shared/nir --write"],
                "data": "networks and recordings by the libraries themselves, random input",
                "seeds": "0 .. 2 for the noise; nothing else is random",
                "spread": "none: each is one network; the noise is the mean of three draws",
            },
            *others,
        ],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description="Networks of other libraries, from NIR to simulated Verilog.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME")
    parser.add_argument("--no-cores", action="store_true")
    parser.add_argument("--write", action="store_true", help=f"into {RESULTS.name}")
    args = parser.parse_args()
    tables = json.loads(RESULTS.read_text("utf-8"))["tables"] if RESULTS.exists() else [{"rows": []}]
    known = {row[0]: row for row in tables[0]["rows"]}
    for path in sorted(args.folder.glob("*/io.npz")):
        name = path.parent.name
        if args.only and name not in args.only:
            continue
        known[name] = measure(path.parent, not args.no_cores)
        print(" | ".join(map(str, known[name])), flush=True)
        if args.write:
            text = json.dumps(page([known[name] for name in sorted(known)], tables[1:]), indent=2, ensure_ascii=False)
            RESULTS.write_text(text + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
