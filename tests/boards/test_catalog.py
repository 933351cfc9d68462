"""Every board is a file, and one more is known everywhere without another line."""

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hand_core import write_core
from random_networks import random_network
from spikewright.build.generate import build
from spikewright.cli.main import main
from spikewright.contract.devices import FAMILIES, TARGETS, Device
from spikewright.contract.errors import InputError
from spikewright.contract.stream import StreamFormat
from spikewright.integer.file import save_model
from spikewright.support.environment import amaranth_environment
from spikewright_boards import catalog
from spikewright_boards.catalog import FullBoard, find, names
from spikewright_boards.flow import tools
from spikewright_boards.flow.top import BoardTop, clock_of

ROOT = Path(__file__).parents[2]
EXTRA = {
    "tiny25f": {
        "available": {"luts": 24288, "ffs": 24288, "brams": 56, "dsps": 28},
        "clock": 40,
        "synth": "synth_ecp5 -abc9 -top top",
        "nextpnr": "--25k --package CABGA256 --speed 6 --router router2 --json top.json --lpf top.lpf",
        "bitstream": "top.bit",
    },
    "plain-hx8k": {
        "available": {"luts": 7680, "ffs": 7680, "brams": 32, "dsps": 0},
        "clock": 12,
        "synth": "synth_ice40 -device hx -abc9 -top top",
        "nextpnr": "--hx8k --package ct256 --json top.json --pcf top.pcf",
        "bitstream": "top.bin",
    },
}


NAMES = (
    *("colorlight-i5", "colorlight-i9", "icebreaker", "icesugar", "orangecrab-25f", "tangnano20k", "tangnano9k"),
    *("ulx3s-12f", "ulx3s-25f", "ulx3s-45f", "ulx3s-85f", "upduino-3"),
)


@pytest.fixture
def extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """The boards of the folder `extra`, known as long as a test runs."""
    monkeypatch.setattr(catalog, "__path__", [*catalog.__path__, str(Path(__file__).with_name("extra"))])


def test_names_are_those_of_the_files() -> None:
    assert names() == NAMES
    assert [find(name).name for name in names()] == list(names())


def test_one_board_more_is_found(extra: None) -> None:
    assert names() == tuple(sorted([*NAMES, "plain-hx8k", "tiny25f"]))
    assert [find(name).name for name in names()] == list(names())


@pytest.mark.parametrize("name", ["arty", "", "__init__"])
def test_unknown_boards_are_refused(name: str) -> None:
    with pytest.raises(InputError) as caught:
        find(name)
    assert str(caught.value) == f"board must be one of {', '.join(NAMES)}, not {name!r}"


def test_a_board_that_is_nearly_known_is_named() -> None:
    with pytest.raises(InputError) as caught:
        find("ulx3s_85f")
    assert str(caught.value) == (f"board must be one of {', '.join(NAMES)}, not 'ulx3s_85f'; did you mean ulx3s-85f?")


def test_boards_that_contradict_themselves_are_refused() -> None:
    def device(family: str) -> Device:
        return Device(name="X1", family=family, luts=1, ffs=1, brams=1, dsps=1, nextpnr_option="--x1")

    def board(device: Device, **options: Any) -> FullBoard:
        usual = {"name": "x", "clock_mhz": 12, "oscillator_mhz": 12, "queue_depth": 256, "nextpnr_options": ()}
        return FullBoard(device=device, platform=lambda: None, **(usual | options))

    for make, message in (
        (lambda: device("nexus"), "family of X1 must be one of ecp5, gowin, ice40, not 'nexus'"),
        (lambda: board(device("ice40"), pll=True), "pll of x must be False on ice40: only that of ECP5 is known"),
        (lambda: board(device("ecp5"), clock_mhz=24), "clock_mhz of x must be its oscillator's 12, not 24"),
    ):
        with pytest.raises(ValueError) as caught:
            make()
        assert str(caught.value) == message


