"""Networks of other libraries, from their files to simulated Verilog.

    python bench/nir.py FOLDER [--only NAME ...] [--missing] [--no-cores | --bitstreams] [--write]

FOLDER holds a folder for each network: `net.nir`, `about.json` (its dialect), and `io.npz` with input and spikes as the
library computed them. Each is imported and compared, quantized to 16 bits and (calibrated) to 8, and generated and
simulated by every engine at 1 and 4 lanes. With --write the figures become `bench/results/nir.json`, those of networks
that were not run anew stay, as do other tables of that file. --missing runs those alone whose cores are not in there
yet. Of recordings of more than `MOST_STEPS` steps in all, the first ones are simulated; integers run all.

With --bitstreams, the networks of `BITSTREAMS` are placed and routed instead (minutes each), in 8 bits.

A network in which a small error grows is told by the column "noise": spikes that differ in floating point, with weights
that are wrong by a random 2**-15 of themselves, which is what 16 bits do to them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from spikewright.api.generate import generate
from spikewright.api.quantize import quantize
from spikewright.api.synth import synth
from spikewright.contract.cores import CORES
from spikewright.contract.errors import InputError
from spikewright.contract.names import LAYERS
from spikewright.data.shd import SpikeData
from spikewright.integer.reference import IntegerNetwork
from spikewright.nir.convert import as_spiking_network, spiking_layers
from spikewright.nir.load import import_nir
from spikewright.nir.network import ForeignNetwork
from spikewright_sim.core.dut import Dut
from spikewright_sim.core.scoreboard import Report
from spikewright_sim.native import loop as native

RESULTS = Path(__file__).with_name("results") / "nir.json"
LANES = (1, 4)
NOISE = 2.0**-15
DRAWS = 3
MOST_STEPS = 480
BOARD, CLOCK = "ulx3s-85f", 80.0
BITSTREAMS = {"real-braille-zero": 1, "real-braille-subtract": 1, "real-lif-norse": 1}
"""Lanes of the networks that become bitstreams."""
COLUMNS = (
    "network", "spikes", "float differs", "noise", "16 bits differ", "8 bits differ", "cores", "samples", "mismatches",
    "cycle mismatches",
)  # fmt: skip
OF_BITSTREAMS = (
    "network", "lanes", "synapses", "mismatches", "cycles of an inference", "LUTs", "flip-flops", "block RAMs",
    "multipliers", "highest clock", f"latency at {CLOCK:g} MHz",
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


def simulated(folder: Path, values: torch.Tensor) -> Report:
    """What the core of a build folder does with samples, compared with its network."""
    dut = Dut.open(folder)
    trace = IntegerNetwork(dut.core.network).run(values)
    executable = dut.compiled("native", lambda message: None, quick=True)
    job = native.Job(dut, values.numpy(), trace)
    return native.run_native(executable, job, seed=0, progress=lambda message: None, processes=1)


def cores(model: IntegerNetwork, values: torch.Tensor) -> tuple[int, int, int, int]:
    """Cores that ran, samples of each, values and cycles that differed."""
    values = values[: max(1, MOST_STEPS // values.shape[1])]
    ran = mismatches = cycles = 0
    for layers in (kind for kind in LAYERS if CORES[kind].refusal(model.spec) is None):
        for lanes in LANES:
            with tempfile.TemporaryDirectory(prefix="spikewright-nir-") as name:
                generate(model, Path(name) / "core", lanes=lanes, layers=layers)
                found = simulated(Path(name) / "core", values)
            for line in found.details:
                print(f"    {layers}, {lanes} lanes: {line}", file=sys.stderr)
            ran, mismatches, cycles = ran + 1, mismatches + found.mismatches, cycles + found.cycle_mismatches
    return ran, len(values), mismatches, cycles


def opened(folder: Path) -> tuple[ForeignNetwork, torch.Tensor, Spikes]:
    """The network of a folder, the values (B, T, inputs) that its library was given, and the spikes it recorded."""
    with np.load(folder / "io.npz") as file:
        values = torch.from_numpy(file["input"].swapaxes(0, 1).copy()).flatten(2)
        recorded = {
            name.removesuffix(".spikes"): file[name].reshape(*file[name].shape[:2], -1)
            for name in file.files
            if name.endswith(".spikes")
        }
    return import_nir(folder / "net.nir", folder / "about.json", timesteps=values.shape[1]), values, recorded


def as_data(values: torch.Tensor) -> SpikeData:
    return SpikeData(values.numpy().astype(np.uint8), np.zeros(len(values), np.int64))


def bitstream(folder: Path, lanes: int) -> list[Any]:
    """A row of the table of bitstreams."""
    foreign, values, _ = opened(folder)
    model = quantize(foreign, weight_bits=8, calibrate=len(values), data=as_data(values))
    with tempfile.TemporaryDirectory(prefix="spikewright-nir-") as name:
        build = Path(name) / "core"
        generate(model, build, lanes=lanes, target="ecp5")
        found = simulated(build, values)
        made = synth(build, BOARD, out=Path(name) / "synth", clock_mhz=CLOCK)
    if made.failed:
        print(f"    {made.failed}", file=sys.stderr)
    cycles = statistics.mean(found.latencies)
    synapses = sum(layer.synapses for layer in model.spec.layers)
    taken = [f"{made[key]:,}" for key in ("luts", "ffs", "brams", "dsps")]
    mismatches = found.mismatches + found.cycle_mismatches
    return [
        *(folder.name, f"{lanes}", f"{synapses:,}", f"{mismatches:,}", f"{cycles:,.0f}", *taken),
        *(f"{made.fmax_mhz:.1f} MHz", f"{cycles / CLOCK:.1f} us"),
    ]


def measure(folder: Path) -> list[str]:
    """A row of the table, but for its cores."""
    foreign, values, recorded = opened(folder)
    total = sum(spikes.size for spikes in recorded.values())
    row = [folder.name, f"{total:,}", percent(differing(of_foreign(foreign, values), recorded))]
    data = as_data(values)
    try:
        row.append(percent(with_noise(foreign, values, recorded)))
        for model in (quantize(foreign, weight_bits=16), quantize(foreign, calibrate=len(data), data=data)):
            row.append(percent(differing(of_own(foreign, model.run(values).spikes), recorded)))
    except InputError as error:
        print(f"    {error}", file=sys.stderr)
        row.append("not in integers")
    return row


def with_cores(folder: Path, row: list[str]) -> list[str]:
    """The row with what its cores do."""
    foreign, values, _ = opened(folder)
    found = cores(quantize(foreign, weight_bits=16), values)
    return [*row[: len(COLUMNS) - len(found)], *(f"{figure:,}" for figure in found)]


def percent(share: float) -> str:
    return "0" if share == 0 else f"{100 * share:.2g} %"


TITLES = "From the file to Verilog", "As bitstreams"


def page(tables: dict[str, Any]) -> dict[str, Any]:
    """The page of `bench/results.py`."""
    title = "Networks of other libraries"
    intro = (
        "Networks as snnTorch, Norse, SpikingJelly, sinabs, Rockpool and Spyx wrote them to NIR files, compared with "
        "the spikes that these libraries computed: the imported float network, integers, simulated Verilog."
    )
    return {"title": title, "intro": [intro], "tables": list(tables.values())}


def compared(rows: list[list[str]]) -> dict[str, Any]:
    """The table of all networks."""
    return {
        "title": TITLES[0],
        "text": [
            "Share of all recorded spikes (step, sample, neuron) that differ; *noise* is that of the float network "
            "with weights that are wrong by a random 2⁻¹⁵ of themselves: where it is not small, the network itself "
            "makes small errors grow. Cores are of the 16-bit integers, with every engine that takes the network, at "
            "1 and 4 lanes, each with so many of the samples; every spike, membrane and score is compared, and the "
            "cycle of every step."
        ],
        "columns": list(COLUMNS),
        "rows": rows,
        "notes": [
            "A cell is empty where the command was not run so far; `--only NAME --missing --write` fills it. With "
            "`real-cnn-sinabs`, which has a million synapses when unrolled, calibration takes ten minutes."
        ],
        "command": ["python bench/nir.py ../shared/nir --write"],
        "data": "networks and recordings by the libraries themselves, random input",
        "seeds": "0 .. 2 for the noise; nothing else is random",
        "spread": "none: each is one network; the noise is the mean of three draws",
    }


def routed(rows: list[list[str]]) -> dict[str, Any]:
    """The table of bitstreams."""
    left = [name for name in BITSTREAMS if name not in [row[0] for row in rows]]
    return {
        "title": TITLES[1],
        "text": [
            f"Published networks in 8 bits, calibrated on their recordings, placed and routed for the board `{BOARD}`: "
            "the two Braille networks of the NIR paper, of 120 steps, and its single neuron `lif_norse.nir`, of 1,000 "
            "steps. Mismatches are those of the simulated core with all recordings, cycles included. No bitstream has "
            "been tried on a board yet."
        ],
        "columns": list(OF_BITSTREAMS),
        "rows": rows,
        "notes": [f"Not placed and routed so far: {', '.join(left)}."] if left else [],
        "command": ["python bench/nir.py ../shared/nir --bitstreams --write"],
        "data": "the published weights; random input, as the Braille recordings are not beside them",
        "seeds": "placement: 1",
        "spread": "one placement each; means over the recordings",
    }


def main() -> int:
    parser = argparse.ArgumentParser(description="Networks of other libraries, from NIR to simulated Verilog.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME")
    parser.add_argument("--missing", action="store_true", help="keep what is known of a network, cores among it")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--no-cores", action="store_true")
    which.add_argument("--bitstreams", action="store_true")
    parser.add_argument("--write", action="store_true", help=f"into {RESULTS.name}")
    args = parser.parse_args()
    tables = {table["title"]: table for table in json.loads(RESULTS.read_text("utf-8"))["tables"]}
    title, write = (TITLES[1], routed) if args.bitstreams else (TITLES[0], compared)
    known = {row[0]: row for row in tables.get(title, {"rows": []})["rows"]}
    for path in sorted(args.folder.glob("*/io.npz")):
        name, folder = path.parent.name, path.parent
        if (args.only and name not in args.only) or (args.bitstreams and name not in BITSTREAMS):
            continue
        if args.bitstreams:
            known[name] = bitstream(folder, BITSTREAMS[name])
        elif not args.missing or not known.get(name, ["", ""])[-1]:
            row = known[name] if args.missing and name in known else measure(folder)
            known[name] = [*row, *[""] * (len(COLUMNS) - len(row))] if args.no_cores else with_cores(folder, row)
        print(" | ".join(map(str, known[name])), flush=True)
        tables[title] = write([known[name] for name in sorted(known)])
        if args.write:
            RESULTS.write_text(json.dumps(page(tables), indent=2, ensure_ascii=False) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
