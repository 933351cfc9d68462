import pytest

from spikewright.report.groups import Spread, group, method_name, percent, relevant
from spikewright.report.runs import read
from tiny_training import write_run


@pytest.fixture
def make(tmp_path):
    """A finished run by its settings."""

    def run(name, **settings):
        return read(name, write_run(tmp_path / name, **settings))

    return run


def test_runs_that_differ_in_their_seed_are_a_group(make):
    runs = [make("b", seed=1, accuracy=0.9), make("a", seed=0, accuracy=0.8), make("c", lam=0.5)]
    groups = group(runs)
    assert [[run.name for run in item.runs] for item in groups] == [["a", "b"], ["c"]]
    spread = groups[0].spread(lambda run: run.best.validation_accuracy)
    assert (spread.mean, spread.deviation, spread.n) == (pytest.approx(0.85), pytest.approx(0.0707107), 2)
    assert Spread.of([0.5]) == Spread(0.5, None, 1)


def test_settings_that_an_optimizer_ignores_do_not_separate(make):
    adams = [make("a", optimizer="adam", lam=0.1), make("b", optimizer="adam", lam=0.2, density=0.9, seed=1)]
    assert len(group(adams)) == 1
    fixed = [make("c", lam_gain=0.2), make("d", lam_gain=0.3, seed=1)]
    assert len(group(fixed)) == 1
    steered = [make("e", target_sparsity=0.5, lam_gain=0.2), make("f", target_sparsity=0.5, lam_gain=0.3)]
    assert [item.variant for item in group(steered)] == ["lam_gain 0.2", "lam_gain 0.3"]


def test_groups_tell_what_they_are(make):
    adam, fixed, steered = group(
        [make("s", target_sparsity=0.9), make("f", lam=0.1), make("a", optimizer="adam", schedule="onecycle")]
    )
    assert [item.method for item in (adam, fixed, steered)] == [
        ("adam", "onecycle"), ("adabreg", "none"), ("adabreg", "none"),
    ]  # fmt: skip
    assert [(item.lam, item.target) for item in (adam, fixed, steered)] == [(None, None), (0.1, None), (None, 0.9)]
    assert [item.sparseness for item in (adam, fixed, steered)] == ["", "λ = 0.1", "target 90 %"]
    assert adam.network == "10-8-8-3"
    assert method_name(adam.method) == "Adam, one-cycle"
    assert percent(0.999) == "99.9 %"


def test_other_differences_are_named_within_a_network(make):
    runs = [
        make("a", lr=0.01),
        make("b", lr=0.02, rate_penalty=3),
        make("c", **{"network.layers.0.neurons": 9}, clip=2),
    ]
    variants = {item.runs[0].name: (item.variant, item.base) for item in group(runs)}
    assert variants == {
        "a": ("lr 0.01, rate_penalty 0", "lr 0.01"),
        "b": ("lr 0.02, rate_penalty 3", "lr 0.02"),
        "c": ("", ""),
    }


def test_only_finished_runs_count(make, tmp_path):
    broken = read("x", write_run(tmp_path / "x", seed=1, logged=1))
    [item] = group([make("a"), broken])
    assert len(item.runs) == 2
    assert [run.name for run in item.finished] == ["a"]
    assert item.spread(lambda run: run.best.validation_accuracy).n == 1


def test_the_seed_is_not_relevant(make):
    settings = relevant(make("a").config)
    assert "training.seed" not in settings
    assert "training.momentum" not in settings
    assert settings["training.lam"] == 0.02