def test_a_block_ram_is_worth_what_it_always_was(extra: None) -> None:
    """It is a part of what `generate` makes, whatever boards there are."""
    assert {name: FAMILIES[name].block_luts for name in TARGETS} == {"ecp5": 402, "gowin": 390, "ice40": 176}


@pytest.mark.parametrize("command", ["synth", "explore"])
def test_commands_list_the_boards(extra: None, capsys: pytest.CaptureFixture[str], command: str) -> None:
    assert main([command, "--help"]) == 0
    assert ", ".join(names()) in " ".join(capsys.readouterr().out.split())
    files = ["x"] if command == "synth" else ["x", "--data", "y"]
    assert main([command, *files, "--board", "arty"]) == 2
    assert capsys.readouterr().err == (
        f"spikewright: error: argument --board: must be one of {', '.join(names())}, not 'arty' "
        f"(see `spikewright {command} --help`)\n"
    )


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("model") / "model.safetensors"
    save_model(path, random_network(1, (140, 6, 20), weight_bits=5, value_bits=5, timesteps=100), {})
    return path


@pytest.mark.parametrize("name", list(EXTRA))
def test_generate_for_its_family(extra: None, model: Path, tmp_path: Path, name: str) -> None:
    manifest = build(model, tmp_path / "build", lanes=2, target=find(name).device.family)
    assert manifest["target"] == find(name).device.family
    assert [key for key in manifest["encodings"]["layer0"]["absolute"] if key.endswith("_brams")] == [
        f"{family}_brams" for family in TARGETS
    ]


