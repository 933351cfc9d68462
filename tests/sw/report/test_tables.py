import pytest

from spikewright.report.cost import Cost
from spikewright.report.groups import Spread, group
from spikewright.report.runs import read
from spikewright.report.tables import (
    choices,
    comparison,
    comparison_cells,
    group_table,
    run_cells,
    run_table,
    share_text,
)
from tiny_training import write_run

RUNS = {
    "adam": {"optimizer": "adam", "accuracy": 0.9},
    "low": {"lam": 0.1, "accuracy": 0.7},
    "high0": {"lam": 1, "accuracy": 0.8},
    "high1": {"lam": 1, "accuracy": 0.7, "seed": 1},
    "high2": {"lam": 1, "seed": 2, "logged": 1, "diverged": "the loss is nan"},
    "target": {"target_sparsity": 0.9, "accuracy": 0.6},
    "other": {"network.layers.0.neurons": 9, "accuracy": 0.5},
}


@pytest.fixture(scope="module")
def groups(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    return group([read(name, write_run(folder / name, **RUNS[name])) for name in RUNS])


def test_the_lambda_of_the_best_mean_is_chosen(groups):
    chosen = choices(groups)
    assert [(c.training, c.group.network, c.group.runs[0].name, c.candidates) for c in chosen] == [
        ("Adam, no schedule", "10-8-8-3", "adam", 1),
        ("AdaBreg, no schedule", "10-8-8-3", "high0", 2),
        ("AdaBreg, no schedule, target 90 %", "10-8-8-3", "target", 1),
        ("AdaBreg, no schedule", "10-9-8-3", "other", 1),
    ]


def test_the_comparison_has_mean_and_spread(groups):
    chosen = choices(groups)
    table = comparison(chosen, {"high0": 0.6, "high1": 0.7, "adam": 0.5})
    rows = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
    assert (rows[1]["n"], rows[1]["accuracy"], rows[1]["test_accuracy"]) == (
        2, pytest.approx(0.75), pytest.approx(0.65),
    )  # fmt: skip
    assert rows[1]["accuracy_std"] == pytest.approx(0.0707107)
    assert (rows[0]["test_accuracy"], rows[0]["test_accuracy_std"]) == (0.5, None)
    assert (rows[2]["test_accuracy"], rows[2]["target"]) == (None, 0.9)


def test_the_comparison_for_people_has_a_column_per_network(groups):
    head, rows = comparison_cells(choices(groups), {"high0": 0.6, "high1": 0.7})
    one, other = "10-8-8-3", "10-9-8-3"
    assert head == [
        "training", f"{one}: validation", "test", "zero weights", "λ", "n",
        f"{other}: validation", "test", "zero weights", "λ", "n",
    ]  # fmt: skip
    assert rows[0][:6] == ["Adam, no schedule", "90.00 %", "", "0.00 %", "", "1"]
    assert rows[0][6:] == [""] * 5
    assert rows[1][1:3] == ["75.00 ± 7.07 %", "65.00 ± 7.07 %"]
    assert rows[1][4:7] == ["1", "2", "50.00 %"]
    assert len(comparison_cells(choices(groups), {})[0]) == 9
    assert share_text(Spread(0.5, None, 1)) == "50.00 %"


def test_every_group_has_its_means(groups):
    costs = {name: Cost(1000, 50, 200.0, None, 4) for name in ("high0", "high1")}
    table = group_table(groups, costs)
    rows = {
        (row["optimizer"], row["lambda"], row["target"], row["network"]): row
        for row in (dict(zip(table.columns, row, strict=True)) for row in table.rows)
    }
    high = rows["adabreg", 1.0, None, "10-8-8-3"]
    assert (high["finished"], high["not_finished"], high["bits"], high["bits_std"]) == (2, 1, 1000, 0)
    assert (high["operations"], high["longest_delay"], high["firing_rate"]) == (200, 4, 0.1875)
    assert rows["adam", None, None, "10-8-8-3"]["bits"] is None
    assert len(rows) == 5


def test_every_run_is_listed_with_how_it_ended(groups):
    table = run_table(groups, {"low": Cost(1000, 50, 200.0, 0.75, 4)}, {"low": 0.5})
    rows = {row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows}
    assert set(rows) == set(RUNS)
    low = rows["low"]
    assert (low["bits"], low["synapses"], low["integer_accuracy"], low["test_accuracy"]) == (1000, 50, 0.75, 0.5)
    assert (low["best_epoch"], low["accuracy"]) == (1, 0.7)
    head, cells = run_cells(table)
    assert len(head) == 6
    assert ["high2", "diverged: the loss is nan", "1", "", "", ""] in cells
    assert ["adam", "finished", "2", "1", "90.00 %", "0.00 %"] in cells
