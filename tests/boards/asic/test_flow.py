import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from random_networks import random_counts, random_network
from spikewright.api.asic import Gates
from spikewright.api.generate import generate
from spikewright.build.generate import build
from spikewright.cli.main import main
from spikewright.contract.errors import CheckFailed, InputError, ToolTrouble
from spikewright.integer.file import save_model
from spikewright_boards.asic import design, flow
from spikewright_boards.asic.flow import build_asic
from spikewright_boards.asic.gates import Netlist
from spikewright_boards.asic.timing import MISSING, find_timer, read_report, slowest_logic, time_netlist
from spikewright_sim.core.dut import Engine
from spikewright_sim.gates import open_netlist
from spikewright_sim.runner import simulate
from ten_cells import AREAS, ten_cells

MAP = """
[ports]
clk0 = "clock"
csb0 = "!write_enable"
web0 = "!write_enable"
wmask = "1 x data"
addr0 = "write_address"
din0 = "write_data"
clk1 = "clock"
csb1 = "!read_enable"
addr1 = "read_address"
dout1 = "read_data"

[[macro]]
name = "sram_64x8"
words = 64
bits = 8
area_um2 = 100
holds = false
"""
NETWORK = random_network(3, (4, 4, 2), recurrent=(False,), timesteps=6, weight_bits=4, value_bits=2)


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("asic")
    save_model(folder / "model.safetensors", NETWORK)
    build(folder / "model.safetensors", folder / "build", lanes=1, layers="shared")
    (folder / "ten.lib").write_text(ten_cells())
    return folder


@pytest.fixture(scope="module")
def gated(core: Path) -> dict[str, Any]:
    told: list[str] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(flow, "find_timer", lambda: None)
        report = build_asic(
            core / "build", [core / "ten.lib"], out_dir=core / "gated", trace=True, prove=True, progress=told.append
        )
    assert MISSING in told
    return report


def test_the_report_counts_what_is_in_the_netlist(core: Path, gated: dict[str, Any]) -> None:
    text = (core / "gated" / "netlist.v").read_text()
    assert " self_gate_1 " in text
    modules = {found[1]: found[0] for found in re.finditer(r"^module (\w+).*?^endmodule", text, re.M | re.S)}
    counted = dict.fromkeys(AREAS, 0)
    waiting = ["spikewright_core"]
    while waiting:
        body = modules[waiting.pop()]
        for kind in re.findall(r"^  (\w+) \w+ \(", body, re.M):
            if kind in AREAS:
                counted[kind] += 1
            else:
                waiting.append(kind)
    assert {kind: count for kind, count in counted.items() if count} == gated["cells"]
    assert gated["area_um2"] == sum(AREAS[kind] * count for kind, count in counted.items())
    assert gated["registers"] == counted["dff"] > 300
    assert gated["area_um2"] == pytest.approx(sum(block["area_um2"] for block in gated["blocks"]))
    assert gated["area_um2"] == pytest.approx(sum(gated["kinds"].values()))
    assert gated["kinds"]["gating"] + gated["kinds"]["memories"] > AREAS["gate"] * counted["gate"] / 2
    assert gated["gated_registers"] > 0.9 * gated["registers"]
    assert (gated["library"], gated["gating"], gated["fmax_mhz"], gated["energy_nj"]) == ("ten", "gate", None, None)
    assert json.loads((core / "gated" / "report.json").read_text()) == gated
    assert not (core / "gated" / "config.json").exists()
    # Nothing is lost behind the first module that abc took.
    log = (core / "gated" / "yosys.log").read_text()
    assert log.count("Re-integrating ABC results") > 3
    assert "End of script" in log
    assert sum(gated["proven_registers"].values()) == gated["registers"]
    said = f"{len(modules)} blocks, {gated['registers']} registers: gates do what logic did"
    assert ("proven", said) in Gates(gated).facts()
    # Of ten cells, each takes 0.05 ns at least.
    assert 0.5 < gated["logic_ns"] < 50
    assert (
        "slowest logic",
        f"{gated['logic_ns']:.2f} ns by yosys, an estimate: logic of one block, without registers and wires",
    ) in Gates(gated).facts()


