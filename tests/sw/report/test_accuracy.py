import pytest

from spikewright.report.accuracy import against_cost, against_lambda, best_accuracy, firing_rate
from spikewright.report.cost import Cost
from spikewright.report.groups import group
from spikewright.report.runs import read
from tiny_training import write_run


@pytest.fixture
def groups(tmp_path):
    """Groups of runs given by name and settings."""

    def make(runs):
        return group([read(name, write_run(tmp_path / name, **runs[name])) for name in runs])

    return make


def costs_of(groups):
    """Costs by rank: 1,000 operations and bits for the first run, 2,000 for the second ..."""
    runs = [run for item in groups for run in item.finished]
    return {run.name: Cost(1000 * rank, 10 * rank, 1000.0 * rank, None, rank) for rank, run in enumerate(runs, start=1)}


def test_accuracy_against_lambda_has_adam_as_a_level(groups):
    made = groups(
        {
            "a": {"lam": 0.1, "accuracy": 0.8},
            "b": {"lam": 0.1, "accuracy": 0.9, "seed": 1},
            "c": {"lam": 1, "accuracy": 0.7},
            "s": {"schedule": "onecycle", "lam": 1, "accuracy": 0.6},
            "adam": {"optimizer": "adam", "accuracy": 0.95},
            "broken": {"lam": 3, "logged": 1},
        }
    )
    [figure] = against_lambda(made)
    [panel] = figure.panels
    lines = {line.label: line for line in panel.series}
    assert list(lines) == ["AdaBreg, one-cycle", "AdaBreg, no schedule", "Adam, no schedule"]
    first, second = lines["AdaBreg, no schedule"].points
    assert (first.x, first.y, first.y_deviation) == (0.1, pytest.approx(85), pytest.approx(7.0710678))
    assert (second.x, second.y, second.y_deviation) == (1, pytest.approx(70), None)
    assert lines["Adam, no schedule"].kind == "level"
    assert lines["Adam, no schedule"].points[0].y == pytest.approx(95)
    assert (figure.x_scale, figure.ticks) == ("log", (0.1, 1.0))
    assert [row[2:7] + row[9:10] for row in figure.rows] == [
        ("adabreg", "onecycle", 1.0, None, 1, 0.6),
        ("adabreg", "none", 0.1, None, 2, pytest.approx(0.85)),
        ("adabreg", "none", 1.0, None, 1, 0.7),
        ("adam", "none", None, None, 1, 0.95),
    ]
    assert "AdaBreg, no schedule: best validation accuracy 85.00 % at 0.1; 70.00 % at 1." in figure.description
    assert "Adam, no schedule: best validation accuracy 95.00 %." in figure.description


def test_without_a_fixed_lambda_there_is_no_such_figure(groups):
    assert against_lambda(groups({"a": {"target_sparsity": 0.9}, "b": {"optimizer": "adam"}})) == []


def test_what_hardware_pays_for(groups):
    made = groups({"a": {"lam": 0.1}, "b": {"lam": 1}, "t": {"target_sparsity": 0.5}, "adam": {"optimizer": "adam"}})
    figures = {figure.name: figure for figure in against_cost(made, costs_of(made), 6, 4, True)}
    assert list(figures) == ["accuracy_sparsity", "accuracy_operations", "accuracy_bits"]
    [panel] = figures["accuracy_operations"].panels
    assert [(line.label, [point.x for point in line.points]) for line in panel.series] == [
        ("Adam, no schedule", [1000]),
        ("AdaBreg, no schedule", [2000, 3000]),
        ("AdaBreg, no schedule, target", [4000]),
    ]
    assert [point.x for point in figures["accuracy_bits"].panels[0].series[1].points] == [2, 3]
    assert figures["accuracy_sparsity"].panels[0].series[0].points[0].x == 0
    assert "counted event by event" in figures["accuracy_operations"].caption
    assert "quantized to 6-bit weights and packed for 4 lanes" in figures["accuracy_bits"].caption
    estimated = against_cost(made, costs_of(made), 8, 8, False)[1]
    assert estimated.x_label == "Synaptic operations per inference (spikes only)"
    assert "estimated from the mean firing rate" in estimated.caption


def test_runs_without_costs_are_left_out_where_costs_are_shown(groups):
    made = groups({"a": {"lam": 0.1}, "b": {"lam": 1}})
    costs = costs_of(made)
    del costs["b"]
    figures = {figure.name: figure for figure in against_cost(made, costs, 8, 8, True)}
    assert len(figures["accuracy_sparsity"].rows) == 2
    assert len(figures["accuracy_bits"].rows) == 1
    assert [figure.name for figure in against_cost(made, {}, 8, 8, True)] == ["accuracy_sparsity"]


def test_penalties_and_limits_have_figures_where_they_vary(groups):
    made = groups(
        {
            "a": {"rate_penalty": 0, "accuracy": 0.9},
            "b": {"rate_penalty": 2, "accuracy": 0.8},
            "c": {"network.layers.1.max_delay": 5, "accuracy": 0.7},
        }
    )
    figures = {figure.name: figure for figure in against_cost(made, costs_of(made), 8, 8, True)}
    assert list(figures)[3:] == ["accuracy_rate", "accuracy_delay"]
    [panel] = figures["accuracy_rate"].panels
    assert panel.title == ""
    [line] = panel.series
    assert line.label == "AdaBreg, no schedule, λ = 0.02"
    assert [point.label for point in line.points] == [
        "layers.1.max_delay 5, rate_penalty 0", "layers.1.max_delay 6, rate_penalty 0",
        "layers.1.max_delay 6, rate_penalty 2",
    ]  # fmt: skip
    assert {point.x for point in line.points} == {0.1875}
    assert len(figures["accuracy_bits"].panels) == 3
    without = groups({"d": {"lr": 0.1}, "e": {"lr": 0.2}})
    assert len(against_cost(without, costs_of(without), 8, 8, True)) == 3


def test_the_firing_rate_is_that_of_the_hidden_neurons(tmp_path):
    run = read("a", write_run(tmp_path / "a", **{"network.layers.0.neurons": 24}))
    assert firing_rate(run) == (24 * 0.25 + 8 * 0.125) / 32
    unfinished = read("b", write_run(tmp_path / "b", logged=1))
    for measure in (firing_rate, best_accuracy):
        with pytest.raises(ValueError, match=r"^b has no checkpoint$"):
            measure(unfinished)
