"""Figures over the epochs of a training: the paper's Figs. 1, 2 and 4."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from spikewright.report.figures import SETTINGS, Figure, Panel, Point, Series, adams, panel_title, settings_of
from spikewright.report.groups import Group, Spread, method_name, percent
from spikewright.report.runs import Run
from spikewright.support.settings import brief


def curves(groups: Sequence[Group]) -> list[Figure]:
    """Validation loss (the paper's Figs. 1 and 4) and non-zero weights (Fig. 2) over the epochs."""
    figures = []
    for steered in (False, True):
        chosen = [group for group in groups if (group.target if steered else group.lam) is not None]
        if not chosen:
            continue
        family = "target sparsity" if steered else "λ"
        suffix = "_target" if steered else ""
        figures += [
            _curve(
                f"loss{suffix}",
                f"Validation loss for each {family}",
                "Mean over the seeds. A dashed line is a single run that did not finish; a cross marks where it "
                "diverged.",
                "Validation loss (nats per sample)",
                chosen,
                groups,
                lambda run: [epoch.validation_loss for epoch in run.epochs],
                steered,
                with_total=False,
            ),
            _curve(
                f"weights{suffix}",
                f"Non-zero weights for each {family}",
                "Weights of all matrices that are not exactly zero, mean over the seeds.",
                "Non-zero weights (thousands)",
                chosen,
                groups,
                lambda run: [run.weights * (1 - epoch.sparsity) / 1000 for epoch in run.epochs],
                steered,
                with_total=True,
            ),
        ]
    return figures


def _curve(
    name: str,
    title: str,
    caption: str,
    y_label: str,
    chosen: Sequence[Group],
    groups: Sequence[Group],
    values: Callable[[Run], list[float]],
    steered: bool,
    with_total: bool,
) -> Figure:
    by_panel: dict[tuple[str, str, tuple[str, str]], list[Group]] = {}
    for group in chosen:
        by_panel.setdefault((group.network, group.variant, group.method), []).append(group)
    panels = []
    for (network, variant, method), members in by_panel.items():
        baseline = [
            group
            for group in groups
            if group.method == ("adam", method[1]) and group.network == network and group.variant in (variant, "")
        ]
        series = [line for group in [*members, *baseline[:1]] for line in _lines(group, values, steered)]
        total = members[0].runs[0].weights / 1000 if with_total else 0
        panels.append(Panel(panel_title(members[0], chosen, method_name(method)), tuple(series), round(total * 1000)))
    columns = (*SETTINGS, "seed", "status", "epoch", y_label)
    shown = {id(run): group for group in [*chosen, *adams(groups)] for run in group.runs}
    rows = [
        (*settings_of(group), run.config.training.seed, run.status, number, value)
        for group in dict.fromkeys(shown.values())
        for run in group.runs
        for number, value in enumerate(values(run), start=1)
    ]
    return Figure(
        name=name,
        title=title,
        caption=caption,
        description=_describe_curves(panels, y_label),
        x_label="Epoch",
        y_label=y_label,
        panels=tuple(panels),
        columns=columns,
        rows=tuple(rows),
        legend="Target" if steered else "λ",
        y_scale="linear" if with_total else "log",
    )


def _lines(group: Group, values: Callable[[Run], list[float]], steered: bool) -> list[Series]:
    """The mean of the finished runs, and each run that did not finish."""
    order = group.target if steered else group.lam
    label = "Adam" if order is None else percent(order) if steered else brief(order)
    lines = []
    if group.finished:
        spreads = [Spread.of(at) for at in zip(*(values(run) for run in group.finished), strict=True)]
        points = [Point(float(n), s.mean, None, s.deviation) for n, s in enumerate(spreads, start=1)]
        lines.append(Series(label, tuple(points), group.method, order))
    for run in group.runs:
        if run.status != "finished" and run.epochs:
            points = [Point(float(n), value) for n, value in enumerate(values(run), start=1)]
            lines.append(Series(label, tuple(points), group.method, order, "fragment", run.status == "diverged"))
    return lines


def _describe_curves(panels: Sequence[Panel], y_label: str) -> str:
    sentences = []
    for panel in panels:
        ends = [f"{line.label}: {line.points[-1].y:.4g}" for line in panel.series if line.kind == "mean"]
        broken = [line.label for line in panel.series if line.diverged]
        sentence = f"{panel.title or 'All runs'}: {y_label} after the last epoch: {'; '.join(ends) or 'none'}."
        sentences.append(sentence + (f" Diverged: {', '.join(broken)}." if broken else ""))
    return " ".join(sentences)
