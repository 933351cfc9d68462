"""Figures as SVG and PNG by Matplotlib: the same numbers give the same bytes.

Colours are told apart by colour-blind readers (plasma for ordered families, Okabe and Ito's palette for optimizers),
and nothing is told by colour alone: schedules and the members of large families have markers, optimizers a line.
"""

from __future__ import annotations

import io
import math
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spikewright.contract.errors import InputError
from spikewright.report.figures import Figure, Panel, Point, Series
from spikewright.support.caches import cache_folder, writable
from spikewright.support.settings import brief

INK, GRID, PAPER = "#222222", "#d8d8d8", "#ffffff"
DARK = {INK: "#e4e4e4", GRID: "#444444", PAPER: "#181a1b"}
"""Colours of a page and the ones that take their place in the dark."""

_OPTIMIZERS = {
    "adabreg": ("#0072b2", "#6cb8f0", "-"),
    "linbreg": ("#009e73", "#2bc79b", "-."),
    "adam": ("#d55e00", "#ff8c42", "--"),
}
_SCHEDULES = {"onecycle": "o", "cosine": "s", "none": "^"}
_SHAPES = "os^Dv*"
"""Markers of the members of a family that colours alone would not tell apart."""
_FEW = 4
"""Members of a family that colours tell apart."""
_WIDTHS = {1: 9.5, 2: 11.0, 3: 12.5}
"""Inches, by panels side by side: as wide as a page."""
_SETTINGS: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "spikewright",
    "font.family": ["DejaVu Sans", "sans-serif"],
    "font.size": 9.0,
    "axes.titlesize": 9.5,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "axes.linewidth": 0.8,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.color": INK,
    "ytick.color": INK,
    "text.color": INK,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "lines.markersize": 5.5,
    "errorbar.capsize": 2.5,
}
_COLUMNS = 3
_ZEROS = (0.0, 90.0, 50.0, 99.0, 75.0, 95.0, 98.0, 99.9, 99.5, 99.8, 80.0, 60.0, 40.0, 20.0, 70.0, 30.0, 10.0)
"""Ticks of an axis of zeros in percent, those wanted most first."""
_DIGITS = (1.0, 2.0, 5.0, 3.0, 7.0, 1.5, 4.0, 8.0, 6.0, 9.0, 1.2)
"""Leading digits of the ticks of a logarithmic axis, likewise."""
_APART = 0.09
"""Least distance of two ticks, as a share of the axis."""


@dataclass(frozen=True)
class Drawing:
    """A drawn figure; `dark` maps its colours to those for a dark page."""

    svg: str
    png: bytes
    dark: dict[str, str]


@dataclass(frozen=True)
class _Look:
    color: str
    dark: str
    line: str
    marker: str | None
    fill: str
    shape: str = ""


def prepare_matplotlib() -> None:
    """To be called before matplotlib is imported: it wants a folder for its list of fonts, and we want no windows."""
    os.environ.pop("MPLBACKEND", None)
    named = os.environ.get("MPLCONFIGDIR")
    if not named or not writable(Path(named)):
        folder = cache_folder("matplotlib")
        if folder is None:
            raise InputError("a home or TMPDIR must be writable to draw figures: matplotlib needs a folder")
        os.environ["MPLCONFIGDIR"] = str(folder)


