"""Gates, area, timing, answers and energy of cores in libraries of cells; writes `bench/results/asic.json`.

    .venv/bin/python bench/asic.py sky130hd_tt.lib.gz sg13g2_typ.lib.gz osu018_stdcells.lib

Each measure is kept as a file in `--work` and not done again. `--only TEXT` does just those whose names contain it,
`--list` tells what is to be done. An hour on a busy core. The libraries are no part of the repository; timing needs
OpenSTA, and four states need Icarus Verilog.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import spikewright as sw  # noqa: E402 - as the next one
from random_networks import random_counts, random_network  # noqa: E402 - of the tests
from spikewright.api.asic import Gates  # noqa: E402
from spikewright.support.files import read_json, write_json  # noqa: E402
from spikewright_boards.asic.flow import build_asic  # noqa: E402
from spikewright_sim.gates import open_netlist  # noqa: E402
from spikewright_sim.runner import simulate  # noqa: E402

SAMPLES = 20
STEPS = 4
"""Of the excerpts that are simulated in four states."""
SMALL, LARGE = "shd-small-adabreg", "shd-adabreg90"
DENSITIES = (0.1, 0.5, 1.0)
ENERGY_SAMPLES, DENSITY_SAMPLES = 2, 1
"""Recordings, as gates are simulated slowly."""
MAPS = {"sky130": "sky130-openram", "sg13g2": "ihp-sg13g2"}
NAMES = {"sky130": "sky130", "sg13g2": "IHP SG13G2", "osu018": "OSU018"}


@dataclass(frozen=True)
class Core:
    """A core of the tables: a shipped network, rounded to 8 bits, and what it is built with."""

    network: str
    lanes: int
    layers: Any
    weights: Any
    sram: str | None = None


CORES = {
    "small loadable": Core(SMALL, 1, "shared", "loadable", "blackbox"),
    "small fixed": Core(SMALL, 1, "shared", "fixed"),
    "large loadable": Core(LARGE, 16, "parallel", "loadable", "blackbox"),
}
ABOUT = {
    "small loadable": "`shd-small-adabreg`, one lane that the layers share, loadable, black boxes from 1,024 bits",
    "small fixed": "the same network with fixed weights, all memories in registers and constant logic",
    "large loadable": "`shd-adabreg90`, 16 lanes a layer, loadable, black boxes from 1,024 bits",
}


class Bench:
    """Measures, each done once; a file in `work` for each."""

    def __init__(self, work: Path, libraries: Sequence[Path]) -> None:
        self._work = work
        self._libraries = {next(key for key in NAMES if path.name.startswith(key)): path for path in libraries}
        work.mkdir(parents=True, exist_ok=True)

    def measures(self) -> dict[str, Callable[[], dict[str, Any]]]:
        """By name, which begins with a core and a library."""
        found: dict[str, Callable[[], dict[str, Any]]] = {}
        for core in CORES:
            for library in self._libraries:
                found[f"{core}, {library}, gates"] = partial(self._gates, core, library)
        for core in ("small loadable", "small fixed"):
            for library in list(self._libraries)[:2]:
                found[f"{core}, {library}, answers"] = partial(self._answers, core, library)
                for gating in ("none", "full"):
                    found[f"{core}, {library}, energy {gating}"] = partial(self._energy, core, library, gating)
        for library in self._libraries:
            if library in MAPS:
                found[f"small loadable, {library}, macros"] = partial(self._macros, "small loadable", library)
        for density in DENSITIES:
            found[f"density {density:g}"] = partial(self._density, density)
        for library in list(self._libraries)[:2]:
            for gating in ("none", "enable", "full"):
                found[f"tiny, {library}, {gating}"] = partial(self._tiny, (4, 4, 2), 0.5, library, gating)
        for density in DENSITIES:
            found[f"tiny, {density:g}"] = partial(self._tiny, (12, 12, 4), density, next(iter(self._libraries)), "full")
        return found

    def result(self, name: str) -> Path:
        return self._work / f"{name.replace(', ', '-').replace(' ', '-')}.json"

    def _model(self, network: str) -> Path:
        model = self._work / f"{network}.safetensors"
        if not model.is_file():
            sw.save_network(sw.quantize(network, data="sample"), model)
        return model

    def _network(self, network: str) -> sw.IntegerNetwork:
        found = sw.load_network(self._model(network))
        assert isinstance(found, sw.IntegerNetwork)
        return found

    def _build(self, name: str) -> Path:
        core = CORES[name]
        folder = self._work / f"build-{name.replace(' ', '-')}"
        # Anew, as a folder may be of an older version.
        sw.generate(self._model(core.network), folder, lanes=core.lanes, layers=core.layers, weights=core.weights)
        return folder

    def _asic(self, build: Path, library: str, core: str, **more: Any) -> Gates:
        """Gates in a folder that is not kept."""
        more = {"sram": CORES[core].sram, **more}
        with tempfile.TemporaryDirectory(dir=self._work) as place:
            return sw.asic(build, self._libraries[library], out=Path(place) / "gates", **more)

    def _gates(self, core: str, library: str) -> dict[str, Any]:
        return dict(self._asic(self._build(core), library, core))

    def _energy(self, core: str, library: str, gating: str) -> dict[str, Any]:
        return dict(self._asic(self._build(core), library, core, gating=gating, data="sample", samples=ENERGY_SAMPLES))

    def _macros(self, core: str, library: str) -> dict[str, Any]:
        """With the macros of the process."""
        build = self._build(core)
        return dict(self._asic(build, library, core, sram=MAPS[library], data="sample", samples=ENERGY_SAMPLES))

    def _answers(self, name: str, library: str) -> dict[str, Any]:
        """The gates in four states; Icarus Verilog is slow, so that the network is one of short recordings."""
        core, model = CORES[name], self._work / "short.safetensors"
        data = sw.load_data("sample", network=self._model(core.network), samples=SAMPLES)
        sw.save_network(short(self._network(core.network)), model)
        with tempfile.TemporaryDirectory(dir=self._work) as place:
            folder, gates = Path(place) / "build", Path(place) / "gates"
            sw.generate(model, folder, lanes=core.lanes, layers=core.layers, weights=core.weights)
            made = sw.asic(folder, self._libraries[library], sram=core.sram, trace=True, prove=True, out=gates)
            counts = np.stack([excerpt(sample) for sample in data.counts.astype(np.int64)])
            result = simulate(open_netlist(folder, gates), counts, data.labels, engine="icarus")
        return {**result, "cells": made.cells, "proven": sum(made["proven_registers"].values())}

    def _density(self, density: float) -> dict[str, Any]:
        """Energy of the small loadable core with another share of weights that are not zero."""
        folder = self._work / f"build-density-{density:g}"
        core = CORES["small loadable"]
        network = replaced(self._network(SMALL), density)
        sw.generate(network, folder, lanes=core.lanes, layers=core.layers, weights=core.weights)
        library = next(iter(self._libraries))
        return dict(self._asic(folder, library, "small loadable", data="sample", samples=DENSITY_SAMPLES))

    def _tiny(self, shape: tuple[int, ...], density: float, library: str, gating: Any) -> dict[str, Any]:
        """A random network with one lane, shared by its layers, and fixed weights."""
        recurrent = (False,) * (len(shape) - 2)
        network = random_network(
            3, shape, recurrent=recurrent, density=density, timesteps=6, weight_bits=4, value_bits=2
        )
        with tempfile.TemporaryDirectory(dir=self._work) as place:
            folder = sw.generate(network, Path(place) / "build", lanes=1, layers="shared")
            counts = random_counts(3, network, SAMPLES)
            return build_asic(folder.path, [self._libraries[library]], gating=gating, counts=counts)


def replaced(network: sw.IntegerNetwork, density: float) -> sw.IntegerNetwork:
    """The network with so many weights that are not zero: the smallest ones removed, or 1 and -1 in place of zeros."""
    rng = np.random.default_rng(3)
    layers = []
    for layer in network.spec.layers:
        weights = np.array(layer.weights)
        flat = weights.reshape(-1)
        wanted = round(density * flat.size)
        # In random order, so that no place is preferred among equals.
        order = rng.permutation(flat.size)
        order = order[np.argsort(-np.abs(flat[order]), kind="stable")]
        flat[order[wanted:]] = 0
        added = order[:wanted][flat[order[:wanted]] == 0]
        flat[added] = rng.choice([-1, 1], added.size)
        layers.append(replace(layer, weights=weights))
    return sw.IntegerNetwork(replace(network.spec, layers=tuple(layers)), network.info)


def short(network: sw.IntegerNetwork) -> sw.IntegerNetwork:
    """The network for recordings of `STEPS` steps, in which its delayed spikes still arrive."""
    layers = [
        layer if layer.delays is None else replace(layer, delays=np.array(layer.delays) % (STEPS - 1))
        for layer in network.spec.layers
    ]
    return sw.IntegerNetwork(replace(network.spec, layers=tuple(layers), timesteps=STEPS), network.info)


def excerpt(sample: Any) -> Any:
    """The `STEPS` steps of a recording with most events."""
    begin = np.convolve(sample.sum(1), np.ones(STEPS), "valid").argmax()
    return sample[begin : begin + STEPS]


def timed(measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What was measured, with seconds by the clock and of the processor, of all tools together."""
    begin, before = time.monotonic(), processor()
    found = measure()
    return {**found, "wall_seconds": time.monotonic() - begin, "cpu_seconds": processor() - before}


