"""Cores whose layers take turns on the same lanes: exact like the others, in both simulations."""

from pathlib import Path

import numpy as np
import pytest

from random_networks import SOFT, TAU_2, random_counts, random_network
from spikewright.build.folder import open_build
from spikewright.build.generate import build
from spikewright.contract.network import NetworkSpec
from spikewright.integer.file import save_model
from spikewright_sim.core.dut import Engine
from spikewright_sim.runner import simulate

DEEP = random_network(11, (9, 14, 11, 10, 5), recurrent=(True,), max_delay=9, decay=TAU_2, neuron=SOFT, weight_shift=2)
PLAIN = random_network(12, (20, 30, 6), recurrent=(False,), density=0.3, timesteps=12)


@pytest.mark.parametrize(
    ("spec", "lanes", "encoding", "engine"), [(DEEP, 4, "bitmap", "cocotb"), (PLAIN, 2, "relative", "native")]
)
def test_simulates_exactly(tmp_path: Path, spec: NetworkSpec, lanes: int, encoding: str, engine: Engine) -> None:
    save_model(tmp_path / "model.safetensors", spec)
    made = build(tmp_path / "model.safetensors", tmp_path / "build", lanes=lanes, layers="shared", encoding=encoding)
    assert made["encoding"] == {"engine": encoding}
    assert [name for name in made["images"] if "synapses" in name] == [f"engine_synapses{k}" for k in range(lanes)]
    _, core = open_build(tmp_path / "build")
    assert core.common.keys() == {"engine"}
    counts = random_counts(lanes, spec, 3)
    result = simulate(tmp_path / "build", counts, np.zeros(3, dtype=np.int64), engine=engine, seed=lanes)
    assert (result["mismatches"], result["cycle_mismatches"], result["details"]) == (0, 0, [])
    assert result["cycles_per_inference"] == result["predicted_cycles_per_inference"]
    assert result["cycles_per_inference"]["min"] > 0