def test_no_net_has_many_ends_and_no_register_a_start_value(core: Path, gated: dict[str, Any]) -> None:
    text = (core / "gated" / "netlist.v").read_text()
    for module in re.findall(r"^module .*?^endmodule", text, re.M | re.S):
        ends: dict[str, int] = {}
        for pin, net in re.findall(r"\.(\w+)\(([\w\[\]']+)\)", module):
            if pin not in ("Y", "Q", "GCK", "CK", "clk"):
                ends[net] = ends.get(net, 0) + 1
        # A port of the module counts for one more.
        assert max(ends.values(), default=0) <= 16, module[:60]
        assert "'b" not in module
        assert "assign" not in module
    assert "initial" not in text


def compared(folder: Path, samples: int, engine: Engine) -> tuple[int, int, list[str]]:
    counts = random_counts(5, NETWORK, samples)
    result = simulate(folder, counts, np.zeros(samples, dtype=np.int64), engine=engine)
    assert result["mismatches"] or result["cycles_per_inference"]["min"] > 50
    return result["mismatches"], result["cycle_mismatches"], result["details"]


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="needs Icarus Verilog (iverilog)")
def test_the_gates_give_the_same_answers_without_start_values(core: Path, gated: dict[str, Any]) -> None:
    """Four states: what a register holds before it is written is not known."""
    folder = open_netlist(core / "build", core / "gated")
    assert compared(folder, 20, "icarus") == (0, 0, [])


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="needs Icarus Verilog (iverilog)")
def test_a_wrong_gate_is_noticed(core: Path, gated: dict[str, Any], tmp_path: Path) -> None:
    shutil.copytree(core / "gated" / "simulation", tmp_path / "wrong", ignore=shutil.ignore_patterns("simulation-*"))
    verilog = tmp_path / "wrong" / "spikewright_core.v"
    begin, module, rest = verilog.read_text().partition("module spikewright_engine_lane0_update ")
    verilog.write_text(begin + module + rest.replace("  xor2 ", "  nor2 "))
    try:
        mismatches, _, details = compared(tmp_path / "wrong", 3, "icarus")
        assert mismatches > 0
        assert details
    except CheckFailed as error:
        assert "the simulation was stopped by its bench" in str(error)  # what is unknown reached an output


def test_gates_without_trace_ports_give_the_same_scores(core: Path) -> None:
    report = build_asic(
        core / "build",
        [core / "ten.lib"],
        gating="enable",
        out_dir=core / "plain",
        counts=random_counts(5, NETWORK, 8),
        progress=lambda line: None,
    )
    folder = open_netlist(core / "build", core / "plain")
    assert "trace_valid" not in (core / "plain" / "netlist.v").read_text()
    assert compared(folder, 20, "native") == (0, 0, [])
    assert report["registers"] > 300
    assert 0.3 < report["gated_registers"] / report["registers"] < 0.9
    energy = report["energy"]
    assert report["energy_nj"] == energy["inference_nj"] == pytest.approx(sum(energy["parts_nj"].values()), abs=1e-5)
    assert report["energy_nj"] == pytest.approx(sum(block["nj"] for block in energy["blocks"]), abs=1e-4)
    # At least the clock pins of registers whose clock always runs: two edges of 0.02 pJ a cycle.
    running = report["registers"] - report["gated_registers"]
    assert energy["parts_nj"]["clock"] > 2 * 0.02e-3 * running * energy["cycles"] > 0
    assert energy["parts_nj"]["leakage"] == pytest.approx(
        sum(report["cells"].values()) * 0.5e-9 * energy["cycles"] / 100e6 * 1e9, rel=0.01
    )
    assert energy["synaptic_ops"] <= energy["dense_synaptic_ops"]


