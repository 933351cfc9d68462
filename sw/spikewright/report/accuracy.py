"""Figures of accuracy: against lambda as in the paper's Figs. 3 and 5, and against what hardware pays for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from spikewright.report.cost import Cost
from spikewright.report.figures import (
    SETTINGS,
    Cell,
    Figure,
    Panel,
    Point,
    Scale,
    Series,
    adams,
    by,
    panel_title,
    settings_of,
)
from spikewright.report.groups import Group, method_name
from spikewright.report.runs import Run


@dataclass(frozen=True)
class Axis:
    """What accuracy is plotted against."""

    name: str
    title: str
    caption: str
    label: str
    column: str
    scale: Scale
    value: Callable[[Run], float]


def best_accuracy(run: Run) -> float:
    """Validation accuracy of the checkpoint."""
    if run.best is None:
        raise ValueError(f"{run.name} has no checkpoint")
    return run.best.validation_accuracy


def against_lambda(groups: Sequence[Group]) -> list[Figure]:
    """Best validation accuracy against lambda (the paper's Figs. 3 and 5), Adam as a level."""
    chosen = [group for group in groups if group.lam is not None and group.finished]
    if not chosen:
        return []
    panels = []
    for (network, variant), members in by(chosen, lambda group: (group.network, group.variant)).items():
        series = [
            Series(
                method_name(method), tuple(_point(group, lambda run: run.config.training.lam) for group in of), method
            )
            for method, of in by(members, lambda group: group.method).items()
        ]
        for group in adams(groups):
            if group.finished and group.network == network and group.variant in (variant, ""):
                series.append(
                    Series(method_name(group.method), (_point(group, lambda run: 0.0),), group.method, kind="level")
                )
        panels.append(Panel(panel_title(members[0], chosen), tuple(series)))
    lams = sorted({group.lam for group in chosen if group.lam is not None})
    return [
        _accuracy_figure(
            Axis(
                "accuracy_lambda",
                "Best validation accuracy against λ",
                "Mean and standard deviation over the seeds; Adam, which has no λ, as a level.",
                "λ",
                "lambda",
                "log",
                lambda run: run.config.training.lam,
            ),
            panels,
            chosen + [group for group in adams(groups) if group.finished],
            tuple(lams),
        )
    ]


def against(axis: Axis, groups: Sequence[Group], by_base: bool = False) -> Figure | None:
    """Best validation accuracy against any figure of a run; None without a finished run.

    With `by_base`, groups that differ only in penalties and limits for the sake of hardware share a line.
    """
    chosen = [group for group in groups if group.finished]
    panels = []
    for members in by(chosen, lambda group: (group.network, group.base if by_base else group.variant)).values():
        series = []
        for key, of in by(members, lambda group: _line_of(group, by_base)).items():
            points = [_point(group, axis.value, _mark(group, by_base)) for group in of]
            series.append(Series(key, tuple(sorted(points, key=lambda point: point.x)), of[0].method))
        title = panel_title(members[0], chosen) if not by_base else panel_title(_plain(members[0]), chosen)
        panels.append(Panel(title, tuple(series)))
    return _accuracy_figure(axis, panels, chosen) if panels else None


def _plain(group: Group) -> Group:
    return Group(group.runs, group.base, group.base)


def _line_of(group: Group, by_base: bool) -> str:
    name = method_name(group.method)
    if by_base:
        return f"{name}, {group.sparseness}" if group.sparseness else name
    # A fixed lambda and a target are two ways to become sparse, each with a line of its own.
    return name if group.target is None else f"{name}, target"


def _mark(group: Group, by_base: bool) -> str:
    if not by_base:
        return ""
    # What is in the variant and not in the base is what varies along the line.
    return ", ".join(part for part in group.variant.split(", ") if part not in group.base.split(", "))


def _point(group: Group, x: Callable[[Run], float], label: str = "") -> Point:
    across, up = group.spread(x), group.spread(lambda run: 100 * best_accuracy(run))
    return Point(across.mean, up.mean, across.deviation, up.deviation, label)


def _accuracy_figure(
    axis: Axis, panels: Sequence[Panel], groups: Sequence[Group], ticks: tuple[float, ...] = ()
) -> Figure:
    columns = (
        *SETTINGS, "n",
        axis.column, f"{axis.column}_std", "accuracy", "accuracy_std",
    )  # fmt: skip
    rows = []
    for group in groups:
        x, y = group.spread(axis.value), group.spread(best_accuracy)
        across: tuple[Cell, ...] = (x.mean, x.deviation)
        if axis.column == "lambda":
            across = (None, None) if group.lam is None else (group.lam, None)
        rows.append((*settings_of(group), y.n, *across, y.mean, y.deviation))
    return Figure(
        name=axis.name,
        title=axis.title,
        caption=axis.caption,
        description=_describe_points(panels, axis),
        x_label=axis.label,
        y_label="Best validation accuracy (%)",
        panels=tuple(panels),
        columns=columns,
        rows=tuple(rows),
        x_scale=axis.scale,
        ticks=ticks,
    )


def _describe_points(panels: Sequence[Panel], axis: Axis) -> str:
    sentences = []
    for panel in panels:
        for line in panel.series:
            places = [
                f"{point.y:.2f} %" + ("" if line.kind == "level" else f" at {point.x:.4g}") for point in line.points
            ]
            title = f"{panel.title}, " if panel.title else ""
            sentences.append(f"{title}{line.label}: best validation accuracy {'; '.join(places)}.")
    return f"Accuracy against {axis.label}. " + " ".join(sentences)


_MEANS = "Mean and standard deviation over the seeds."
_SPARSITY = Axis(
    "accuracy_sparsity",
    "Accuracy against sparsity",
    f"{_MEANS} The axis is logarithmic in the weights that are left, which is what hardware pays for.",
    "Zero weights (%)",
    "sparsity",
    "zeros",
    lambda run: run.best.sparsity if run.best else 0.0,
)


def against_cost(
    groups: Sequence[Group], costs: Mapping[str, Cost], weight_bits: int, lanes: int, counted: bool
) -> list[Figure]:
    """Accuracy against sparsity, operations and bits; against firing rate and delay where runs vary them."""
    measured = [group for group in groups if all(run.name in costs for run in group.finished)]
    any_measured = any(group.finished for group in measured)
    # Axis, the groups that have it, and whether each line is of one base.
    axes: list[tuple[Axis, Sequence[Group], bool]] = [(_SPARSITY, groups, False)]
    if any_measured:
        axes.append((_operations(costs, weight_bits, counted), measured, False))
        axes.append((_bits(costs, weight_bits, lanes), measured, False))
    if _varies(groups, "rate_penalty"):
        axes.append((_rate(), groups, True))
    if _varies(groups, "max_delay") and any_measured:
        axes.append((_delay(costs), measured, True))
    figures = (against(axis, members, by_base) for axis, members, by_base in axes)
    return [figure for figure in figures if figure is not None]


def _operations(costs: Mapping[str, Cost], weight_bits: int, counted: bool) -> Axis:
    how = (
        "Operations are counted event by event in the integer network on samples of the validation part"
        if counted
        else "Operations are those of spikes, estimated from the mean firing rate of each layer; those of input events "
        "need the recordings (--data)"
    )
    return Axis(
        "accuracy_operations",
        "Accuracy against synaptic operations",
        f"{_MEANS} {how}; {weight_bits}-bit weights.",
        "Synaptic operations per inference" + ("" if counted else " (spikes only)"),
        "operations",
        "log",
        lambda run: costs[run.name].operations,
    )


def _bits(costs: Mapping[str, Cost], weight_bits: int, lanes: int) -> Axis:
    return Axis(
        "accuracy_bits",
        "Accuracy against stored bits",
        f"{_MEANS} Row pointers and synapses of the network, quantized to {weight_bits}-bit weights and "
        f"packed for {lanes} lanes.",
        "Synapse and row memory (kbit)",
        "kbit",
        "log",
        lambda run: costs[run.name].bits / 1000,
    )


def _rate() -> Axis:
    return Axis(
        "accuracy_rate",
        "Accuracy against firing rate",
        f"{_MEANS} Each line varies rate_penalty.",
        "Mean firing rate (spikes per neuron and step)",
        "firing_rate",
        "linear",
        firing_rate,
    )


def _delay(costs: Mapping[str, Cost]) -> Axis:
    return Axis(
        "accuracy_delay",
        "Accuracy against the longest delay",
        f"{_MEANS} The longest delay that was learned; each line varies max_delay.",
        "Longest delay (steps)",
        "longest_delay",
        "linear",
        lambda run: costs[run.name].delay,
    )


def firing_rate(run: Run) -> float:
    """Mean over the hidden neurons of the checkpoint, spikes per neuron and step, as logged."""
    if run.best is None:
        raise ValueError(f"{run.name} has no checkpoint")
    neurons = [layer.neurons for layer in run.config.network.layers]
    return sum(n * rate for n, rate in zip(neurons, run.best.rates, strict=True)) / sum(neurons)


def _varies(groups: Sequence[Group], setting: str) -> bool:
    """Whether groups that are else alike differ in a setting."""
    for members in by([g for g in groups if g.finished], lambda group: (group.network, group.base)).values():
        if any(part.split(" ")[0].endswith(setting) for group in members for part in group.variant.split(", ")):
            return True
    return False
