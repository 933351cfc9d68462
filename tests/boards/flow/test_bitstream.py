import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from hand_core import LOAD_PORTS, STREAM, write_core
from random_networks import random_network
from spikewright.contract.errors import CheckFailed, InputError
from spikewright.layout.pack import pack
from spikewright.support.files import write_json, write_manifest
from spikewright_boards.catalog import find, icebreaker, names
from spikewright_boards.flow import nextpnr, tools, yosys
from spikewright_boards.flow.bitstream import TimingMissed, synthesize
from spikewright_hw import ram
from spikewright_hw.verilog import generate

BASELINE = json.loads(Path(__file__).with_name("baseline.json").read_text())


def need(*names: str) -> None:
    for name in names:
        try:
            tools.find_tool(name)
        except InputError as error:
            pytest.skip(str(error))


def silent(line: str) -> None:
    pass


def _figures(board: str) -> dict[str, int]:
    """What the table of devices says, which nextpnr must say too."""
    return {name: getattr(find(board).device, name) for name in ("luts", "ffs", "brams", "dsps")}


@pytest.fixture(scope="module")
def small_network(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The network of the baseline, on iCEBreaker."""
    need("yosys", "nextpnr-ice40", "icepack")
    build = tmp_path_factory.mktemp("small") / "build"
    build.mkdir()
    network = random_network(**BASELINE["network"])
    write_manifest(build, generate(pack(network, BASELINE["lanes"], target="ice40"), build))
    lines: list[str] = []
    report = synthesize(build, "icebreaker", progress=lines.append)
    return {"build": build, "report": report, "lines": lines}


@pytest.mark.parametrize("key", ["luts", "ffs", "brams", "dsps", "fmax_mhz"])
def test_resources_stay_at_the_baseline(small_network: dict[str, Any], key: str) -> None:
    expected, tolerance = BASELINE["report"][key], BASELINE["tolerance"][key]
    found = small_network["report"][key]
    assert abs(found - expected) <= tolerance * expected, (
        f"{key}: {found}, baseline {expected} +- {100 * tolerance:g} %"
    )


def test_the_network_meets_its_clock_and_keeps_its_memories(small_network: dict[str, Any]) -> None:
    report = small_network["report"]
    assert report["met"] is True
    assert report["fmax_mhz"] > report["clock_mhz"] == 12
    assert report["available"] == {**_figures("icebreaker"), "sprams": find("icebreaker").device.single_port[0]}
    homes = {memory["name"]: memory["home"] for memory in report["memories"]}
    assert homes["bridge.bridge.queue.ram"] == "block RAM"
    assert homes["layer0.synapses.lane0.rom"] == "block RAM"
    assert set(homes.values()) <= {"block RAM", "logic"}
    assert not [memory["name"] for memory in report["memories"] if memory["emulated"]]
    assert sum(memory["blocks"] for memory in report["memories"]) == report["brams"]


def test_the_output_folder_is_complete(small_network: dict[str, Any]) -> None:
    report, build = small_network["report"], small_network["build"]
    out = build / "synth-icebreaker"
    assert report["bitstream"] == str(out / "top.bin")
    names = ["manifest.json", "nextpnr-ice40.log", "report.json", "top.bin", "yosys.log"]
    assert sorted(path.name for path in out.iterdir()) == names
    assert json.loads((out / "report.json").read_text()) == report
    # A bitstream of UP5K: the preamble, and about 100 kB.
    bits = (out / "top.bin").read_bytes()
    assert b"\x7e\xaa\x99\x7e" in bits[:200]
    assert len(bits) > 100_000
    assert not [path for path in build.iterdir() if path.name.startswith(".")]


def test_progress_names_every_step(small_network: dict[str, Any]) -> None:
    lines = small_network["lines"]
    for tool in ("yosys", "nextpnr-ice40", "icepack"):
        assert f"{tool} ..." in lines
        assert any(line.startswith(f"{tool}: done in ") for line in lines)


def test_ulx3s_bitstream_of_a_hand_written_core(tmp_path: Path) -> None:
    need("yosys", "nextpnr-ecp5", "ecppack")
    # A deep memory, which yosys would pack into five block RAMs with a multiplexer behind them.
    extra = """
        reg [12:0] deep [0:6551];
        initial $readmemh("deep.hex", deep);
        reg [15:0] extra;
        always @(posedge clk) extra <= deep[word[12:0]];
        """
    build = write_core(tmp_path / "build", extra, images={"deep": (6552, 13)})
    report = synthesize(build, "ulx3s-85f", clock_mhz=50, progress=silent)
    assert report["clock_mhz"] == 50
    assert report["met"] is True
    assert report["available"] == _figures("ulx3s-85f")
    homes = {memory["name"]: (memory["home"], memory["blocks"]) for memory in report["memories"]}
    assert homes == {
        "bridge.bridge.queue.ram": ("block RAM", 1),
        "core.deep": ("block RAM", 7),
        "core.image": ("block RAM", 1),
    }
    assert report["brams"] == 9
    assert report["dsps"] == 0
    bits = Path(report["bitstream"]).read_bytes()
    assert bits.startswith(b"\xff\x00")
    assert b"LFE5U-85F" in bits[:100]
    path = report["critical_path"]
    assert path["logic_ns"] + path["routing_ns"] == pytest.approx(1000 / report["fmax_mhz"], abs=0.05)


def test_a_core_that_is_loaded_at_run_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need("yosys", "nextpnr-ice40", "icepack")
    # Whatever the line brings is written into memories, which makes no sense but needs every wire.
    extra = """
        reg [9:0] place;
        wire [15:0] extra;
        wire [7:0] small;
        reg ended;
        spikewright_ram #(.WIDTH(16), .DEPTH(1024), .ADDRESS_BITS(10), .LOADED(1)) large (
            .clk(clk), .read_en(1), .read_addr(word[9:0]), .read_data(extra),
            .write_en(s_load_tvalid), .write_addr(place), .write_data({s_load_tdata, small}));
        spikewright_ram #(.WIDTH(8), .DEPTH(512), .ADDRESS_BITS(9), .LOADED(1)) less (
            .clk(clk), .read_en(1), .read_addr(place[8:0]), .read_data(small),
            .write_en(s_load_tvalid), .write_addr(place[8:0]), .write_data(s_load_tdata));
        assign s_load_tready = 1;
        assign loaded = ended & ^place;
        assign load_error = ended & ~^place;
        always @(posedge clk) begin
            ended <= s_load_tvalid & s_load_tlast;
            if (s_load_tvalid) place <= place + 1;
        end
        """
    memories = {"large": {"words": 1024, "width": 16}, "less": {"words": 512, "width": 8}}
    verilog = ["spikewright_core.v", "spikewright_ram.v"]
    build = write_core(tmp_path / "build", extra, ports=LOAD_PORTS, load={"memories": memories}, verilog=verilog)
    shutil.copy(Path(ram.__file__).with_name("spikewright_ram.v"), build)
    # One large memory with a single port: what is left is not enough for the other, if that were larger.
    device = replace(icebreaker.BOARD.device, single_port=(1, 1 << 14, 16))
    monkeypatch.setattr(icebreaker, "BOARD", replace(icebreaker.BOARD, device=device))
    report = synthesize(build, "icebreaker", progress=silent)
    assert report["met"] is True
    assert (report["brams"], report["sprams"], report["available"]["sprams"]) == (3, 1, 4)
    homes = {memory["name"]: (memory["home"], memory["blocks"]) for memory in report["memories"]}
    assert homes == {
        "bridge.bridge.queue.ram": ("block RAM", 1),
        "core.image": ("block RAM", 1),
        "core.large.single.words": ("block RAM", 1),
        "core.less.double.words": ("block RAM", 1),
    }


def test_a_memory_in_flip_flops_is_named(tmp_path: Path) -> None:
    need("yosys", "nextpnr-ice40", "icepack")
    # iCE40 has no memory that is read without a clock.
    extra = """
        reg [7:0] lost [0:15];
        wire [15:0] extra = lost[word[3:0]];
        always @(posedge clk) if (s_axis_tvalid) lost[s_axis_tdata[3:0]] <= s_axis_tdata;
        """
    build = write_core(tmp_path / "build", extra)
    with pytest.raises(CheckFailed) as caught:
        synthesize(build, "icebreaker", progress=silent)
    assert str(caught.value) == "no memory must dissolve into flip-flops, but these did: core.lost (16 x 8 bits)"
    assert sorted(path.name for path in build.iterdir()) == ["image.hex", "manifest.json", "spikewright_core.v"]


def test_a_missed_clock_is_reported_with_its_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    need("yosys", "nextpnr-ice40", "icepack")
    # No block RAM of UP5K is that fast.
    monkeypatch.setattr(icebreaker, "BOARD", replace(icebreaker.BOARD, oscillator_mhz=96, clock_mhz=96))
    build = write_core(tmp_path / "build")
    with pytest.raises(TimingMissed) as caught:
        synthesize(build, "icebreaker", out_dir=tmp_path / "out", progress=silent)
    report = caught.value.report
    assert report["met"] is False
    assert 12 < report["fmax_mhz"] < 96
    assert str(caught.value) == (
        f"icebreaker must reach 96 MHz, not {report['fmax_mhz']:.1f} MHz "
        f"(from {report['critical_path']['from']} to {report['critical_path']['to']}; see {tmp_path}/out/report.json)"
    )
    assert json.loads((tmp_path / "out" / "report.json").read_text()) == report
    assert (tmp_path / "out" / "top.bin").is_file()


def test_a_core_that_does_not_fit(tmp_path: Path) -> None:
    need("yosys", "nextpnr-ice40", "icepack")
    extra = """
        (* no_rw_check *) reg [15:0] big [0:8191];
        reg [15:0] extra;
        always @(posedge clk) begin
            extra <= big[word[12:0]];
            if (s_axis_tvalid) big[{s_axis_tdata, word[4:0]}] <= word;
        end
        """
    build = write_core(tmp_path / "build", extra)
    with pytest.raises(CheckFailed, match=r"^the design must fit icebreaker: .*ICESTORM_RAM"):
        synthesize(build, "icebreaker", out_dir=tmp_path / "out", progress=silent)
    assert not (tmp_path / "out").exists()


def test_a_core_that_is_no_verilog(tmp_path: Path) -> None:
    need("yosys", "nextpnr-ice40", "icepack")
    build = write_core(tmp_path / "build", "reg [")
    with pytest.raises(InputError) as caught:
        synthesize(build, "icebreaker", progress=silent)
    assert str(caught.value).startswith(
        f"{build}/spikewright_core.v must be the core of its manifest, not what yosys rejects: syntax error"
    )


def test_an_interrupt_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(name: str, arguments: object, work: Path, progress: object) -> None:
        assert sorted(path.name for path in work.iterdir()) == [
            "image.hex",
            "spikewright_core.v",
            "top.pcf",
            "top.v",
            "yosys.ys",
        ]
        raise KeyboardInterrupt

    need("yosys", "nextpnr-ice40", "icepack")
    monkeypatch.setattr(yosys, "run_tool", interrupt)
    build = write_core(tmp_path / "build")
    with pytest.raises(KeyboardInterrupt):
        synthesize(build, "icebreaker")
    assert sorted(path.name for path in build.iterdir()) == ["image.hex", "manifest.json", "spikewright_core.v"]


@pytest.fixture
def no_tools(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is checked before anything runs."""

    def run(*arguments: object) -> None:
        raise AssertionError("no tool must run")

    monkeypatch.setattr(yosys, "run_tool", run)
    monkeypatch.setattr(nextpnr, "run_tool", run)


