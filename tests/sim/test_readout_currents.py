"""Read-outs with synaptic currents and floors, and currents with starts, as simulated cores."""

from pathlib import Path
from typing import Any

import pytest

from random_networks import random_counts, random_network, with_own
from spikewright.contract.decay import Decay
from strategies import Case, mismatches


@pytest.mark.parametrize(
    ("options", "own"),
    [
        ({"lanes": 2}, ("leaks", "starts")),
        ({"lanes": 2, "layers": "shared", "margin": 0.5, "others": 1}, ("starts",)),
        ({"lanes": 1, "layers": "slotted"}, ()),
    ],
)
def test_cores_of_integrators_with_currents_and_floors(
    tmp_path: Path, options: dict[str, Any], own: tuple[str, ...]
) -> None:
    with_currents = options.get("layers") != "slotted"
    spec = random_network(
        3, (5, 6, 3), recurrent=(False,), timesteps=12, readout_floor=True,
        current_decays=(Decay(3, 2) if with_currents else None,),
        readout_current=Decay(1, 1) if with_currents else None,
    )  # fmt: skip
    spec = with_own(3, spec, own)
    case = Case(spec, random_counts(3, spec, samples=4), options, broken=(1,))
    assert mismatches(case, tmp_path) == []
