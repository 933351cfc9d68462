"""Verilog in four states: what registers and memories hold at power-up must reach no output."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from random_networks import random_counts, random_network
from spikewright.api.generate import generate
from spikewright.contract.names import LAYERS
from spikewright.integer.file import save_model
from spikewright_sim.runner import simulate

pytestmark = pytest.mark.skipif(shutil.which("iverilog") is None, reason="needs Icarus Verilog (iverilog)")


@pytest.mark.parametrize("layers", LAYERS)
def test_no_output_depends_on_what_is_there_at_power_up(tmp_path: Path, layers: str) -> None:
    """Events carry values, which nobody has given in the silence before the first of them."""
    network = random_network(3, (4, 5, 3), recurrent=(True,), timesteps=6, weight_bits=5, value_bits=16)
    save_model(tmp_path / "model.safetensors", network)
    generate(tmp_path / "model.safetensors", tmp_path / "build", lanes=2, layers=layers, trace=True)
    counts = random_counts(3, network, 3)
    counts[:, :2] = 0
    result = simulate(tmp_path / "build", counts, np.zeros(3, dtype=np.int64), engine="icarus")
    assert (result["mismatches"], result["cycle_mismatches"], result["details"]) == (0, 0, [])