def test_bad_requests(no_tools: None, tmp_path: Path) -> None:
    build = write_core(tmp_path / "build")
    for options, message in (
        ({"board": "arty"}, f"board must be one of {', '.join(names())}, not 'arty'"),
        ({"board": "icebreaker", "seed": -1}, "seed must be at least 0, not -1"),
        (
            {"board": "icebreaker", "clock_mhz": 24.0},
            "the clock of icebreaker must be its oscillator's 12 MHz, not 24 MHz",
        ),
        ({"board": "ulx3s-85f", "clock_mhz": 900.0}, "no PLL setting makes 900 MHz of 25 MHz"),
        ({"board": "ulx3s-85f", "clock_mhz": 5.0}, "baud must be at most 625000 at 5e+06 Hz, not 1000000"),
    ):
        with pytest.raises(InputError) as caught:
            synthesize(build, **options)  # type: ignore[arg-type]
        assert str(caught.value) == message


def test_bad_build_folders(no_tools: None, tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"/none must be a folder by `spikewright generate`, not one without manifest\.json$"
    ):
        synthesize(tmp_path / "none", "icebreaker")
    build = write_core(tmp_path / "build")
    (build / "image.hex").unlink()
    with pytest.raises(InputError) as caught:
        synthesize(build, "icebreaker")
    assert str(caught.value) == (f"{build} must hold image.hex: it is no complete folder by `spikewright generate`")
    build = write_core(tmp_path / "other", stream={**STREAM, "output_bytes": 3})
    with pytest.raises(InputError) as caught:
        synthesize(build, "icebreaker")
    assert str(caught.value) == f"{build}/spikewright_core.v must have 24 bits of m_axis_tdata, as its manifest says"
    write_json(build / "manifest.json", {"images": {}, "load": {}, "stream": STREAM})
    with pytest.raises(InputError) as caught:
        synthesize(build, "icebreaker")
    assert str(caught.value) == f"{build}/spikewright_core.v must have a load port, as its manifest says"
    build = write_core(tmp_path / "loaded", ports=LOAD_PORTS)
    with pytest.raises(InputError) as caught:
        synthesize(build, "icebreaker")
    assert str(caught.value) == f"{build}/spikewright_core.v must have no load port, as its manifest says"
    for images in ({"../image": {}}, ["image"], None):
        write_json(build / "manifest.json", {"images": images, "stream": STREAM})
        with pytest.raises(InputError) as caught:
            synthesize(build, "icebreaker")
        assert str(caught.value) == f"{build}/manifest.json: images must be an object with names of memory images"


def test_a_missing_tool_is_found_out_first(no_tools: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools.shutil, "which", lambda name, path=None: None)
    with pytest.raises(InputError, match=r"^yosys must be installed, not missing: "):
        synthesize(write_core(tmp_path / "build"), "icebreaker")
