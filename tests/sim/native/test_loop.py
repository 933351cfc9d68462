import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, assume, given, settings

from random_networks import random_counts, random_network
from spikewright.contract.errors import ToolTrouble
from spikewright_sim.core.dut import Dut
from spikewright_sim.native import loop as native
from strategies import Case, Distinct, cases, describe, mismatches

NETWORKS = int(os.environ.get("SPIKEWRIGHT_NETWORKS", "32"))

CASES = Path(__file__).parents[2] / "cases"
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


def test_a_loadable_core_is_loaded_with_others_of_its_shape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = random_network(3, (4, 3, 2), timesteps=6)
    case = Case(spec, random_counts(3, spec, 2), {"lanes": 2, "margin": 0.0, "others": 2}, 5)
    weights = [network.layers[0].weights for network in case.networks]
    assert len({bytes(each.data) for each in weights}) == 3
    assert len({bytes(np.sort(each, axis=None).data) for each in weights}) == 1
    assert mismatches(case, tmp_path) == []
    opened = Dut.open
    monkeypatch.setattr(Dut, "open", lambda build_dir, model: opened(build_dir))
    assert mismatches(case, tmp_path) == [
        f"network {number}: the network without idle neurons has other scores" for number in (1, 2)
    ]


def test_networks_that_are_changed_a_little_are_not_distinct() -> None:
    spec = random_network(1, (3, 2, 2), timesteps=4)
    case = Case(spec, random_counts(1, spec, 2), {"lanes": 2}, 7)
    distinct = Distinct()
    assert distinct(case)
    assert not distinct(replace(case, options={"lanes": 4}))
    assert distinct(replace(case, options={"lanes": 4}, seed=8))
    assert distinct(case)


def test_a_case_is_kept_whole(tmp_path: Path) -> None:
    spec = random_network(1, (3, 2, 2), timesteps=4)
    case = Case(spec, random_counts(1, spec, 2), {"lanes": 2}, 7, (1,))
    case.save(tmp_path / "case.safetensors")
    again = Case.load(tmp_path / "case.safetensors")
    assert np.array_equal(again.counts, case.counts)
    assert (again.options, again.seed, again.broken) == (case.options, case.seed, case.broken)
    assert np.array_equal(again.spec.layers[0].weights, spec.layers[0].weights)


def test_a_simulation_that_does_not_run_is_no_verdict(tmp_path: Path) -> None:
    executable = tmp_path / "loop"
    executable.write_text("#!/bin/sh\necho 'native: a file ends early' >&2\nexit 3\n")
    executable.chmod(0o755)
    with pytest.raises(ToolTrouble) as caught:
        native._run(executable, tmp_path, {"seed": 1})
    assert str(caught.value) == "the native simulation must run, not end with status 3: native: a file ends early"
