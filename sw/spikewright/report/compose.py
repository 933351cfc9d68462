"""Reports on run folders: the paper's figures and table, and what hardware makes of the networks."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from spikewright.contract.decision import DECISIONS
from spikewright.contract.errors import InputError
from spikewright.contract.names import check_lanes
from spikewright.report.accuracy import against_cost, against_lambda
from spikewright.report.cost import SAMPLES, Cost, Meter
from spikewright.report.curves import curves
from spikewright.report.figures import Cell, Figure
from spikewright.report.groups import group, percent
from spikewright.report.page import page, table
from spikewright.report.plots import draw
from spikewright.report.runs import Run, find, read
from spikewright.report.tables import (
    Table,
    choices,
    comparison,
    comparison_cells,
    group_table,
    run_cells,
    run_table,
)
from spikewright.support.files import atomic_dir, write_manifest
from spikewright.support.progress import bar

PAGE = "index.html"
TOLERANCE = 0.02
"""By how much a run may miss its target sparsity before the page says so."""


def report(
    folders: Sequence[Path | str],
    out_dir: Path | str,
    data_dir: Path | str | None = None,
    *,
    test: bool = False,
    title: str = "Sparse spiking networks",
    weight_bits: int = 8,
    lanes: int = 8,
) -> dict[str, Any]:
    """Write figures (SVG, PNG, CSV), tables (CSV) and `index.html` into a folder.

    The same runs give the same bytes.

    Parameters
    ----------
    folders : list of Path
        Run folders, or folders that hold them at any depth.
    out_dir : Path
        Folder to make; an earlier report there is replaced.
    data_dir : Path, optional
        The recordings of the runs: synaptic operations are then counted on the validation part, instead of estimated
        from the logged firing rates.
    test : bool
        Run the networks of the comparison, which are chosen by their validation accuracy, on the test part too.
    title : str
        Title of the page.
    weight_bits, lanes : int
        With which operations and bits are measured.

    Returns
    -------
    dict
        JSON-ready: out, page, runs (numbers by status), figures (names), and comparison, the rows of the table that
        compares the optimizers.

    Raises
    ------
    InputError
        If there is no run, a file of a run is damaged, or the recordings are not those of the runs.
    """
    if test and data_dir is None:
        raise InputError("data must be given for test accuracies, not left out")
    check_lanes(lanes)
    meter = Meter(None if data_dir is None else Path(data_dir), weight_bits, lanes)
    found = find([Path(item) for item in folders])
    with atomic_dir(out_dir) as folder:
        runs = [read(name, path) for name, path in found]
        groups = group(runs)
        facts = [_summary(runs), *_missed(runs), *_measurement(meter, weight_bits, lanes)]
        costs: dict[str, Cost] = {}
        finished = [run for run in runs if run.status == "finished"]
        for run in bar(finished, desc="Measuring", unit="run", show=bool(finished)):
            if run.config.network.readout in DECISIONS:
                costs[run.name] = meter.measure(run)
            else:
                facts.append(f"{run.name} decides by {run.config.network.readout}, which no integer network does.")
        chosen = choices(groups)
        scores = {run.name: meter.test(run) for choice in chosen for run in choice.group.finished} if test else {}
        figures = [
            *curves(groups),
            *against_lambda(groups),
            *against_cost(groups, costs, weight_bits, lanes, meter.counted),
        ]
        tables = {
            "comparison": comparison(chosen, scores),
            "groups": group_table(groups, costs),
            "runs": run_table(groups, costs, scores),
        }
        for name, content in tables.items():
            _write(folder / f"{name}.csv", _csv(content.columns, content.rows))
        drawn = [_write_figure(folder, figure) for figure in figures]
        html_tables = [table(*comparison_cells(chosen, scores), caption=_COMPARED)] if chosen else []
        html_runs = table(*run_cells(tables["runs"]), caption="All runs, and how they ended")
        _write(folder / PAGE, page(title, facts, html_tables, drawn, html_runs))
        statuses = {name: sum(run.status == name for run in runs) for name in ("finished", "diverged", "unfinished")}
        result = {
            "runs": statuses,
            "figures": [figure.name for figure in figures],
            "comparison": _records(tables["comparison"]),
        }
        write_manifest(folder, {"title": title, **result})
    return {"out": str(out_dir), "page": str(Path(out_dir) / PAGE), **result}


_COMPARED = (
    "Best validation accuracy, mean and standard deviation over n seeds; of several λ (or other settings) the one "
    "whose mean is best"
)


def _summary(runs: Sequence[Run]) -> str:
    number = {name: sum(run.status == name for run in runs) for name in ("finished", "diverged", "unfinished")}
    text = f"{number['finished']} finished runs"
    rest = [f"{number[name]} {name}" for name in ("diverged", "unfinished") if number[name]]
    return f"{text}{''.join(f', {part}' for part in rest)}. Only finished runs enter means and deviations."


def _missed(runs: Sequence[Run]) -> list[str]:
    """Trainings may be too short for their target; whoever compares at equal sparsity must know."""
    missed = []
    for run in runs:
        training = run.config.training
        target = 0.0 if training.optimizer == "adam" else training.target_sparsity
        if run.best is not None and run.best.sparsity < target - TOLERANCE:
            missed.append(f"{run.name} ({percent(round(run.best.sparsity, 3))})")
    return [f"These runs stayed below their target sparsity: {', '.join(missed)}."] if missed else []


def _measurement(meter: Meter, weight_bits: int, lanes: int) -> list[str]:
    bits = (
        f"Stored bits: the checkpoint is quantized to {weight_bits}-bit weights and packed for {lanes} lanes; row "
        "pointers and synapses count."
    )
    if meter.counted:
        how = (
            f"Synaptic operations: the integer network runs on up to {SAMPLES} samples, evenly spaced in the "
            "validation part, and every event counts the stored synapses of its axon."
        )
    else:
        how = (
            "Synaptic operations: estimated from the logged mean firing rate of each layer, times steps and stored "
            "synapses of its axons. Input events are not in it; with the recordings (--data) all events are counted."
        )
    return [f"{bits} {how}"]


def _records(content: Table) -> list[dict[str, Cell]]:
    return [dict(zip(content.columns, row, strict=True)) for row in content.rows]


def _csv(columns: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        # Nine digits: more than is measured, and the same on every machine that computes the same.
        writer.writerow([f"{value:.9g}" if isinstance(value, float) else value for value in row])
    return text.getvalue()


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def _write_figure(folder: Path, figure: Figure) -> tuple[Figure, Any, str]:
    drawing = draw(figure)
    numbers = _csv(figure.columns, figure.rows)
    _write(folder / f"{figure.name}.svg", drawing.svg)
    (folder / f"{figure.name}.png").write_bytes(drawing.png)
    _write(folder / f"{figure.name}.csv", numbers)
    return figure, drawing, numbers
