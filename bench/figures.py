"""The drawings of README and documents, each for light and for dark pages.

    python bench/figures.py [--check]
    python bench/figures.py --simulate

Writes `docs/assets/NAME-light.svg` and `NAME-dark.svg` for every drawing; with --check, writes nothing, and exits with
1 if one is not what it would write. Curves and points come from the JSON files of `bench/results`.

With --simulate, first runs a shipped recording through the shipped `synth-small`, in PyTorch and in the simulated
Verilog, and keeps the spikes of both in `bench/results/raster.json`.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from drawing import COLOURS, Colours, Svg

ROOT = Path(__file__).parents[1]
DATA = ROOT / "bench" / "results"
ASSETS = ROOT / "docs" / "assets"


def pipeline(colours: Colours) -> str:
    """From recordings to a bitstream, and what is compared with what."""
    svg = Svg(
        660,
        330,
        "Recordings are trained into a sparse network, rounded, written as Verilog, simulated, synthesized",
        colours,
    )
    width, height = 178, 84
    xs = (8, 241, 474)
    svg.box(xs[0], 10, width, height, "train", "PyTorch, AdaBreg:", "weights exactly zero")
    svg.box(xs[1], 10, width, height, "quantize", "integers: the model that", "hardware must equal", accent=True)
    svg.box(xs[2], 10, width, height, "generate", "Verilog, memory images,", "predicted cycles")
    svg.box(xs[0], 190, width, height, "explore", "cycles and area of", "every design")
    svg.box(xs[1], 190, width, height, "simulate", "every spike, membrane", "and clock cycle", accent=True)
    svg.box(xs[2], 190, width, height, "synth", "yosys and nextpnr:", "a bitstream")
    for left, right in zip(xs, xs[1:], strict=False):
        svg.arrow((left + width + 3, 52), (right - 4, 52))
    svg.arrow((xs[2] + width / 2, 97), (xs[2] + width / 2, 186))
    svg.arrow((xs[2] + 30, 97), (xs[2] + 30, 150), (xs[1] + width / 2 + 30, 150), (xs[1] + width / 2 + 30, 186))
    svg.arrow((xs[1] + width / 2 - 30, 97), (xs[1] + width / 2 - 30, 186), colour=colours.accent)
    svg.arrow((xs[1] + 14, 97), (xs[1] + 14, 140), (xs[0] + width / 2, 140), (xs[0] + width / 2, 186))
    svg.text(xs[1] + width / 2 - 4, 132, "must be equal", size=13, colour=colours.accent)
    svg.text(xs[1] + width / 2, 300, "0 mismatches, or layer, step and neuron", size=13, colour=colours.muted)
    return str(svg)


def raster(colours: Colours) -> str:
    """Spikes of the integer network in PyTorch beside those of the simulated Verilog."""
    data = json.loads((DATA / "raster.json").read_text("utf-8"))
    svg = Svg(660, 300, "Spikes of both hidden layers in PyTorch and in the simulated Verilog: the same", colours)
    width, top = 290, 34
    for panel, (name, layers) in enumerate(data["spikes"].items()):
        left = 32 + panel * (width + 36)
        svg.text(left + width / 2, 20, name, size=15, bold=True)
        y = top
        for layer, steps in enumerate(layers):
            tall = 2.5 * data["neurons"][layer]
            svg.put("rect", x=left, y=y, width=width, height=tall, fill="none", stroke=colours.line, stroke_width=1)
            if panel == 0:
                svg.put(
                    "text",
                    f"layer {layer}",
                    x=left - 9,
                    y=y + tall / 2,
                    font_size=13,
                    fill=colours.muted,
                    text_anchor="middle",
                    transform=f"rotate(-90 {left - 9} {y + tall / 2})",
                )
            dots = "".join(
                f"M{left + (step + 0.5) * width / data['timesteps']:.1f} {y + 2.5 * neuron + 0.35:.1f}v1.8"
                for step, neurons in enumerate(steps)
                for neuron in neurons
            )
            svg.put("path", d=dots, stroke=(colours.accent, colours.second)[layer], stroke_width=1.7, fill="none")
            y += tall + 10
        for step in range(0, data["timesteps"] + 1, 25):
            svg.text(left + step * width / data["timesteps"], y + 8, str(step), size=12, colour=colours.muted)
        svg.text(left + width / 2, y + 26, "time step", size=13, colour=colours.muted)
    return str(svg)


def accuracy(colours: Colours) -> str:
    """Accuracy against cycles per inference of the shipped networks on 16 lanes."""
    from results import filled, seeds

    networks = seeds()
    tables = json.loads((DATA / "simulation.json").read_text("utf-8"))["tables"]
    [rows] = [item["rows"] for item in tables if item["title"] == "Accuracy against cycles"]
    by_checkpoint = {of["checkpoint"]: [run["float"] for run in of["seeds"].values()] for of in networks.values()}
    svg = Svg(
        660, 330, "Accuracy on SHD-R against cycles per inference: nine tenths of the weights go at no loss", colours
    )
    left, right, top, bottom = 66, 640, 22, 268
    low, high = 84.0, 94.0

    def x(cycles: float) -> float:
        return left + (right - left) * math.log(cycles / 8_000) / math.log(100_000 / 8_000)

    def y(percent: float) -> float:
        return bottom - (bottom - top) * (percent - low) / (high - low)

    for percent in range(84, 95, 2):
        svg.put(
            "line",
            x1=left,
            x2=right,
            y1=f"{y(percent):g}",
            y2=f"{y(percent):g}",
            stroke=colours.line,
            stroke_opacity=0.4,
        )
        svg.text(left - 8, y(percent) + 4, f"{percent} %", size=13, colour=colours.muted, anchor="end")
    for cycles in (10_000, 20_000, 50_000, 100_000):
        svg.put("line", x1=f"{x(cycles):.1f}", x2=f"{x(cycles):.1f}", y1=bottom, y2=bottom + 5, stroke=colours.line)
        anchor = "end" if cycles == 100_000 else "middle"
        svg.text(x(cycles), bottom + 20, f"{cycles:,}", size=13, colour=colours.muted, anchor=anchor)
    svg.put("line", x1=left, x2=right, y1=bottom, y2=bottom, stroke=colours.line)
    svg.text((left + right) / 2, bottom + 42, "cycles per inference, 16 lanes (exact)", size=13, colour=colours.muted)
    svg.put(
        "text",
        "test accuracy",
        x=16,
        y=(top + bottom) / 2,
        font_size=13,
        fill=colours.muted,
        text_anchor="middle",
        transform=f"rotate(-90 16 {(top + bottom) / 2})",
    )
    for name, zeros, single, _, cycles, _ in rows:
        name = name.strip("`")
        values = by_checkpoint.get(name) or [float(filled(single, networks).split()[0])]
        mean, at = statistics.mean(values), x(int(cycles.replace(",", "")))
        colour = colours.accent if len(values) > 1 else colours.muted
        if len(values) > 1:
            ends = [y(mean + sign * statistics.stdev(values)) for sign in (-1, 1)]
            svg.put(
                "line",
                x1=f"{at:.1f}",
                x2=f"{at:.1f}",
                y1=f"{ends[0]:.1f}",
                y2=f"{ends[1]:.1f}",
                stroke=colour,
                stroke_width=2,
            )
        shape = {"fill": colour} if len(values) > 1 else {"fill": "none", "stroke": colour, "stroke_width": 2}
        svg.put("circle", cx=f"{at:.1f}", cy=f"{y(mean):.1f}", r=6, **shape)
        # Those of one seed above their points, so that neighbours keep out of each other's way.
        under = y(mean - statistics.stdev(values)) + 20 if len(values) > 1 else y(mean) - 27
        anchor = "start" if at < left + 60 else "middle" if at < right - 60 else "end"
        svg.text(at, under, name.removeprefix("shd-"), size=13, bold=True, anchor=anchor)
        svg.text(at, under + 15, f"{filled(zeros, networks)} zeros", size=12, colour=colours.muted, anchor=anchor)
    svg.text(
        right,
        top + 18,
        "filled: three seeds, mean and deviation; hollow: one seed",
        size=12,
        colour=colours.muted,
        anchor="end",
    )
    return str(svg)


def layer(colours: Colours) -> str:
    """Components of a layer with lanes of its own."""
    svg = Svg(
        760,
        300,
        "A layer: event merge, row fetch, lanes, join, serializer, delay buffer; then the next, and the read-out",
        colours,
    )
    svg.box(8, 70, 104, 60, "InputGuard")
    svg.put("rect", x=142, y=14, width=452, height=276, rx=10, fill="none", stroke=colours.line, stroke_dasharray="6 5")
    svg.text(368, 34, "a layer (one after the other, as many as the network has)", size=13, colour=colours.muted)
    svg.box(160, 70, 116, 60, "EventMerge")
    svg.box(308, 70, 108, 60, "RowFetch")
    svg.box(450, 52, 126, 96, "Lane 0 .. L-1", "one synapse a", "cycle, each")
    svg.box(450, 212, 126, 60, "StepJoin")
    svg.box(308, 212, 108, 60, "Serializer")
    svg.box(160, 212, 116, 60, "DelayBuffer")
    svg.box(624, 92, 128, 96, "ReadoutLayer", "sums, then the", "largest score")
    svg.text(60, 52, "events", size=13, colour=colours.muted)
    svg.arrow((112, 100), (157, 100))
    svg.arrow((276, 100), (305, 100))
    svg.arrow((416, 100), (447, 100))
    svg.arrow((513, 148), (513, 209))
    svg.text(520, 184, "bits, one a row", size=12, colour=colours.muted, anchor="start")
    svg.arrow((450, 242), (419, 242))
    svg.arrow((218, 212), (218, 133), colour=colours.accent)
    svg.text(212, 176, "delayed", size=12, colour=colours.muted, anchor="end")
    svg.text(212, 191, "spikes", size=12, colour=colours.muted, anchor="end")
    svg.arrow((490, 272), (490, 282), (218, 282), (218, 275), colour=colours.accent)
    svg.arrow((362, 212), (362, 166), (610, 166), (610, 140), (621, 140))
    svg.text(368, 160, "spikes to the next layer", size=12, colour=colours.muted, anchor="start")
    return str(svg)


def shared(colours: Colours) -> str:
    """Components of a core whose layers share their lanes."""
    svg = Svg(
        760,
        290,
        "Layers take turns on one set of lanes: turn merge, row fetch, shared lanes, join, score sender",
        colours,
    )
    svg.box(8, 60, 104, 60, "InputGuard")
    svg.box(146, 60, 116, 60, "TurnMerge")
    svg.box(292, 60, 104, 60, "RowFetch")
    svg.box(422, 42, 160, 96, "SharedLanes", "adds for the layer", "whose turn it is")
    svg.box(608, 60, 140, 60, "StepJoin")
    svg.box(608, 206, 140, 60, "ScoreSender", "class, scores")
    svg.box(292, 206, 284, 60, "Serializer", "events of the next layer, same step")
    svg.box(8, 206, 254, 60, "DelayBuffer", "of each recurrent layer")
    for start, end in ((112, 143), (262, 289), (396, 419), (582, 605)):
        svg.arrow((start, 90), (end, 90))
    svg.arrow((700, 120), (700, 203))
    svg.arrow((650, 120), (650, 172), (434, 172), (434, 203))
    svg.arrow((630, 120), (630, 156), (100, 156), (100, 203), colour=colours.accent)
    svg.arrow((180, 206), (180, 123), colour=colours.accent)
    svg.arrow((330, 206), (330, 184), (228, 184), (228, 123))
    svg.text(60, 42, "events", size=13, colour=colours.muted)
    return str(svg)


def shadow(colours: Colours) -> str:
    """The weight as a function of its shadow variable, and the path of one weight."""
    svg = Svg(
        660, 260, "A weight follows its shadow variable, and is exactly zero while the shadow is within lambda", colours
    )
    left, middle, unit = 30, 130, 34
    knee = 1.2 * unit
    ramps = [f"{165 + sign * 3 * knee} {middle - sign * 2 * knee}" for sign in (-1, 1)]
    svg.text(165, 20, "the weight, by its shadow", size=14, bold=True)
    svg.put("line", x1=left, x2=300, y1=middle, y2=middle, stroke=colours.line)
    svg.put("line", x1=165, x2=165, y1=34, y2=232, stroke=colours.line)
    svg.put(
        "path",
        d=f"M{ramps[0]}L{165 - knee} {middle}H{165 + knee}L{ramps[1]}",
        fill="none",
        stroke=colours.accent,
        stroke_width=3,
    )
    for sign, name in ((-1, "-λ"), (1, "λ")):
        svg.put(
            "line",
            x1=165 + sign * 1.2 * unit,
            x2=165 + sign * 1.2 * unit,
            y1=middle - 5,
            y2=middle + 5,
            stroke=colours.ink,
        )
        svg.text(165 + sign * 1.2 * unit, middle + 22, name, size=14)
    svg.text(300, middle - 8, "v", size=14, anchor="end")
    svg.text(174, 44, "p", size=14, anchor="start")
    svg.text(500, 20, "one weight while it is trained", size=14, bold=True)
    svg.put("line", x1=370, x2=640, y1=middle + 80, y2=middle + 80, stroke=colours.line)
    path = [0.0]
    for step in range(53):
        path.append(path[-1] + 0.055 * (1 + math.sin(step / 3.1)) + 0.02)
    threshold = 1.9

    def place(step: int, value: float) -> str:
        return f"{370 + 5 * step:g} {middle + 80 - 36 * value:.1f}"

    level = middle + 80 - 36 * threshold
    svg.put("line", x1=370, x2=640, y1=level, y2=level, stroke=colours.muted, stroke_dasharray="4 4")
    svg.text(374, level - 6, "λ", size=14, anchor="start")
    svg.put(
        "path",
        d="M" + "L".join(place(step, value) for step, value in enumerate(path)),
        fill="none",
        stroke=colours.muted,
        stroke_width=2,
    )
    weights = [max(0.0, value - threshold) for value in path]
    svg.put(
        "path",
        d="M" + "L".join(place(step, value) for step, value in enumerate(weights)),
        fill="none",
        stroke=colours.accent,
        stroke_width=3,
    )
    svg.text(560, level - 42, "shadow v", size=13, colour=colours.muted, anchor="end")
    svg.text(640, middle + 54, "weight p", size=13, colour=colours.accent, anchor="end")
    svg.text(505, middle + 100, "steps of the optimizer", size=13, colour=colours.muted)
    return str(svg)


DRAWINGS: dict[str, Callable[[Colours], str]] = {
    "pipeline": pipeline,
    "raster": raster,
    "accuracy": accuracy,
    "layer": layer,
    "shared": shared,
    "shadow": shadow,
}


def written() -> dict[Path, str]:
    """What each file that this command writes should hold."""
    return {
        ASSETS / f"{name}-{mode}.svg": draw(colours)
        for name, draw in DRAWINGS.items()
        for mode, colours in COLOURS.items()
    }


def simulated(sample: int = 40) -> dict[str, Any]:
    """Spikes of `synth-small` on a shipped recording: of the integer network, and of the simulated Verilog."""
    import numpy as np
    import torch

    from spikewright.build.generate import build
    from spikewright.data.shd import load
    from spikewright.integer.file import save_model
    from spikewright.integer.reference import IntegerNetwork
    from spikewright.integer.rounding import quantize
    from spikewright.learn.checkpoint import load_checkpoint
    from spikewright.support.shipped import asset
    from spikewright_sim.bench.runner import Stimulus, record
    from spikewright_sim.core.dut import Dut

    network = quantize(load_checkpoint(asset("synth-small.safetensors")))
    counts = load(asset("synth_sample.h5"), samples=[sample]).counts
    trace = IntegerNetwork(network).run(torch.from_numpy(counts.astype(np.int64)))
    with tempfile.TemporaryDirectory() as folder:
        save_model(Path(folder) / "model.safetensors", network)
        build(Path(folder) / "model.safetensors", Path(folder) / "build", lanes=2)
        dut = Dut.open(Path(folder) / "build")
        stimulus = [Stimulus(counts[0], "sample", isolated=True)]
        rows = record(dut, stimulus, seed=0, progress=lambda text: print(text, file=sys.stderr)).rows
    hidden = range(len(trace.spikes))
    verilog = [np.zeros(trace.spikes[k][0].shape, dtype=bool) for k in hidden]
    for k in hidden:
        image = dut.core.layers[k]
        for index, (_, row, spikes, _) in enumerate(rows[k]):
            for lane in range(image.lanes):
                position = row * image.lanes + lane
                if spikes >> lane & 1:
                    verilog[k][index // image.rows, image.order[position]] = True
    pytorch = [trace.spikes[k][0].numpy() for k in hidden]
    return {
        "what": "made by `python bench/figures.py --simulate`: neurons that fire, by layer and time step",
        "network": "synth-small, 8 bits, 2 lanes",
        "recording": f"{sample} of sw/spikewright/assets/synth_sample.h5",
        "timesteps": network.timesteps,
        "neurons": [len(layer[0]) for layer in pytorch],
        "spikes": {
            name: [[np.flatnonzero(step).tolist() for step in layer] for layer in layers]
            for name, layers in (("PyTorch", pytorch), ("Verilog, simulated", verilog))
        },
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit with 1 if a file is not as it would be"
    )
    parser.add_argument("--simulate", action="store_true", help="simulate the spikes of the raster anew")
    args = parser.parse_args()
    if args.simulate:
        (DATA / "raster.json").write_text(json.dumps(simulated()) + "\n", "utf-8")
    stale = [path for path, text in written().items() if not path.is_file() or path.read_text("utf-8") != text]
    for path in stale:
        print(f"{'stale' if args.check else 'wrote'} {path.relative_to(ROOT)}")
        if not args.check:
            path.parent.mkdir(exist_ok=True)
            path.write_text(written()[path], "utf-8")
    return 1 if args.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