def test_a_netlist_of_another_core_is_refused(core: Path, gated: dict[str, Any], tmp_path: Path) -> None:
    build(core / "model.safetensors", tmp_path / "other", lanes=2)
    with pytest.raises(InputError) as error:
        open_netlist(tmp_path / "other", core / "gated")
    of = tmp_path / "other" / "spikewright_core.v"
    assert str(error.value) == f"netlist {core / 'gated'} must be made of {of}, not of another core"
    with pytest.raises(InputError, match="must be a folder by `spikewright asic`, not one without simulation$"):
        open_netlist(core / "build", core / "build")


def test_memories_become_black_boxes(
    core: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the command, of a library without clock gating and constants."""
    monkeypatch.setattr(design, "BLACK_BOX_BITS", 64)
    network = random_network(3, (30, 2), timesteps=3, weight_bits=8, value_bits=1, density=0.9)
    save_model(tmp_path / "model.safetensors", network)
    argv = ["generate", tmp_path / "model.safetensors", "-o", tmp_path / "build", "--lanes", 1, "--weights", "loadable"]
    assert main([*map(str, argv), "--json"]) == 0
    name = "sky130_fd_sc_hd__ten"  # one of those for which LibreLane has a process
    (tmp_path / "seven.lib").write_text(ten_cells(("gate", "hi", "lo")).replace("(ten)", f"({name})", 1))
    capsys.readouterr()
    argv = ["asic", tmp_path / "build", "--liberty", tmp_path / "seven.lib", "--sram", "blackbox", "--trace", "--prove"]
    assert main([*map(str, argv), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["gating"], report["gated_registers"], report["kinds"]["macros"]) == (None, 0, None)
    assert sum(report["proven_registers"].values()) == report["registers"]
    macros = {memory["macro"] for memory in report["macros"]}
    assert macros
    assert all(memory["words"] * memory["bits"] >= 64 for memory in report["macros"])
    assert macros == {kind for kind in report["cells"] if kind.startswith("ram_")}
    folder = open_netlist(tmp_path / "build", tmp_path / "build" / f"asic-{name}")
    config = json.loads((folder.parent / "config.json").read_text())
    assert (config["DESIGN_NAME"], config["CLOCK_PERIOD"], set(config["MACROS"])) == ("spikewright_core", 10, macros)
    counts = random_counts(3, network, 3)
    result = simulate(folder, counts, np.zeros(3, dtype=np.int64), engine="native")
    assert (result["mismatches"], result["cycle_mismatches"], result["details"]) == (0, 0, [])


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="needs Icarus Verilog (iverilog)")
def test_registers_hold_what_a_macro_does_not(tmp_path: Path) -> None:
    """Four states: what such a macro read is unknown a cycle later, as is what it reads while it is written."""
    network = random_network(3, (24, 3, 2), recurrent=(False,), timesteps=3, weight_bits=4, value_bits=1)
    save_model(tmp_path / "model.safetensors", network)
    generate(tmp_path / "model.safetensors", tmp_path / "build", lanes=1, layers="shared", weights="loadable")
    (tmp_path / "ten.lib").write_text(ten_cells())
    (tmp_path / "map.toml").write_text(MAP)
    report = build_asic(
        tmp_path / "build",
        [tmp_path / "ten.lib"],
        sram=tmp_path / "map.toml",
        gating="none",
        trace=True,
        out_dir=tmp_path / "gates",
        progress=lambda line: None,
    )
    assert {memory["macro"] for memory in report["macros"]} == {"sram_64x8"}
    assert max(memory["macros"] for memory in report["macros"]) > 1
    text = (tmp_path / "gates" / "netlist.v").read_text()
    assert ".wmask({" in text or ".wmask(" in text
    counts = random_counts(3, network, 3)
    result = simulate(
        open_netlist(tmp_path / "build", tmp_path / "gates"), counts, np.zeros(3, dtype=np.int64), engine="icarus"
    )
    assert (result["mismatches"], result["cycle_mismatches"], result["details"]) == (0, 0, [])


def test_errors_are_one_line(core: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "bad.lib").write_text("library (bad) {")
    for argv, said in (
        (["--liberty", tmp_path / "bad.lib"], "must be a liberty file: line 1 must have the name of an attribute"),
        (["--liberty", core / "ten.lib", "--sram", tmp_path / "none.toml"], "none.toml: No such file or directory"),
        (["--liberty", core / "ten.lib", "--dont-use", "d*"], "must have a D flip-flop with a rising clock"),
    ):
        assert main(["asic", str(core / "build"), *map(str, argv), "-o", str(tmp_path / "out")]) == 2
        (line,) = [text for text in capsys.readouterr().err.splitlines() if "error" in text]
        assert said in line
        assert not (tmp_path / "out").exists()


def test_places_of_blocks() -> None:
    content = {"top": {"a": "m", "b": "m"}, "m": {"c": "n", "x": "inv"}, "n": {"y": "inv"}}
    modules = {
        name: {"ports": {}, "netnames": {}, "cells": {k: {"type": t, "connections": {}} for k, t in cells.items()}}
        for name, cells in content.items()
    }
    netlist = Netlist.from_json({"modules": modules}, "top")
    assert list(netlist.places()) == [("", "top"), ("a", "m"), ("a.c", "n"), ("b", "m"), ("b.c", "n")]
    assert netlist.counts() == {"top": 1, "m": 2, "n": 2}
    assert netlist.cells() == {"inv": 4}


REPORT = """@setup
Startpoint: a_reg (rising edge-triggered flip-flop clocked by clk)
Endpoint: core_engine/lane0/b_reg
          (rising edge-triggered flip-flop clocked by clk)
           2.50   slack (MET)

Startpoint: c_reg
            (rising edge-triggered flip-flop clocked by clk)
Endpoint: d_reg (rising edge-triggered flip-flop clocked by clk)
          -1.00   slack (VIOLATED)

Startpoint: e_reg (rising edge-triggered flip-flop clocked by clk)
Endpoint: f_reg (rising edge-triggered flip-flop clocked by clk)
           0.00   slack (MET)
@hold
Startpoint: g_reg (rising edge-triggered flip-flop clocked by clk)
Endpoint: h_reg (rising edge-triggered flip-flop clocked by clk)
           0.35   slack (MET)
@end
"""


def test_the_estimate_is_of_the_slowest_block() -> None:
    assert slowest_logic("\nnetlist 101 85 342 10750 961  50.0 44.7 104.5 0.06 34.2 29.4 98.3 0.11") == 1.004
    assert slowest_logic("\nnetlist 8 4 23 871 820 ") == 0.82
    assert slowest_logic("") is None
    assert slowest_logic("netlist of what one does not know") is None


def test_timing_is_read_by_block() -> None:
    assert read_report(REPORT, 9.0) == {
        "by": "OpenSTA",
        "fmax_mhz": 100.0,
        "setup_slack_ns": -1.0,
        "hold_slack_ns": 0.35,
        "paths": [
            {"block": "top", "from": "c_reg", "to": "d_reg", "slack_ns": -1.0},
            {"block": "engine.lane0", "from": "a_reg", "to": "core_engine/lane0/b_reg", "slack_ns": 2.5},
        ],
    }
    with pytest.raises(ToolTrouble, match=r"^OpenSTA must find paths, not none$"):
        read_report("@setup\n@hold\n@end\n", 9.0)


@pytest.mark.skipif(find_timer() is None, reason="needs OpenSTA (opensta)")
def test_the_gates_are_timed(core: Path, gated: dict[str, Any]) -> None:
    shutil.copyfile(core / "ten.lib", core / "gated" / "ten.lib")
    timer = str(find_timer())
    timing = time_netlist(timer, core / "gated", "spikewright_core", ["ten.lib"], 10.0, lambda line: None)
    assert timing["fmax_mhz"] == pytest.approx(1e3 / (10.0 - timing["setup_slack_ns"]), abs=0.01)
    assert timing["hold_slack_ns"] < 1
    with pytest.raises(ToolTrouble, match=r"^OpenSTA must work, not end early: "):
        time_netlist(timer, core / "gated", "spikewright_core", ["none.lib"], 10.0, lambda line: None)
