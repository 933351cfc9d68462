"""The records of what one core takes of every board and every family, and what is off them."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from spikewright_boards.catalog import names

ROOT = Path(__file__).parents[1]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "bench"))
    spec = importlib.util.spec_from_file_location("boards_bench", ROOT / "bench" / "boards.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_what_is_off_is_told(bench: ModuleType) -> None:
    row: dict[str, Any] = {"board": "x", "luts": 1000, "ffs": 100, "brams": 5, "dsps": 1, "fmax_mhz": 100.0}
    row["estimated"] = {"luts": 1200, "ffs": 80, "brams": 6}
    tolerance = {"luts": 0.05, "ffs": 0.03, "brams": 0, "dsps": 0, "fmax_mhz": 0.25}
    assert bench.deviations(row, row, tolerance) == []
    found = {**row, "luts": 1051, "fmax_mhz": 74.9, "estimated": {"luts": 1200, "ffs": 79, "brams": 4}}
    assert bench.deviations(found, row, tolerance) == [
        "x: luts 1051, baseline 1000 +- 5 %",
        "x: fmax_mhz 74.9, baseline 100.0 +- 25 %",
        "x: ffs estimated as 79, not within 20 % of 100",
    ]


def test_every_estimate_is_close_to_what_is_recorded(bench: ModuleType) -> None:
    record = json.loads(bench.RECORD.read_text("utf-8"))
    assert {"ecp5", "gowin", "ice40"} == {bench.find(row["board"]).device.family for row in record["rows"]}
    for row in record["rows"]:
        assert row["board"] in names()
        assert row["fmax_mhz"] >= row["clock_mhz"]
        assert bench.deviations(row, row, record["tolerance"]) == []


def test_nothing_that_is_recorded_dissolved() -> None:
    rows = json.loads((ROOT / "bench" / "families.json").read_text("utf-8"))["rows"]
    assert len(rows) > 3
    assert {row["verdict"] for row in rows} == {"nothing dissolved"}


def test_rows_come_one_at_a_time(bench: ModuleType, tmp_path: Path) -> None:
    path = tmp_path / "record.json"
    path.write_text('{"tolerance": 1, "rows": [{"lanes": 8, "family": "a", "luts": 3}]}')
    record = bench.Record(path, ("lanes", "family"))
    for lanes, family, luts in ((8, "a", 4), (1, "b", 1), (16, "a", 9)):
        record.put({"lanes": lanes, "family": family, "luts": luts})
        assert record.find(lanes, family) is not None
    assert record.find(1, "a") is None
    content = json.loads(path.read_text())
    assert content["tolerance"] == 1
    assert [(row["lanes"], row["luts"]) for row in content["rows"]] == [(1, 1), (8, 4), (16, 9)]
    assert [file.name for file in tmp_path.iterdir()] == ["record.json"]
