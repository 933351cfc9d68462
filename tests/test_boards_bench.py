"""The record of what one core takes of every board, and what is off it."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def bench() -> ModuleType:
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
