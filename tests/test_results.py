"""The pages of results and the drawings are what the commands write from committed figures."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

BENCH = Path(__file__).parents[1] / "bench"


def module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, BENCH / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules[name] = found
    spec.loader.exec_module(found)
    return found


@pytest.fixture
def results(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCH))
    return module("results")


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(BENCH))
    return module("figures")


NETWORKS: dict[str, dict[str, Any]] = {
    "adam": {"checkpoint": "a", "seeds": {"0": {"float": 88.0, "shipped": True}, "1": {"float": 90.0}, "2": {}}}
}
SOURCES = {"command": "make it", "data": "some", "seeds": "0, 1", "spread": "deviation"}


def test_pages_are_what_the_command_writes(results: ModuleType) -> None:
    files = results.written()
    assert len(files) > 5
    stale = [path.name for path, text in files.items() if not path.is_file() or path.read_text("utf-8") != text]
    assert stale == [], "run `make results`"


def test_drawings_are_what_the_command_draws(figures: ModuleType) -> None:
    files = figures.written()
    assert len(files) == 2 * len(figures.DRAWINGS)
    stale = [path.name for path, text in files.items() if not path.is_file() or path.read_text("utf-8") != text]
    assert stale == [], "run `make results`"


def test_no_page_is_left_that_no_figures_make(results: ModuleType) -> None:
    assert {path for path in results.written() if path.parent == results.PAGES} == set(results.PAGES.glob("*.md"))


def test_the_spikes_that_are_drawn_are_equal(figures: ModuleType) -> None:
    import json

    python, verilog = json.loads((figures.DATA / "raster.json").read_text("utf-8"))["spikes"].values()
    assert python == verilog
    assert sum(len(step) for layer in python for step in layer) > 1000


def test_mean_and_deviation_stand_where_a_text_names_them(results: ModuleType) -> None:
    text = results.filled("{adam.float}, not {adam.float.1}", NETWORKS)
    assert text.replace("\N{NO-BREAK SPACE}", " ") == "89.0 ± 1.4 %, not 90.0 %"
    with pytest.raises(KeyError):
        results.filled("{adamant.float}", NETWORKS)


def test_a_table_has_a_row_for_every_seed(results: ModuleType) -> None:
    rows = results.seed_rows("adam", NETWORKS)
    assert [row[1] for row in rows] == ["0 (shipped)", "1", "2", "mean ± deviation"]
    assert [row[4].replace("\N{NO-BREAK SPACE}", " ") for row in rows] == ["88.0 %", "90.0 %", "", "89.0 ± 1.4 %"]


@pytest.mark.parametrize("key", ["command", "data", "seeds", "spread"])
def test_no_figure_is_without_its_source(results: ModuleType, key: str) -> None:
    of = {"title": "T", "columns": ["a"], "rows": [["1"]], **SOURCES, key: ""}
    with pytest.raises(ValueError, match=f"table 'T' must say {key} of its figures"):
        results.sources(of, NETWORKS)


def test_rows_of_another_width_are_refused(results: ModuleType) -> None:
    with pytest.raises(ValueError, match="rows of 'T' must have 2 cells, not 1"):
        results.table({"title": "T", "columns": ["a", "b"], "rows": [["1"]]}, NETWORKS)


def test_rows_of_a_record_are_texts_and_formats(
    results: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(results, "ROOT", tmp_path)
    row = '{"lanes": %d, "name": "x", "luts": 1234, "of": {"luts": 5678}}'
    (tmp_path / "record.json").write_text(f'{{"rows": [{row % 1}, {row % 8}]}}')
    keys = ["lanes", "name", "luts", "`{name}`: {of[luts]:,}"]
    assert results.rows_of("record.json", keys) == [[lanes, "x", "1,234", "`x`: 5,678"] for lanes in ("1", "8")]
    assert [row[0] for row in results.rows_of("record.json", keys, {"lanes": 8})] == ["8"]


def test_the_readme_has_its_table_replaced_and_nothing_else(results: ModuleType) -> None:
    readme = "# T\n\n## Figures\n\ntext\n\n| a |\n|---|\n| 1 |\n\nmore\n\n## Next\n\n| b |\n"
    assert results.with_headlines(readme, "| x |\n") == readme.replace("| a |\n|---|\n| 1 |\n", "| x |\n")
    with pytest.raises(ValueError, match="must have a table in a section"):
        results.with_headlines("# T\n", "| x |\n")
