"""Cores with names of their own: simulated, and side by side in one design."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from random_networks import random_counts, random_network
from spikewright.build.generate import build
from spikewright.contract.errors import InputError
from spikewright.integer.file import save_model
from spikewright_sim.runner import simulate

NETWORK = random_network(5, (6, 5, 3), recurrent=(True,), timesteps=9)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    save_model(path, NETWORK)
    return path


def test_a_named_core_is_simulated(model: Path, tmp_path: Path) -> None:
    manifest = build(model, tmp_path / "left", 2, name="left_core")
    assert manifest["verilog"] == ["left_core.v", "left_ram.v", "left_rom.v"]
    for name in ("left_core.core", "kit/left_core_tb.v"):
        assert (tmp_path / "left" / name).is_file()
    counts = random_counts(7, NETWORK, 4)
    report = simulate(tmp_path / "left", counts, np.zeros(4, dtype=np.int64), engine="native")
    assert report["mismatches"] == report["cycle_mismatches"] == 0


@pytest.mark.parametrize("name", ["", "1st", "a-b", "a b", "x" * 101])
def test_a_name_is_a_word(name: str, model: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError) as error:
        build(model, tmp_path / "out", 1, name=name)
    assert str(error.value) == f"name must be a word of letters, digits and underscores, not {name!r:.60}"
    assert list(tmp_path.iterdir()) == []


BENCH = """
module bench;
    reg clk = 0;
    reg rst = 1;
    reg [1:0] valid = 0;
    wire [1:0] taken, answered;
    always #1 clk = !clk;
    left_core #(.IMAGES("{folder}/left/")) left (.clk(clk), .rst(rst), .s_axis_tdata(8'h{mark:x}), .s_axis_tlast(1'b1),
        .s_axis_tvalid(valid[0]), .s_axis_tready(taken[0]), .m_axis_tready(1'b1), .m_axis_tvalid(answered[0]));
    right #(.IMAGES("{folder}/right/")) right (.clk(clk), .rst(rst), .s_axis_tdata(8'h{mark:x}), .s_axis_tlast(1'b1),
        .s_axis_tvalid(valid[1]), .s_axis_tready(taken[1]), .m_axis_tready(1'b1), .m_axis_tvalid(answered[1]));
    always @(posedge clk) valid <= valid & ~taken;
    integer answers = 0;
    always @(posedge clk) if (!rst) answers <= answers + answered[0] + answered[1];
    initial begin
        #8 rst = 0;
        #2 valid = 2'b11;
        #2000 $display("answers %0d", answers);
        $finish;
    end
endmodule
"""


@pytest.mark.skipif(shutil.which("iverilog") is None, reason="Icarus Verilog (iverilog) is not installed")
def test_two_cores_in_one_design_answer_in_four_states_from_another_folder(model: Path, tmp_path: Path) -> None:
    for name, folder, lanes in (("left_core", "left", 1), ("right", "right", 2)):
        manifest = build(model, tmp_path / folder, lanes, name=name)
    mark = 1 << manifest["stream"]["mark_bit"]
    (tmp_path / "bench.v").write_text(BENCH.format(folder=tmp_path, mark=mark))
    sources = ["bench.v", *sorted(str(path.relative_to(tmp_path)) for path in tmp_path.glob("*/*.v"))]
    command = ["iverilog", "-g2005", "-Wall", "-Wno-timescale", "-s", "bench", "-o", "bench.vvp", *sources]
    compiled = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert (compiled.returncode, compiled.stdout + compiled.stderr) == (0, "")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    ran = subprocess.run(["vvp", "../bench.vvp"], cwd=elsewhere, capture_output=True, text=True)
    # Without initial values, an unknown state that outlives the reset would swallow an answer. One step is a sample.
    assert ran.stdout.splitlines()[-1] == f"answers {2 * (NETWORK.layers[-1].neurons + 1)}"
