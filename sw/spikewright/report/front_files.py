"""The folder that `spikewright explore` leaves: page, figure and numbers."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spikewright.report.front import draw_front
from spikewright.report.front_page import front_page
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
    "microseconds_after_input",
)


def write(out: Path, report: dict[str, Any]) -> None:
    """Write `report` as `explore.json` and a page, its points as `front.csv`, and the figure, into a new folder."""
    drawing = draw_front(report)
    with atomic_dir(out) as folder:
        write_json(folder / "explore.json", report)
        (folder / "front.csv").write_text(_table(report["points"]), "utf-8", newline="")
        (folder / "front.svg").write_text(drawing.svg, "utf-8")
        (folder / "front.png").write_bytes(drawing.png)
        (folder / "index.html").write_text(front_page(report), "utf-8", newline="\n")
        write_manifest(folder, {"format": "spikewright-exploration-1", "board": report["board"]})


def _table(points: Sequence[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for point in points:
        writer.writerow({**point, "cycles": point["cycles"]["mean"]})
    return text.getvalue()