def draw(figure: Figure) -> Drawing:
    """Draw all panels of a figure on common axes, with one legend beside them."""
    prepare_matplotlib()
    import matplotlib
    from matplotlib.figure import Figure as Canvas

    looks = _looks(figure)
    columns = min(_COLUMNS, len(figure.panels))
    rows = -(-len(figure.panels) // columns)
    with matplotlib.rc_context({**matplotlib.rcParamsDefault, **_SETTINGS}):
        canvas = Canvas(figsize=(_WIDTHS[columns], (3.9 if columns == 1 else 3.2) * rows + 0.5), layout="constrained")
        grid = canvas.subplots(rows, columns, squeeze=False, sharey=True).ravel()
        for axes in grid[len(figure.panels) :]:
            axes.set_axis_off()
        for number, (axes, panel) in enumerate(zip(grid, figure.panels, strict=False)):
            _draw_panel(axes, panel, figure, looks)
            if panel.total:
                last = number % columns == columns - 1 or number == len(figure.panels) - 1
                _share_axis(axes, panel.total, "Share of all weights (%)" if last else "")
            if number + columns >= len(figure.panels):
                axes.set_xlabel(figure.x_label)
                axes.tick_params(labelbottom=True)
            if number % columns == 0:
                axes.set_ylabel(figure.y_label)
        canvas.legend(
            handles=[_handle(look, label) for label, look in looks.items()],
            title=figure.legend or None,
            loc="outside right upper",
            alignment="left",
            handlelength=2.6,
        )
        svg, png = io.BytesIO(), io.BytesIO()
        nothing: dict[str, Any] = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        canvas.savefig(svg, format="svg", metadata=nothing)
        canvas.set_layout_engine("none")  # The layout stays; finding it again would take as long as the rest.
        canvas.savefig(png, format="png", dpi=160, metadata={"Software": None})
    dark = DARK | {look.color: look.dark for look in looks.values()}
    return Drawing(svg.getvalue().decode(), png.getvalue(), dark)


def _looks(figure: Figure) -> dict[str, _Look]:
    """How the series of each label look, in the order of the legend."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    lines = [line for panel in figure.panels for line in panel.series]
    orders = sorted({line.order for line in lines if line.order is not None})
    looks: dict[str, _Look] = {}
    family = colormaps["plasma"]
    for index, order in enumerate(orders):
        label = next(line.label for line in lines if line.order == order)
        place = index / max(1, len(orders) - 1)
        shape = _SHAPES[index % len(_SHAPES)] if len(orders) > _FEW else ""
        colors = to_hex(family(0.05 + 0.77 * place)), to_hex(family(0.42 + 0.58 * place))
        looks[label] = _Look(*colors, "-", None, "full", shape)
    taken: dict[tuple[str, str], int] = {}
    for line in lines:
        if line.label in looks:
            continue
        if line.order is None and orders:
            looks[line.label] = _Look(INK, DARK[INK], "--", None, "full")
            continue
        optimizer, schedule = line.method
        color, dark, stroke = _OPTIMIZERS[optimizer]
        marker = _SCHEDULES[schedule]
        again = taken.get(line.method, 0)  # several series of one method: the marker tells them apart
        taken[line.method] = again + 1
        marker = (marker, *[other for other in "osDv^P*X" if other != marker])[again % 8]
        fill = "none" if optimizer == "adam" else "full"
        looks[line.label] = _Look(color, dark, stroke, "" if line.kind == "level" else marker, fill)
    return looks


def _handle(look: _Look, label: str) -> Any:
    from matplotlib.lines import Line2D

    style: Any = {"linestyle": look.line, "marker": look.marker or look.shape, "fillstyle": look.fill}
    return Line2D([], [], color=look.color, label=label, **style)


def _draw_panel(axes: Any, panel: Panel, figure: Figure, looks: dict[str, _Look]) -> None:
    axes.set_title(panel.title, loc="left")
    for line in panel.series:
        if line.kind == "level":
            _level(axes, line, looks[line.label], figure)
        elif looks[line.label].marker is None:
            _curve(axes, line, looks[line.label])
    for line in panel.series:
        if line.kind == "mean" and looks[line.label].marker is not None:
            _markers(axes, line, looks[line.label], figure)
    _scale(axes, figure)


def _share_axis(axes: Any, total: int, label: str) -> None:
    """A second axis on the right: thousands of weights as a share of `total` weights."""
    unit = total / 1e5
    axes.set_ylim(0, None)
    share = axes.secondary_yaxis("right", functions=(lambda y: y / unit, lambda percent: percent * unit))
    share.spines["right"].set_visible(True)
    share.set_ylabel(label)


def _curve(axes: Any, line: Series, look: _Look) -> None:
    x, y = [point.x for point in line.points], [point.y for point in line.points]
    if line.kind == "fragment":
        axes.plot(x, y, color=look.color, linestyle=(0, (2, 1.5)), linewidth=1.0)
        if line.diverged:
            axes.plot(x[-1:], y[-1:], color=look.color, marker="x", markersize=7, markeredgewidth=1.8)
        return
    often = max(1, len(x) // 8)
    axes.plot(x, y, color=look.color, linestyle=look.line, marker=look.shape, markevery=often, markersize=4.5)
    if any(point.y_deviation for point in line.points):
        # A deviation as large as the mean would leave a logarithmic axis.
        low = [max(point.y - (point.y_deviation or 0.0), 0.05 * point.y) for point in line.points]
        high = [point.y + (point.y_deviation or 0.0) for point in line.points]
        axes.fill_between(x, low, high, color=look.color, alpha=0.15, linewidth=0)


def _spread(point: Point, figure: Figure) -> tuple[float, float]:
    """How far an error bar reaches down and up: a share of something stays within 0 and 100 %."""
    deviation = point.y_deviation or 0.0
    if not figure.y_label.endswith("(%)"):
        return deviation, deviation
    return min(deviation, point.y), min(deviation, 100 - point.y)


def _level(axes: Any, line: Series, look: _Look, figure: Figure) -> None:
    point = line.points[0]
    axes.axhline(point.y, color=look.color, linestyle=look.line, linewidth=1.2)
    if point.y_deviation:
        down, up = _spread(point, figure)
        axes.axhspan(point.y - down, point.y + up, color=look.color, alpha=0.1, linewidth=0)


def _markers(axes: Any, line: Series, look: _Look, figure: Figure) -> None:
    x = [_place(point.x, figure) for point in line.points]
    y = [point.y for point in line.points]
    spreads = [_spread(point, figure) for point in line.points]
    across: Any = None
    if figure.x_scale != "zeros" and any(point.x_deviation for point in line.points):
        across = [min(point.x_deviation or 0.0, 0.9 * place) for point, place in zip(line.points, x, strict=True)]
    axes.errorbar(
        x,
        y,
        yerr=list(zip(*spreads, strict=True)) if any(map(any, spreads)) else None,
        xerr=across,
        color=look.color,
        linestyle=look.line,
        marker=look.marker or "",
        fillstyle=look.fill,
        elinewidth=1.0,
        # Along lambda the line is the result; elsewhere it only leads the eye from one network to the next.
        linewidth=1.6 if figure.ticks else 0.9,
    )
    for place, point in zip(x, line.points, strict=True):
        if point.label:
            axes.annotate(point.label, (place, point.y), (5, 5), textcoords="offset points", fontsize=7)


def _place(x: float, figure: Figure) -> float:
    """Where a value lies on the axis: a share of zeros by what is left, a lambda of 0 left of all others."""
    if figure.x_scale == "zeros":
        return max(100 * (1 - x), 1e-3)
    if figure.x_scale == "log" and x <= 0:
        return min((tick for tick in figure.ticks if tick > 0), default=1.0) / 4
    return x


def _scale(axes: Any, figure: Figure) -> None:
    from matplotlib.ticker import MaxNLocator

    if figure.y_label.endswith("(%)") and figure.y_scale == "linear":
        low, high = axes.get_ylim()
        axes.set_ylim(max(low, 0.0), min(high, 101.0) if high > 100 else high)
    if figure.y_scale == "log":
        axes.set_yscale("log")
        set_ticks(axes.yaxis, {y: f"{y:g}" for y in round_numbers(*axes.get_ylim())})
    if figure.x_scale == "linear":
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=figure.x_label == "Epoch"))
        return
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    if figure.x_scale == "zeros":
        high = max(high, 100.0)
        axes.set_xlim(high, low)
        left = {100 - zeros: f"{zeros:g}" for zeros in _ZEROS}
        set_ticks(axes.xaxis, {place: left[place] for place in _sparse(list(left), low, high)})
    elif figure.ticks:
        set_ticks(axes.xaxis, {_place(tick, figure): brief(tick) for tick in _sparse_lambdas(figure, low, high)})
    else:
        set_ticks(axes.xaxis, {x: with_prefix(x) for x in round_numbers(low, high)})


def set_ticks(axis: Any, labels: dict[float, str]) -> None:
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

    places = sorted(labels)
    axis.set_major_locator(FixedLocator(places))
    axis.set_major_formatter(FixedFormatter([labels[place] for place in places]))
    axis.set_minor_locator(NullLocator())


def _sparse(candidates: list[float], low: float, high: float) -> list[float]:
    """Places within a logarithmic axis that are far enough apart for their labels, earlier candidates first."""
    taken: list[float] = []
    width = math.log(high / low)
    for place in candidates:
        inside = low * 0.999 <= place <= high * 1.001
        if inside and all(abs(math.log(place / other)) >= _APART * width for other in taken):
            taken.append(place)
    return taken


def _sparse_lambdas(figure: Figure, low: float, high: float) -> list[float]:
    """Lambdas to label: all of them, or else every other, every third ..."""
    places = {_place(tick, figure): tick for tick in figure.ticks}
    # Another panel may have others.
    places = {place: tick for place, tick in places.items() if low * 0.999 <= place <= high * 1.001}
    for stride in range(1, len(places) + 1):
        some = list(places)[::stride]
        if len(_sparse(some, low, high)) == len(some):
            return [places[place] for place in some]
    return []


def round_numbers(low: float, high: float) -> list[float]:
    """Ticks of a logarithmic axis from `low` to `high`."""
    if high < 6 * low:
        # Too narrow for leading digits alone: about five steps, round numbers too.
        rough = (high - low) / 6
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(step for step in (power, 2 * power, 2.5 * power, 5 * power, 10 * power) if step >= rough)
        steps = range(math.ceil(low / step), math.floor(high / step) + 1)
        return [round(number * step, 12) for number in steps]
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    return _sparse([digit * 10.0**decade for digit in _DIGITS for decade in decades], low, high)


def with_prefix(x: float) -> str:
    """1,000 and more with a prefix: 20k, 5M."""
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if x >= unit:
            return f"{x / unit:g}{name}"
    return f"{x:g}"