def processor() -> float:
    each = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(used.ru_utime + used.ru_stime for used in each)


def table(title: str, text: str, columns: Sequence[str], rows: list[list[str]], **more: Any) -> dict[str, Any]:
    return {
        "title": title,
        "text": [text],
        "columns": list(columns),
        "rows": rows,
        "command": "python bench/asic.py sky130hd_tt.lib.gz sg13g2_typ.lib.gz osu018_stdcells.lib",
        "seeds": "none: a network and its recordings give the same netlist and the same figures every time",
        "spread": "none",
        **more,
    }


def page(found: dict[str, dict[str, Any]], missing: Sequence[str]) -> dict[str, Any]:
    """What `bench/results.py` makes a page of."""
    return {
        "title": "Gates, area and energy of ASICs",
        "intro": [
            "Netlists by `spikewright asic` for 100 MHz, before layout: the wire to an input is taken for 3 fF, the "
            "clock tree has no buffers, and glitches are not seen. What is in the energy, and what is not, stands in "
            "[To the gates of an ASIC](../howto/asic.md#energy).",
            *(f"**{core}**: {about}." for core, about in ABOUT.items()),
            *([f"Not measured yet: {'; '.join(missing)}."] if missing else ()),
        ],
        "tables": [made for made in (make(found) for make in TABLES) if made["rows"]],
    }


