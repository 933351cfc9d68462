"""A block of two registers, one of them with an enable, against gates of the library of ten cells."""

import copy
from pathlib import Path
from typing import Any

import pytest

from spikewright.contract.errors import CheckFailed, ToolTrouble
from spikewright_boards.asic.equivalence import prove_equal
from spikewright_boards.asic.gates import GateModule, Instance, Netlist
from spikewright_boards.asic.library import Library
from ten_cells import ten_cells

PORTS = {
    "clk": {"direction": "input", "bits": [2]},
    "on": {"direction": "input", "bits": [3]},
    "d": {"direction": "input", "bits": [4]},
    "q": {"direction": "output", "bits": [6]},
}
CELLS = {
    "$a": {"type": "$_DFFE_PP_", "connections": {"C": [2], "D": [4], "E": [3], "Q": [5]}},
    "$b": {"type": "$_DFF_P_", "connections": {"C": [2], "D": [7], "Q": [6]}},
    "$x": {"type": "$_XOR_", "connections": {"A": [5], "B": [6], "Y": [7]}},
}
LOGIC: dict[str, Any] = {"modules": {"top": {"ports": PORTS, "cells": CELLS}}}
GATES = {
    "on_gate": Instance("gate", {"CK": [2], "E": [3], "GCK": [8]}),
    "a_reg": Instance("dff", {"CK": [8], "D": [4], "Q": [5]}, "$a"),
    # As registers gate themselves: the clock runs if what it would hold is not what it holds.
    "self_gate": Instance("gate", {"CK": [2], "E": [5], "GCK": [9]}),
    "b_reg": Instance("dff", {"CK": [9], "D": [7], "Q": [6]}, "$b"),
    "u1": Instance("xor2", {"A": [5], "B": [6], "Y": [7]}, "$x"),
}


@pytest.fixture
def library(tmp_path: Path) -> Library:
    (tmp_path / "ten.lib").write_text(ten_cells())
    return Library.read(tmp_path / "ten.lib")


def proven(library: Library, tmp_path: Path, changes: dict[str, Instance]) -> dict[str, int]:
    ports = {name: (port["direction"], port["bits"]) for name, port in PORTS.items()}
    module = GateModule("top", copy.deepcopy(ports), {**copy.deepcopy(GATES), **changes}, {})  # type: ignore[arg-type]
    return prove_equal(LOGIC, Netlist("top", {"top": module}), library, tmp_path, lambda line: None)


def test_gated_clocks_are_equal_to_enables(library: Library, tmp_path: Path) -> None:
    assert proven(library, tmp_path, {}) == {"top": 2}


@pytest.mark.parametrize(
    "changes",
    [
        {"on_gate": Instance("gate", {"CK": [2], "E": [4], "GCK": [8]})},
        {"on_gate": Instance("gate", {"CK": [9], "E": [3], "GCK": [8]})},
        {"self_gate": Instance("gate", {"CK": [2], "E": [6], "GCK": [9]})},
        {"u1": Instance("nor2", {"A": [5], "B": [6], "Y": [7]}, "$x")},
    ],
    ids=["other enable", "behind another gate", "off while it changes", "other gate"],
)
def test_what_is_not_equal_is_noticed(library: Library, tmp_path: Path, changes: dict[str, Instance]) -> None:
    with pytest.raises(CheckFailed, match=r"^block top must do what its logic does, not something else$"):
        proven(library, tmp_path, changes)


def test_a_clock_must_come_from_the_block(library: Library, tmp_path: Path) -> None:
    changes = {"a_reg": Instance("dff", {"CK": [4], "D": [4], "Q": [5]}, "$a")}
    with pytest.raises(CheckFailed, match=r"^block top must clock registers by its own clock, not by 4$"):
        proven(library, tmp_path, changes)
    changes = {"a_reg": Instance("dff", {"CK": [2], "D": [4], "Q": [5]}, "$other")}
    with pytest.raises(CheckFailed, match=r"^block top must have what its logic has, not clear__24_other of its own$"):
        proven(library, tmp_path, changes)


def test_what_is_not_decided_is_no_verdict(library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spikewright_boards.asic.equivalence.run_tool", lambda *arguments: None)
    with pytest.raises(ToolTrouble, match=r"^abc must decide whether block top is equal, not end with nothing$"):
        proven(library, tmp_path, {})
