"""Tables: optimizers compared as in the paper's Tab. 2, every group, every run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from spikewright.report.accuracy import best_accuracy, firing_rate
from spikewright.report.cost import Cost
from spikewright.report.figures import SETTINGS, Cell, by, settings_of
from spikewright.report.groups import Group, Spread, method_name, percent
from spikewright.report.runs import Run


@dataclass(frozen=True)
class Table:
    """Columns and rows of a CSV file."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True)
class Choice:
    """A row of the comparison: the group that stands for a way of training a network.

    Parameters
    ----------
    training : str
        "Adam, one-cycle", "AdaBreg, no schedule, target 90 %".
    group : Group
        Among those with a fixed lambda, the one of the best mean validation accuracy; of equals the sparsest.
    candidates : int
        Groups it was chosen from.
    """

    training: str
    group: Group
    candidates: int


def choices(groups: Sequence[Group]) -> list[Choice]:
    """One group per network, optimizer, schedule and target, Adam's first."""
    chosen = []
    finished = [group for group in groups if group.finished]
    for (_, method, target), members in by(finished, lambda group: (group.network, group.method, group.target)).items():
        best = max(members, key=lambda group: (group.spread(best_accuracy).mean, group.spread(_sparsity).mean))
        training = method_name(method) + (f", target {percent(target)}" if target is not None else "")
        chosen.append(Choice(training, best, len(members)))
    return chosen


def comparison(chosen: Sequence[Choice], test: Mapping[str, float]) -> Table:
    """The paper's Tab. 2: accuracies of the choices with mean and standard deviation over the seeds.

    Parameters
    ----------
    chosen : list of Choice
    test : mapping from a run's name to its test accuracy
        May be empty.
    """
    rows = []
    for choice in chosen:
        group = choice.group
        row: list[Cell] = [choice.training, *settings_of(group), choice.candidates, len(group.finished)]
        row += _pair(group.spread(best_accuracy))
        row += _pair(group.spread(lambda run: test[run.name])) if _known(group, test) else [None, None]
        rows.append((*row, *_pair(group.spread(_sparsity))))
    columns = ("training", *SETTINGS, "candidates", "n", *_columns("accuracy", "test_accuracy", "sparsity"))
    return Table(columns, tuple(rows))


def comparison_cells(chosen: Sequence[Choice], test: Mapping[str, float]) -> tuple[list[str], list[list[str]]]:
    """The comparison as the paper has it: a row per training, a column per network, texts."""
    networks = list(dict.fromkeys(choice.group.network for choice in chosen))
    tested = any(_known(choice.group, test) for choice in chosen)
    head = ["training"]
    for network in networks:
        head += [f"{network}: validation", *(["test"] if tested else []), "zero weights", "λ", "n"]
    rows = []
    for training, of in by(chosen, lambda choice: choice.training).items():
        row = [training]
        for network in networks:
            group = next((choice.group for choice in of if choice.group.network == network), None)
            if group is None:
                row += [""] * (5 if tested else 4)
                continue
            row.append(share_text(group.spread(best_accuracy)))
            if tested:
                known = _known(group, test)
                row.append(share_text(group.spread(lambda run: test[run.name])) if known else "")
            lam = "" if group.lam is None else f"{group.lam:g}"
            row += [share_text(group.spread(_sparsity)), lam, str(len(group.finished))]
        rows.append(row)
    return head, rows


def share_text(spread: Spread) -> str:
    """A share as "93.4 ± 0.5 %"."""
    deviation = "" if spread.deviation is None else f" ± {100 * spread.deviation:.2f}"
    return f"{100 * spread.mean:.2f}{deviation} %"


def group_table(groups: Sequence[Group], costs: Mapping[str, Cost]) -> Table:
    """Means and standard deviations of every group with a finished run."""
    rows = []
    measures: tuple[tuple[Callable[[Run], float], bool], ...] = (
        (best_accuracy, False),
        (_sparsity, False),
        (firing_rate, False),
        (lambda run: costs[run.name].operations, True),
        (lambda run: costs[run.name].bits, True),
        (lambda run: costs[run.name].delay, True),
    )
    for group in groups:
        if not group.finished:
            continue
        row: list[Cell] = [*settings_of(group), len(group.finished), len(group.runs) - len(group.finished)]
        for measure, costly in measures:
            row += [None, None] if costly and not _known(group, costs) else _pair(group.spread(measure))
        rows.append(tuple(row))
    names = _columns("accuracy", "sparsity", "firing_rate", "operations", "bits", "longest_delay")
    return Table((*SETTINGS, "finished", "not_finished", *names), tuple(rows))


def run_table(groups: Sequence[Group], costs: Mapping[str, Cost], test: Mapping[str, float]) -> Table:
    """Every run, finished or not."""
    columns = (
        "run", *SETTINGS, "seed", "status", "message", "epochs", "best_epoch", "accuracy", "test_accuracy",
        "integer_accuracy", "sparsity", "synapses", "operations", "bits", "longest_delay",
    )  # fmt: skip
    rows = []
    for group in groups:
        for run in group.runs:
            row: list[Cell] = [run.name, *settings_of(group), run.config.training.seed, run.status]
            row += [run.message or None, len(run.epochs)]
            best, cost = run.best, costs.get(run.name)
            row += [None, None] if best is None else [best.number, best.validation_accuracy]
            row += [test.get(run.name), None if cost is None else cost.accuracy]
            row.append(None if best is None else best.sparsity)
            row += [None] * 4 if cost is None else [cost.synapses, cost.operations, cost.bits, cost.delay]
            rows.append(tuple(row))
    return Table(columns, tuple(rows))


def run_cells(table: Table) -> tuple[list[str], list[list[str]]]:
    """The table of runs for people: what they look for first, rounded."""
    index = {name: table.columns.index(name) for name in table.columns}

    def share(value: Cell) -> str:
        return f"{100 * value:.2f} %" if isinstance(value, float | int) else ""

    rows = []
    for row in table.rows:
        status, message = str(row[index["status"]]), row[index["message"]]
        rows.append(
            [
                str(row[index["run"]]),
                f"{status}: {message}" if message else status,
                *("" if row[index[name]] is None else str(row[index[name]]) for name in ("epochs", "best_epoch")),
                share(row[index["accuracy"]]),
                share(row[index["sparsity"]]),
            ]
        )
    return ["run", "status", "epochs", "best epoch", "validation accuracy", "zero weights"], rows


def _sparsity(run: Run) -> float:
    if run.best is None:
        raise ValueError(f"{run.name} has no checkpoint")
    return run.best.sparsity


def _known(group: Group, values: Mapping[str, object]) -> bool:
    return all(run.name in values for run in group.finished)


def _pair(spread: Spread) -> list[Cell]:
    return [spread.mean, spread.deviation]


def _columns(*names: str) -> tuple[str, ...]:
    return tuple(column for name in names for column in (name, f"{name}_std"))