def parts(name: str) -> tuple[str, str]:
    """Core and library of a measure, as they are shown."""
    core, library, _ = name.split(", ")
    return core, NAMES[library]


def gates_table(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    rows = []
    for name, of in found.items():
        if not name.endswith(", gates"):
            continue
        kinds = [f"{(of['kinds'][kind] or 0) / 1e3:,.0f}" for kind in ("logic", "registers", "memories", "gating")]
        boxes = sum(memory["count"] for memory in of["memories"] if memory["home"] == "macro")
        megahertz = "" if of["fmax_mhz"] is None else f"{of['fmax_mhz']:.0f}"
        gated = f"{of['registers']:,} ({of['gated_registers']:,})"
        row = [*parts(name), f"{sum(of['cells'].values()):,}", f"{of['area_um2'] / 1e3:,.0f}", *kinds, gated]
        rows.append(
            [
                *row,
                str(boxes),
                megahertz,
                "" if of["cpu_seconds"] is None else f"{of['cpu_seconds'] / 60:.1f}",
                f"{of['wall_seconds'] / 60:.1f}",
            ]
        )
    return table(
        "Gates of three cores",
        "Areas in 1,000 um2, without black boxes. `memories` are those in registers and constant logic. OSU018 has no "
        "clock gating cell.",
        (
            *("core", "library", "cells", "area", "logic", "registers", "memories", "gating"),
            *("registers (gated)", "black boxes", "MHz", "processor, minutes", "clock, minutes"),
        ),
        rows,
        data="the shipped networks, rounded to 8 bits",
        notes=[
            "MHz is by OpenSTA, with an ideal clock and wires without delay. Minutes are those of all tools, on "
            "a machine with much other work to do."
        ],
    )


def answers_table(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    rows = []
    for name, of in found.items():
        if name.endswith(", answers"):
            compared = [str(of["samples"]), str(of["mismatches"]), str(of["cycle_mismatches"])]
            rows.append([*parts(name), f"{sum(of['cells'].values()):,}", f"{of['proven']:,}", *compared])
    return table(
        "The same answers in four states",
        f"Small cores for recordings of {STEPS} steps, as Icarus Verilog takes a minute for 100: the same weights, "
        f"and delays modulo {STEPS - 1}. Nothing is known of a register before it is written. Every block was proven "
        "to do what its logic did.",
        ("core", "library", "cells", "registers proven", "recordings", "mismatches", "cycle mismatches"),
        rows,
        data=f"the first {SAMPLES} of the recordings that are shipped, of each the {STEPS} steps with most events",
        notes=[
            "Compared are every spike and membrane, scores, classes and cycles. Each recording runs alone in an idle "
            "core, some back to back and with pauses. The load of the weights is simulated, too."
        ],
    )


def gating_table(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    rows = []
    for name, of in found.items():
        if not name.endswith(", energy none"):
            continue
        gated = found.get(name.removesuffix("none") + "full")
        for way, each in (("none", of), ("full", gated)):
            if each is None:
                continue
            energy = each["energy"]
            less = f"{of['energy']['inference_nj'] / energy['inference_nj']:.1f}"
            share = f"{energy['parts_nj']['clock'] / energy['inference_nj']:.0%}"
            work = [f"{energy['inference_nj'] / 1e3:.2f}", f"{energy['synaptic_op_pj']:.1f}", share, less]
            speed = "" if each["fmax_mhz"] is None else f"{each['fmax_mhz']:.0f}"
            rows.append([*parts(name), way, f"{each['area_um2'] / 1e3:,.0f}", speed, *work])
    return table(
        "Energy with and without clock gating",
        "Of the small cores, without what is in black boxes. `none`: all clocks run; `full`: those of registers that "
        "keep what they have are off, and so are the clock gating cells themselves.",
        (
            *("core", "library", "gating", "area", "MHz"),
            *("uJ/inference", "pJ/addition", "clock", "times less"),
        ),
        rows,
        data=f"the first {ENERGY_SAMPLES} of the recordings that are shipped, back to back",
    )


def macros_table(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    rows = []
    for name, of in found.items():
        if not name.endswith(", macros"):
            continue
        macros = sum(memory["macros"] * memory["count"] for memory in of["memories"] if memory["home"] == "macro")
        bits = sum(memory["words"] * memory["bits"] for memory in of["memories"] if memory["home"] == "macro")
        area = of["area_um2"] - (of["kinds"]["macros"] or 0)
        spent = of["energy"]["parts_nj"]
        rows.append(
            [
                *parts(name),
                f"`{MAPS[name.split(', ')[1]]}`",
                str(macros),
                f"{bits:,}",
                f"{(of['kinds']['macros'] or 0) / 1e3:,.0f}",
                f"{area / 1e3:,.0f}",
                f"{(sum(spent.values()) - spent['macros']) / 1e3:.2f}",
                f"{spent['macros'] / 1e3:.2f}",
            ]
        )
    return table(
        "With the memory macros of the process",
        "Macros of the maps that are shipped, fully gated. They are read in every cycle, so that they take more energy "
        "than all the logic.",
        (
            *("core", "library", "map", "macros", "bits in them", "their area", "area of cells"),
            *("uJ/inference of cells", "of macros"),
        ),
        rows,
        data=f"the first {ENERGY_SAMPLES} of the recordings that are shipped, back to back",
        notes=["Areas in 1,000 um2. Energies of macros are those of their data sheets, not measured."],
    )


def density_table(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    rows = []
    named = {
        density: found[f"density {density:g}"]["energy"] for density in DENSITIES if f"density {density:g}" in found
    }
    for density, energy in named.items():
        work = [f"{density:.0%}", f"{energy['synaptic_ops']:,.0f}", f"{energy['cycles']:,.0f}"]
        spent = [f"{energy['inference_nj'] / 1e3:.2f}", f"{energy['synaptic_op_pj']:.1f}"]
        reads = sum(of["reads"] for of in energy["macro_accesses"].values())
        writes = sum(of["writes"] for of in energy["macro_accesses"].values())
        rows.append(
            [
                *work,
                *spent,
                f"{named[DENSITIES[-1]]['inference_nj'] / energy['inference_nj']:.1f}",
                f"{reads:,.0f}",
                f"{writes:,.0f}",
            ]
        )
    return table(
        "Energy and zeros",
        "The small loadable core in sky130, fully gated, with room for the network that it gets: `shd-small-adabreg` "
        "with its smallest weights removed, or with 1 and -1 in place of zeros. Of black boxes, accesses are counted.",
        (
            *("weights that are not zero", "additions", "cycles", "uJ/inference", "pJ/addition"),
            *("times less than dense", "reads of black boxes", "writes"),
        ),
        rows,
        data="the first of the recordings that are shipped",
    )


def tiny_gating_table(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    rows = []
    for name, of in found.items():
        if not name.startswith("tiny, ") or name.count(",") != 2:
            continue
        energy = of["energy"]
        gated = f"{of['gated_registers']} of {of['registers']}"
        size = [f"{sum(of['cells'].values()):,}", f"{of['area_um2']:,.0f}", gated, f"{of['fmax_mhz']:.0f}"]
        spent = [f"{energy['inference_nj']:.2f}", f"{energy['parts_nj']['clock'] / energy['inference_nj']:.0%}"]
        rows.append([parts(name)[1], name.rpartition(", ")[2], *size, *spent])
    return table(
        "A tiny core: clock gating",
        "A random network of 4-4-2 neurons, half of its weights zero, with one lane and fixed weights, all in "
        "registers and constant logic. `enable`: registers with one enable are gated.",
        ("library", "gating", "cells", "um2", "gated registers", "MHz", "nJ/inference", "clock"),
        rows,
        data=f"{SAMPLES} random recordings of 6 steps, back to back",
    )


def tiny_density_table(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    rows = []
    for density in DENSITIES:
        if of := found.get(f"tiny, {density:g}"):
            energy = of["energy"]
            work = [f"{density:.0%}", f"{energy['synaptic_ops']:,.0f}", f"{energy['cycles']:,.0f}"]
            spent = [f"{energy['inference_nj']:.2f}", f"{energy['synaptic_op_pj']:.0f}"]
            rows.append([*work, *spent, f"{of['area_um2']:,.0f}", f"{energy['toggles']:,.0f}"])
    return table(
        "A tiny core: zeros",
        "Random networks of 12-12-4 neurons in sky130, built alike, fully gated.",
        (
            *("weights that are not zero", "additions", "cycles", "nJ/inference", "pJ/addition"),
            *("um2", "changes of nets"),
        ),
        rows,
        data=f"{SAMPLES} random recordings of 6 steps, back to back",
        notes=["Weights are constant logic here: fewer of them are fewer gates, too."],
    )


TABLES = (gates_table, answers_table, gating_table, macros_table, density_table, tiny_gating_table, tiny_density_table)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("libraries", type=Path, nargs="+", metavar="LIB")
    parser.add_argument("--work", type=Path, default=ROOT / "build" / "asic", metavar="DIR")
    parser.add_argument("--only", metavar="TEXT", help="measures whose names contain it; no page is written")
    parser.add_argument("--page", action="store_true", help="measure nothing, write the page of what is there")
    parser.add_argument("--list", action="store_true", help="tell the names of measures, and which are done")
    parser.add_argument("-o", "--out", type=Path, default=ROOT / "bench" / "results" / "asic.json", metavar="FILE")
    args = parser.parse_args()
    bench = Bench(args.work, args.libraries)
    measures = bench.measures()
    for name, measure in measures.items():
        file = bench.result(name)
        if args.list:
            print(f"{name}: {'done' if file.is_file() else 'to do'}")
        elif not args.page and (args.only is None or args.only in name) and not file.is_file():
            write_json(file, timed(measure))
    if args.only is None and not args.list:
        done = {name: read_json(bench.result(name), "result") for name in measures if bench.result(name).is_file()}
        write_json(args.out, page(done, [name for name in measures if name not in done]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
