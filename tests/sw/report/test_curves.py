import pytest

from spikewright.report.curves import curves
from spikewright.report.groups import group
from spikewright.report.runs import read
from tiny_training import write_run


@pytest.fixture
def figures(tmp_path):
    """Figures of runs given by name and settings."""

    def make(runs):
        return {
            figure.name: figure
            for figure in curves(group([read(name, write_run(tmp_path / name, **runs[name])) for name in runs]))
        }

    return make


def test_fixed_lambdas_and_targets_have_figures_of_their_own(figures):
    assert list(figures({"a": {"lam": 0.1}})) == ["loss", "weights"]
    assert list(figures({"b": {"target_sparsity": 0.9}})) == ["loss_target", "weights_target"]
    assert figures({"c": {"optimizer": "adam"}}) == {}


def test_a_curve_is_the_mean_over_seeds(figures):
    made = figures({"a": {"lam": 0.1, "epochs": 3}, "b": {"lam": 0.1, "epochs": 3, "seed": 1, "network_seed": 1}})
    [panel] = made["loss"].panels
    assert panel.title == "AdaBreg, no schedule"
    [line] = panel.series
    assert (line.label, line.order, line.kind) == ("0.1", 0.1, "mean")
    assert [(point.x, point.y, point.y_deviation) for point in line.points] == [
        (1.0, 1.5, 0.0), (2.0, 0.75, 0.0), (3.0, 0.5, 0.0),
    ]  # fmt: skip
    assert made["loss"].y_scale == "log"
    [panel] = made["weights"].panels
    assert panel.total == 232
    density = 1 - made["weights"].panels[0].series[0].points[0].y / 0.232
    assert 0.3 < density < 0.7


def test_schedules_have_panels_and_share_the_baseline(figures):
    runs = {
        "a": {"lam": 0.1, "schedule": "onecycle"},
        "b": {"lam": 0.1},
        "c": {"lam": 1},
        "adam": {"optimizer": "adam"},
    }
    panels = figures(runs)["loss"].panels
    assert [(panel.title, [line.label for line in panel.series]) for panel in panels] == [
        ("AdaBreg, one-cycle", ["0.1"]),
        ("AdaBreg, no schedule", ["0.1", "1", "Adam"]),
    ]


def test_networks_are_told_apart(figures):
    panels = figures({"a": {}, "b": {"network.layers.0.neurons": 9}})["loss"].panels
    assert [panel.title for panel in panels] == [
        "10-8-8-3, AdaBreg, no schedule", "10-9-8-3, AdaBreg, no schedule",
    ]  # fmt: skip


def test_other_settings_are_told_apart(figures):
    panels = figures({"a": {"lr": 0.1}, "b": {"lr": 0.2}})["loss"].panels
    assert [panel.title for panel in panels] == ["AdaBreg, no schedule, lr 0.1", "AdaBreg, no schedule, lr 0.2"]


def test_runs_that_did_not_finish_are_shown_and_not_averaged(figures):
    runs = {
        "a": {"lam": 0.1, "epochs": 3},
        "b": {"lam": 0.1, "epochs": 3, "seed": 1, "logged": 2, "diverged": "nan"},
        "c": {"lam": 0.1, "epochs": 3, "seed": 2, "logged": 1},
        "d": {"lam": 0.1, "epochs": 3, "seed": 3, "logged": 0},
    }
    figure = figures(runs)["loss"]
    lines = [(line.kind, line.diverged, len(line.points)) for line in figure.panels[0].series]
    assert lines == [("mean", False, 3), ("fragment", True, 2), ("fragment", False, 1)]
    assert figure.description == (
        "AdaBreg, no schedule: Validation loss (nats per sample) after the last epoch: 0.1: 0.5. Diverged: 0.1."
    )
    statuses = [(row[6], row[7], row[8]) for row in figure.rows]
    assert statuses == [
        (0, "finished", 1), (0, "finished", 2), (0, "finished", 3),
        (1, "diverged", 1), (1, "diverged", 2), (2, "unfinished", 1),
    ]  # fmt: skip


def test_the_table_has_every_epoch_of_every_run(figures):
    figure = figures({"a": {"lam": 0.1}, "adam": {"optimizer": "adam", "seed": 4}})["loss"]
    assert figure.columns == (
        "network", "variant", "optimizer", "schedule", "lambda", "target", "seed", "status", "epoch",
        "Validation loss (nats per sample)",
    )  # fmt: skip
    assert figure.rows == (
        ("10-8-8-3", "", "adabreg", "none", 0.1, None, 0, "finished", 1, 1.5),
        ("10-8-8-3", "", "adabreg", "none", 0.1, None, 0, "finished", 2, 0.75),
        ("10-8-8-3", "", "adam", "none", None, None, 4, "finished", 1, 1.5),
        ("10-8-8-3", "", "adam", "none", None, None, 4, "finished", 2, 0.75),
    )
