"""The page of `spikewright explore`: its designs in a figure that moves, and as a table."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

from spikewright.report.front import NAMES, design_name, kind_name, kind_of
from spikewright.report.live import Live, Section, Spec, document, facts, plot
from spikewright.report.page import table

_SYMBOLS = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "star", "hexagon")
_COLORS = ("@c1", "@c2", "@c3", "@c4", "@c5", "@c6")
_RULE = (
    "Of the designs that fit and whose accuracy is at most one point, or one sample, below the best, it has the least "
    "product of latency and share of the board (the larger of those of its LUTs and its block RAMs)."
)


def front_page(report: dict[str, Any]) -> str:
    """The page of a report by `explore`."""
    choices = [
        {"label": name, "text": f"Latency against {name}.", "figures": {"front": _figure(report, key)}}
        for key, name in NAMES.items()
    ]
    options = "".join(f"<option>{html.escape(name)}</option>" for name in NAMES.values())
    picture = (
        f'<div class="controls"><label>Resource<select id="choice">{options}</select></label></div>\n'
        "<p>Filled: on the Pareto front of latency, block RAMs, LUTs and accuracy. Small: another encoding than "
        "<code>generate</code> takes for this board. Crossed out: does not fit. Point at a design for its figures; the "
        "numbers beside are lanes.</p>\n"
        f"<figure>{plot('front', 600, 'Latency of all designs against a resource', chosen=True)}</figure>"
    )
    sections = [
        Section("recommended", "Recommended", _recommended(report)),
        Section("designs", "Designs", picture),
        Section("table", "As a table", _table(report)),
    ]
    name = "a network" if report["model"] is None else Path(report["model"]).name.removesuffix(".safetensors")
    about = f"{report['samples']} samples, {report['board']}, {report['clock_mhz']:g} MHz"
    intro = f'<p class="muted">{html.escape(about)}. Cycles are exact, resources are estimated.</p>'
    return document(f"Cores for {name}", intro, sections, live=Live({}, choices))


def _recommended(report: dict[str, Any]) -> str:
    best = report["recommended"]
    if best is None:
        return f'<p class="note">No design fits {html.escape(report["board"])}.</p>'
    available = report["available"]
    cards = [
        ("Latency", f"{best['microseconds']:,.1f} µs", f"{best['cycles']['mean']:,.0f} cycles"),
        ("Accuracy", f"{100 * best['accuracy']:.2f} %", f"of {report['samples']} samples"),
        *((name, f"{best[key]:,}", f"of {available[key]:,}") for key, name in NAMES.items()),
    ]
    return f"<p><strong>{html.escape(design_name(best))}</strong></p>{facts(cards)}<p>{_RULE}</p>"


def _figure(report: dict[str, Any], key: str) -> Spec:
    points = report["points"]
    traces: list[dict[str, Any]] = []
    for number, kind in enumerate(sorted({kind_of(point) for point in points})):
        of_kind = [point for point in points if kind_of(point) == kind]
        usual = [point["encoding"] == "auto" for point in of_kind]
        symbol, color = _SYMBOLS[number % len(_SYMBOLS)], _COLORS[number % len(_COLORS)]
        name = kind_name(report, *kind)
        line = [point for point in of_kind if point["encoding"] == "auto"]
        traces.append(
            {
                **_places(line, key),
                "mode": "lines",
                "line": {"color": color, "width": 1},
                "opacity": 0.5,
                "hoverinfo": "skip",
                "showlegend": False,
                "legendgroup": name,
            }
        )
        # The legend shows a symbol that is filled, whatever the first design is.
        legend = {"type": "scatter", "x": [None], "y": [None], "mode": "markers", "name": name, "legendgroup": name}
        traces.append({**legend, "marker": {"color": color, "symbol": symbol, "size": 10}})
        traces.append(
            {
                **_places(of_kind, key),
                "mode": "markers+text",
                "showlegend": False,
                "legendgroup": name,
                # Only those of the front have a number: all others would cover each other.
                "text": [
                    str(point["lanes"]) if own and point["front"] else ""
                    for point, own in zip(of_kind, usual, strict=True)
                ],
                "textposition": "middle right",
                "marker": {
                    "color": color,
                    "symbol": [symbol if point["front"] else f"{symbol}-open" for point in of_kind],
                    "size": [11 if own else 6 for own in usual],
                },
                "customdata": [_told(point) for point in of_kind],
                "hovertemplate": "%{customdata}<extra></extra>",
            }
        )
    missing = [point for point in points if not point["fits"]]
    if missing:
        mark = {"color": "@ink", "symbol": "x-thin", "size": 12, "line": {"color": "@ink", "width": 2}}
        traces.append(_marked(missing, key, "does not fit", mark))
    if best := report["recommended"]:
        mark = {"color": "rgba(0,0,0,0)", "symbol": "circle", "size": 22, "line": {"color": "@ink", "width": 2}}
        traces.append(_marked([best], key, "recommended", mark))
    limit = report["available"][key]
    layout: dict[str, Any] = {
        "legend": {"orientation": "h", "y": 1.02, "yanchor": "bottom"},
        "margin": {"l": 60, "r": 12, "t": 40, "b": 48},
        "xaxis": {"title": {"text": f"{NAMES[key]} (of {limit:,})"}, "rangemode": "tozero"},
        "yaxis": {"title": {"text": "latency (µs)"}, "type": "log", "dtick": "D2"},
    }
    if max(point[key] for point in points) > limit / 2:
        layout["shapes"] = [
            {"type": "line", "x0": limit, "x1": limit, "yref": "paper", "y0": 0, "y1": 1,
             "line": {"color": "@muted", "dash": "dot", "width": 1}}
        ]  # fmt: skip
    return {"data": traces, "layout": layout}


def _places(points: list[dict[str, Any]], key: str) -> dict[str, Any]:
    return {
        "type": "scatter",
        "x": [point[key] for point in points],
        "y": [point["microseconds"] for point in points],
    }


def _marked(points: list[dict[str, Any]], key: str, name: str, marker: dict[str, Any]) -> dict[str, Any]:
    return {**_places(points, key), "mode": "markers", "name": name, "marker": marker, "hoverinfo": "skip"}


def _told(point: dict[str, Any]) -> str:
    return (
        f"<b>{design_name(point)}</b><br>{point['microseconds']:,.1f} µs, {point['cycles']['mean']:,.0f} cycles<br>"
        f"{point['luts']:,} LUTs, {point['brams']} block RAMs<br>{100 * point['accuracy']:.2f} % right"
    )


def _table(report: dict[str, Any]) -> str:
    shown = [point for point in report["points"] if point["encoding"] == "auto" or point["front"]]
    rows = []
    for point in shown:
        marks = [name for name, holds in (("front", point["front"]), ("does not fit", not point["fits"])) if holds]
        if point == report["recommended"]:
            marks.append("recommended")
        rows.append(
            [design_name(point), f"{100 * point['accuracy']:.2f} %", f"{point['cycles']['mean']:,.0f}",
             f"{point['microseconds']:,.1f}", f"{point['luts']:,}", str(point["brams"]), ", ".join(marks)]
        )  # fmt: skip
    best = next((number for number, point in enumerate(shown) if point == report["recommended"]), None)
    head = ["design", "accuracy", "cycles", "µs", "LUTs", "block RAMs", ""]
    hidden = len(report["points"]) - len(shown)
    left = f" {hidden} with other encodings that take more are in explore.json." if hidden else ""
    return table(head, rows, f"Means of an inference.{left}", best)
