"""Coverage of the Verilog: lines and bits that never change while the regression's kinds of stimulus are played."""

from __future__ import annotations

import argparse
import re
import subprocess
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from spikewright.build.folder import open_build
from spikewright.build.generate import build
from spikewright.contract.names import CORE_NAME
from spikewright.integer.file import save_model
from spikewright.support.streams import exit_with
from spikewright_sim.core.toolchain import Program, compile_model
from spikewright_sim.core.traces import header
from spikewright_sim.mutants import MAIN, small_network, stimulus

KINDS = ("line", "toggle")


@dataclass
class Coverage:
    """Points that were reached, out of all, by kind; and what was not: module, and signal or line of Verilog."""

    reached: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    points: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    missed: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def percent(self, kind: str) -> float:
        return 100 * self.reached[kind] / max(1, self.points[kind])

    def add(self, data: str, sources: Mapping[str, list[str]]) -> None:
        """Count the points of a file by Verilator, which is of the lines of these files of Verilog."""
        for fields, count in points(data):
            kind = fields["page"].partition("/")[0].removeprefix("v_")
            kind = "line" if kind == "branch" else kind
            if kind not in KINDS:
                continue
            self.points[kind] += 1
            if count:
                self.reached[kind] += 1
                continue
            module = fields["page"].partition("/")[2]
            line = sources[Path(fields["f"]).name][int(fields["l"]) - 1]
            what = fields["o"] if kind == "toggle" else line.strip()
            self.missed[kind].add(f"{module}: {what}")


def points(data: str) -> Iterator[tuple[dict[str, str], int]]:
    """Points of `coverage.dat`: keys and values, and how often each was reached."""
    for line in data.splitlines():
        if found := re.fullmatch(r"C '(.*)' (\d+)", line):
            yield dict(part.split("\x02", 1) for part in found[1].split("\x01") if part), int(found[2])


def measure(seeds: range, lanes: tuple[int, ...], folder: Path) -> Coverage:
    """Play to small cores, one per seed and number of lanes, in the existing `folder`."""
    total = Coverage()
    for seed in seeds:
        network = small_network(seed)
        for number in lanes:
            work = folder / f"{seed}-{number}"
            work.mkdir()
            save_model(work / "model.safetensors", network)
            build(work / "model.safetensors", work / "build", lanes=number)
            manifest, core = open_build(work / "build")
            executable = compile_model(
                [work / "build" / name for name in manifest["verilog"]], CORE_NAME, work / "model",
                Program(MAIN, {"layers.h": header(core)}, ("COVERAGE",), coverage=True),
                arguments=["--coverage-line", "--coverage-toggle"],
            )  # fmt: skip
            (work / "build" / "stimulus").write_bytes(stimulus(network, manifest["stream"], seed))
            subprocess.run([str(executable), "stimulus", "0"], cwd=work / "build", check=True, capture_output=True)
            sources = {name: (work / "build" / name).read_text().splitlines() for name in manifest["verilog"]}
            total.add((work / "build" / "coverage.dat").read_text(), sources)
    return total


def main(argv: list[str] | None = None) -> int:
    """Prints the share of lines and bits that were reached, and what was not."""
    parser = argparse.ArgumentParser(prog="python -m spikewright_sim.coverage", description=__doc__, allow_abbrev=False)
    parser.add_argument("--networks", type=int, default=1, metavar="N", help="random networks (default: 1)")
    parser.add_argument(
        "--lanes", type=int, nargs="+", default=[1, 2], metavar="L", help="of their cores (default: 1 2)"
    )
    parser.add_argument("--missed", action="store_true", help="list every line and bit that was not reached")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="spikewright-") as name:
        coverage = measure(range(1, args.networks + 1), tuple(args.lanes), Path(name))
    for kind in KINDS:
        if args.missed:
            for what in sorted(coverage.missed[kind]):
                print(f"never reached, {kind}: {what}")
        print(f"{kind:6} {coverage.reached[kind]} of {coverage.points[kind]} points ({coverage.percent(kind):.1f} %)")
    return 0


if __name__ == "__main__":
    exit_with(main)
