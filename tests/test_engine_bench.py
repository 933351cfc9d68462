"""The committed figures of `bench/engine.py`: a core that got slower or larger than they say fails here."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

BENCH = Path(__file__).parents[1] / "bench"
BASELINE: dict[str, Any] = json.loads((BENCH / "engine.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def engine() -> ModuleType:
    spec = importlib.util.spec_from_file_location("engine_bench", BENCH / "engine.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_no_figure_is_worse_than_the_baseline(engine: ModuleType) -> None:
    assert engine.worse(engine.of_baseline(BASELINE), BASELINE["rows"], BASELINE["tolerances"]) == []


@pytest.mark.parametrize(("name", "factor"), [("cycles", 1.02), ("utilisation", 0.97), ("of_limit", 1.02)])
def test_a_worse_figure_is_found(engine: ModuleType, name: str, factor: float) -> None:
    rows = [dict(row) for row in BASELINE["rows"]]
    before = rows[1][name]
    rows[1][name] = factor * before
    (problem,) = engine.worse(rows, BASELINE["rows"], BASELINE["tolerances"])
    where = f"{rows[1]['lanes']} lanes, density {rows[1]['density']}"
    assert problem == f"{where}: {name} is {factor * before:.4g}, but was {before:.4g}"
    rows[1][name] = before / factor
    assert engine.worse(rows, BASELINE["rows"], BASELINE["tolerances"]) == []


def test_other_rows_are_no_comparison(engine: ModuleType) -> None:
    found = engine.worse(BASELINE["rows"][1:], BASELINE["rows"], BASELINE["tolerances"])
    assert found == ["lanes and densities are others than those of the baseline"]


def test_the_limit_is_that_of_all_choices_of_positions(engine: ModuleType) -> None:
    from random_networks import random_network

    network = random_network(1, (4, 3, 2), recurrent=(False,), density=1.0)
    # Nothing to choose: all 18 weights are stored.
    assert engine.information_limit(network) == pytest.approx(8)
    half = engine.masked(random_network(2, (40, 30, 4), recurrent=(False,), density=1.0), 0.5)
    # At half density a bit per weight, thus nearly two per synapse.
    assert 9.9 < engine.information_limit(half) < 10.1
