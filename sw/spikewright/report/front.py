"""The figure of `spikewright explore`: latency against block RAMs and against LUTs."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spikewright.contract.names import unusual
from spikewright.report.plots import _SETTINGS, INK, Drawing, prepare_matplotlib
from spikewright.support.files import atomic_dir, write_json, write_manifest

COLUMNS = (
    "weight_bits",
    "lanes",
    "layers",
    "encoding",
    "accuracy",
    "cycles",
    "microseconds",
    "luts",
    "ffs",
    "brams",
    "dsps",
    "fits",
    "front",
)
_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999")
"""Okabe and Ito's palette."""


def draw_front(report: dict[str, Any]) -> Drawing:
    """Draw the points of a report by `explore`: filled on the Pareto front, crossed out where the device is too small.

    The same report gives the same bytes.
    """
    prepare_matplotlib()
    import matplotlib
    from matplotlib.figure import Figure as Canvas
    from matplotlib.lines import Line2D

    points = report["points"]
    kinds = sorted({(-point["weight_bits"], point["layers"]) for point in points})
    looks = {kind: (_COLORS[k % len(_COLORS)], _MARKERS[k % len(_MARKERS)]) for k, kind in enumerate(kinds)}
    with matplotlib.rc_context({**matplotlib.rcParamsDefault, **_SETTINGS}):
        canvas = Canvas(figsize=(8.6, 3.6), layout="constrained")
        for axes, key, name in zip(
            canvas.subplots(1, 2, sharey=True), ("brams", "luts"), ("Block RAMs", "LUTs"), strict=True
        ):
            for kind in kinds:
                color, marker = looks[kind]
                of_kind = [point for point in points if (-point["weight_bits"], point["layers"]) == kind]
                chosen = [point for point in of_kind if point["encoding"] == "auto"]
                x, y = [[point[field] for point in chosen] for field in (key, "microseconds")]
                axes.plot(x, y, color=color, linewidth=0.6, alpha=0.5)
                for point in of_kind:
                    place = point[key], point["microseconds"]
                    best = point["encoding"] == "auto"
                    face = color if point["front"] else "none"
                    axes.plot(*place, color=color, marker=marker, markerfacecolor=face, markersize=6 if best else 3)
                    if not point["fits"]:
                        axes.plot(*place, color=INK, marker="x", markersize=8)
                    if best:
                        axes.annotate(str(point["lanes"]), place, (4, 4), textcoords="offset points", fontsize=7)
            limit = report["available"][key]
            axes.set_yscale("log")
            if max(point[key] for point in points) > limit / 2:
                axes.axvline(limit, color=INK, linestyle=":", linewidth=1)
            axes.set_xlabel(f"{name} (of {limit:,})")
            axes.grid(visible=True, which="major")
        canvas.axes[0].set_ylabel(f"Latency at {report['clock_mhz']:g} MHz (µs)")
        handles = [
            Line2D([], [], color=color, marker=marker, linewidth=0.6, label=_label(report, *kind))
            for kind, (color, marker) in looks.items()
        ]
        handles.append(
            Line2D([], [], color=INK, marker="o", markerfacecolor="none", linestyle="", label="not on the front")
        )
        if any(point["encoding"] != "auto" for point in points):
            handles.append(Line2D([], [], color=INK, marker="o", markersize=3, linestyle="", label="another encoding"))
        if not all(point["fits"] for point in points):
            handles.append(Line2D([], [], color=INK, marker="x", linestyle="", label="does not fit"))
        canvas.legend(
            handles=handles,
            title="Weights; lanes beside",
            loc="outside right upper",
            alignment="left",
        )
        svg, png = io.BytesIO(), io.BytesIO()
        nothing: dict[str, Any] = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        canvas.savefig(svg, format="svg", metadata=nothing)
        canvas.savefig(png, format="png", dpi=160, metadata={"Software": None})
    return Drawing(svg.getvalue().decode(), png.getvalue(), {})


def _label(report: dict[str, Any], minus_bits: int, layers: str) -> str:
    bits = -minus_bits
    accuracy = next(point["accuracy"] for point in report["points"] if point["weight_bits"] == bits)
    return f"{bits} bits ({100 * accuracy:.1f} %){''.join(f', {word}' for word in unusual(layers))}"


def write(out: Path, report: dict[str, Any]) -> None:
    """Write `report` as `explore.json`, its points as `front.csv`, and the figure, into a new folder, or nothing."""
    drawing = draw_front(report)
    with atomic_dir(out) as folder:
        write_json(folder / "explore.json", report)
        (folder / "front.csv").write_text(_table(report["points"]), "utf-8", newline="")
        (folder / "front.svg").write_text(drawing.svg, "utf-8")
        (folder / "front.png").write_bytes(drawing.png)
        write_manifest(folder, {"format": "spikewright-exploration-1", "board": report["board"]})


def _table(points: Sequence[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for point in points:
        writer.writerow({**point, "cycles": point["cycles"]["mean"]})
    return text.getvalue()
