"""The figure of `spikewright explore`: latency against block RAMs and against LUTs."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

from spikewright.contract.names import unusual
from spikewright.report.plots import (
    _SETTINGS,
    INK,
    Drawing,
    prepare_matplotlib,
    round_numbers,
    set_ticks,
    with_prefix,
)

_MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
_COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#999999")
"""Okabe and Ito's palette."""
NAMES = {"brams": "Block RAMs", "luts": "LUTs"}
"""Resources that are shown, and what they are called."""


@dataclass(frozen=True)
class _Look:
    """How the designs of some weight bits and layers look."""

    color: str
    marker: str
    label: str


def design_name(point: dict[str, Any], pad: int = 1) -> str:
    """A design in words: "8 bits, 16 lanes shared, bitmap"; the number of lanes at least `pad` wide."""
    unusually = "".join(f" {word}" for word in unusual(point["layers"]))
    encoding = "" if point["encoding"] == "auto" else f", {point['encoding']}"
    return f"{point['weight_bits']} bits, {point['lanes']:>{pad}} lanes{unusually}{encoding}"


def draw_front(report: dict[str, Any]) -> Drawing:
    """Draw the points of a report by `explore`: filled on the Pareto front, crossed out where the device is too small.

    The same report gives the same bytes.
    """
    prepare_matplotlib()
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as Canvas

    looks = _looks(report)
    with matplotlib.rc_context({**matplotlib.rcParamsDefault, **_SETTINGS}):
        canvas = Canvas(figsize=(11, 4.8), layout="constrained")
        FigureCanvasAgg(canvas)
        both = canvas.subplots(1, 2, sharey=True)
        for axes, key in zip(both, NAMES, strict=True):
            _draw_panel(axes, key, report, looks)
        canvas.axes[0].set_ylabel(f"Latency at {report['clock_mhz']:g} MHz (µs)")
        canvas.legend(
            handles=_handles(report, looks),
            title="Weights; lanes beside",
            loc="outside right upper",
            alignment="left",
        )
        # Labels find their places once it is known where the points are.
        canvas.draw_without_rendering()
        canvas.set_layout_engine("none")
        for axes, key in zip(both, NAMES, strict=True):
            _name_lanes(axes, key, report)
        svg, png = io.BytesIO(), io.BytesIO()
        nothing: dict[str, Any] = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        canvas.savefig(svg, format="svg", metadata=nothing)
        canvas.savefig(png, format="png", dpi=160, metadata={"Software": None})
    return Drawing(svg.getvalue().decode(), png.getvalue(), {})


def kind_of(point: dict[str, Any]) -> tuple[int, str]:
    """What a line of the figure shares, in the order of the legend."""
    return -point["weight_bits"], point["layers"]


def _looks(report: dict[str, Any]) -> dict[tuple[int, str], _Look]:
    kinds = sorted({kind_of(point) for point in report["points"]})
    return {
        kind: _Look(_COLORS[k % len(_COLORS)], _MARKERS[k % len(_MARKERS)], kind_name(report, *kind))
        for k, kind in enumerate(kinds)
    }


def _draw_panel(axes: Any, key: str, report: dict[str, Any], looks: dict[tuple[int, str], _Look]) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    points = report["points"]
    for kind, look in looks.items():
        of_kind = [point for point in points if kind_of(point) == kind]
        chosen = [point for point in of_kind if point["encoding"] == "auto"]
        x, y = [[point[field] for point in chosen] for field in (key, "microseconds")]
        axes.plot(x, y, color=look.color, linewidth=0.6, alpha=0.5)
        for point in of_kind:
            place = point[key], point["microseconds"]
            best = point["encoding"] == "auto"
            face = look.color if point["front"] else "none"
            size = 6 if best else 3
            axes.plot(*place, color=look.color, marker=look.marker, markerfacecolor=face, markersize=size)
            if not point["fits"]:
                axes.plot(*place, color=INK, marker="x", markersize=8)
    if best := report.get("recommended"):
        axes.plot(best[key], best["microseconds"], color=INK, marker="o", markerfacecolor="none", markersize=13)
    limit = report["available"][key]
    axes.set_yscale("log")
    axes.margins(y=0.08)
    set_ticks(axes.yaxis, {y: f"{y:,.10g}" for y in round_numbers(*axes.get_ylim())})
    if max(point[key] for point in points) > limit / 2:
        axes.axvline(limit, color=INK, linestyle=":", linewidth=1)
    axes.xaxis.set_major_locator(MaxNLocator(nbins=5, integer=True))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: with_prefix(x)))
    axes.set_xlabel(f"{NAMES[key]} (of {limit:,})")
    axes.grid(visible=True, which="major")


def _handles(report: dict[str, Any], looks: dict[tuple[int, str], _Look]) -> list[Any]:
    from matplotlib.lines import Line2D

    handles = [
        Line2D([], [], color=look.color, marker=look.marker, linewidth=0.6, label=look.label) for look in looks.values()
    ]
    points = report["points"]
    round_: dict[str, Any] = {"color": INK, "marker": "o", "linestyle": ""}
    handles.append(Line2D([], [], markerfacecolor="none", label="not on the front", **round_))
    if any(point["encoding"] != "auto" for point in points):
        handles.append(Line2D([], [], markersize=3, label="another encoding", **round_))
    if not all(point["fits"] for point in points):
        handles.append(Line2D([], [], color=INK, marker="x", linestyle="", label="does not fit"))
    if best := report.get("recommended"):
        text = "recommended:\n" + design_name(best).replace(", ", ",\n", 1)
        handles.append(Line2D([], [], markerfacecolor="none", markersize=13, label=text, **round_))
    return handles


def _name_lanes(axes: Any, key: str, report: dict[str, Any]) -> None:
    """Lanes beside the points, where there is room: those that are recommended first, then the front."""
    points = [point for point in report["points"] if point["encoding"] == "auto"]
    best = report.get("recommended")
    points.sort(key=lambda point: (point != best, not point["front"]))
    pixel = axes.figure.dpi / 72
    places = {id(point): axes.transData.transform((point[key], point["microseconds"])) for point in report["points"]}
    taken = [(x - 3 * pixel, y - 3 * pixel, x + 3 * pixel, y + 3 * pixel) for x, y in places.values()]
    for point in points:
        x, y = places[id(point)]
        wide, tall = (5 * len(str(point["lanes"])) + 1) * pixel, 7 * pixel
        for right, up in ((1, 0), (-1, 0), (1, 1), (-1, 1), (1, -1), (-1, -1)):
            left = x + 5 * pixel if right > 0 else x - 5 * pixel - wide
            low = y - tall / 2 + up * 6 * pixel
            box = (left, low, left + wide, low + tall)
            if not any(_overlap(box, other) for other in taken):
                taken.append(box)
                spot = axes.transData.inverted().transform((left, low))
                axes.text(*spot, str(point["lanes"]), fontsize=7, va="bottom", ha="left")
                break


_Box = tuple[float, float, float, float]


def _overlap(one: _Box, other: _Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def kind_name(report: dict[str, Any], minus_bits: int, layers: str) -> str:
    """Of a line of the figure: weight bits, with their accuracy, and layers where these are unusual."""
    bits = -minus_bits
    accuracy = next(point["accuracy"] for point in report["points"] if point["weight_bits"] == bits)
    return f"{bits} bits ({100 * accuracy:.1f} %){''.join(f', {word}' for word in unusual(layers))}"