@pytest.mark.parametrize("name", list(EXTRA))
def test_explore(extra: None, model: Path, capsys: pytest.CaptureFixture[str], name: str) -> None:
    assert main(["explore", str(model), "--data", "sample", "--samples", "1", "--board", name, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    expected = EXTRA[name]
    assert (report["board"], report["available"]) == (name, expected["available"])
    assert report["clock_mhz"] == expected["clock"]
    assert all(point["luts"] > find(name).family.top_luts for point in report["points"])
    # Events carry counts: each lane has a multiplier, if the device has any.
    assert any(point["fits"] for point in report["points"]) == (expected["available"]["dsps"] > 0)


def _fake(folder: Path, tool: str, prints: str, files: dict[str, Any]) -> None:
    lines = [f"printf '%s' '{json.dumps(content)}' > {name}" for name, content in files.items()]
    script = folder / f"yowasp-{tool}"
    script.write_text("\n".join(["#!/bin/sh", *lines, prints, ""]))
    script.chmod(0o755)


@pytest.mark.parametrize("name", list(EXTRA))
def test_synth(
    extra: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    expected, board = EXTRA[name], find(name)
    flow, available = board.flow, expected["available"]
    kinds = {flow.luts: "luts", flow.ffs: "ffs", flow.brams: "brams", flow.dsps: "dsps"}
    layout = {
        # nextpnr does not speak of what a device has none of.
        "utilization": {
            kind: {"used": 1, "available": available[key]} for kind, key in kinds.items() if kind and available[key]
        },
        "fmax": {"clk": {"achieved": 50.0, "constraint": expected["clock"]}},
        "critical_paths": [],
    }
    netlist = {"modules": {"top": {"cells": {}}}}
    _fake(tmp_path, "yosys", "cat yosys.ys", {"top.json": netlist, "memories.json": netlist})
    _fake(tmp_path, flow.nextpnr, 'echo "$@"', {"nextpnr.json": layout, f"top.{flow.layout[1]}": {}})
    _fake(tmp_path, flow.pack, 'echo "$@"', {expected["bitstream"]: "bits"})
    monkeypatch.setattr(tools, "sysconfig", SimpleNamespace(get_path=lambda kind: str(tmp_path)))
    build = write_core(tmp_path / "build")
    assert main(["synth", str(build), "--board", name, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["board"], report["available"]) == (name, available)
    assert (report["clock_mhz"], report["met"]) == (expected["clock"], True)
    assert report["dsps"] == (1 if available["dsps"] else 0)
    assert "sprams" not in report
    out = build / f"synth-{name}"
    assert report["bitstream"] == str(out / expected["bitstream"])
    assert f"\n{expected['synth']} -run map_ram:\n" in (out / "yosys.log").read_text()
    assert expected["nextpnr"] in (out / f"{flow.nextpnr}.log").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_the_pins_of_a_board_are_in_its_constraints(name: str, tmp_path: Path) -> None:
    """Its platform has the serial line, the lights and the clock that its top level asks for, each at a pin."""
    board = find(name)
    stream = StreamFormat(axon_bits=4, value_bits=3, input_bytes=1, output_bytes=2, classes=3, loadable=True)
    top = BoardTop(board, stream, clock_of(board))
    with amaranth_environment(tmp_path):
        files = board.platform().prepare(top, "top", debug_verilog=True).files
    text = files[f"top.{board.flow.constraints[1]}"]
    text = text if isinstance(text, str) else text.decode()
    shown = board.lights
    lights = {*shown.label, *filter(None, (shown.error, shown.ready))}
    expected = {"uart_0__rx", "uart_0__tx", *(f"{light}_{number}" for light, number in lights)}
    pins = re.findall(r'^(?:LOCATE COMP|set_io|IO_LOC) "?(\w+?)__io"? (?:SITE )?"?(\w+)"?;?$', text, re.MULTILINE)
    assert expected <= {port for port, _ in pins}
    assert len({port for port, _ in pins} - expected) == 1  # the clock
    assert len({pin for _, pin in pins}) == len(pins)


def test_a_gowin_board_is_placed_with_its_clock_and_packed_for_its_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    layout = {
        "utilization": {kind: {"used": 2, "available": 9} for kind in ("LUT4", "DFF", "BSRAM", "MULT9X9")},
        "fmax": {"clk": {"achieved": 50.0, "constraint": 27}},
        "critical_paths": [],
    }
    netlist = {"modules": {"top": {"cells": {}}}}
    _fake(tmp_path, "yosys", "cat yosys.ys", {"top.json": netlist, "memories.json": netlist})
    _fake(tmp_path, "nextpnr-himbaechel-gowin", 'echo "$@"', {"nextpnr.json": layout, "top.pnr.json": {}})
    _fake(tmp_path, "gowin_pack", 'echo "$@"', {"top.fs": "bits"})
    (tmp_path / "yowasp-gowin_pack").rename(tmp_path / "gowin_pack")
    monkeypatch.setattr(tools, "sysconfig", SimpleNamespace(get_path=lambda kind: str(tmp_path)))
    build = write_core(tmp_path / "build")
    assert main(["synth", str(build), "--board", "tangnano9k", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["luts"], report["ffs"], report["brams"], report["dsps"]) == (2, 2, 2, 2)
    out = build / "synth-tangnano9k"
    assert report["bitstream"] == str(out / "top.fs")
    assert "synth_gowin -noiopads -top top -run begin:map_ram" in (out / "yosys.log").read_text()
    assert (out / "nextpnr-himbaechel-gowin.log").read_text() == (
        "--vopt=family=GW1N-9C --device GW1NR-LV9QN88PC6/I5 --json top.json --vopt cst=top.cst --write top.pnr.json "
        "--report nextpnr.json --seed 1 --timing-allow-fail --freq 27\n"
    )


def test_the_documents_tell_of_the_same_boards() -> None:
    """The site's table is made of the boards; what else is said of each is said of every one."""
    page = (ROOT / "docs/reference/boards.md").read_text()
    assert "<!-- boards -->" in page
    for name in names():
        assert find(name).name.partition("-")[0] in page.lower()


def test_the_documents_tell_of_the_same_families() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(synth[^`]+)` \| ([^|]+) \|", (ROOT / "docs/proof.md").read_text(), re.M)
    assert rows == [(name, f"{of.synth} {of.netlist.options}", of.netlist.memories) for name, of in FAMILIES.items()]
