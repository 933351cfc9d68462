import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings

from random_networks import random_counts, random_network
from strategies import Case, Distinct, cases, describe, mismatches

NETWORKS = int(os.environ.get("SPIKEWRIGHT_NETWORKS", "24"))

CASES = Path(__file__).parents[1] / "cases"
distinct = Distinct()


@settings(
    max_examples=NETWORKS,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(case=cases(most_neurons=12, most_lanes=8))
def test_random_networks(tmp_path_factory: pytest.TempPathFactory, case: Case) -> None:
    assume(distinct(case))
    assert mismatches(case, tmp_path_factory.mktemp("random")) == [], describe(case)


@pytest.mark.parametrize("path", sorted(CASES.glob("*.safetensors")), ids=lambda path: path.stem)
def test_cases_that_failed_once(tmp_path: Path, path: Path) -> None:
    assert mismatches(Case.load(path), tmp_path) == []


def test_a_case_is_kept_whole(tmp_path: Path) -> None:
    spec = random_network(1, (3, 2, 2), timesteps=4)
    case = Case(spec, random_counts(1, spec, 2), {"lanes": 2}, 7, (1,))
    case.save(tmp_path / "case.safetensors")
    again = Case.load(tmp_path / "case.safetensors")
    assert np.array_equal(again.counts, case.counts)
    assert (again.options, again.seed, again.broken) == (case.options, case.seed, case.broken)
    assert np.array_equal(again.spec.layers[0].weights, spec.layers[0].weights)
