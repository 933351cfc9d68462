"""The site: what its pages are made of, and that it builds without a warning and without the network."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from spikewright.cli.main import build_parser
from spikewright_boards.catalog import names

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def hooks() -> ModuleType:
    spec = importlib.util.spec_from_file_location("site_hooks", ROOT / "docs" / "hooks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_reference_has_every_command_and_option(hooks: ModuleType) -> None:
    sections = re.split(r"^## ", hooks.commands(), flags=re.MULTILINE)[1:]
    parsers = dict(hooks.leaves(build_parser()))
    assert len(parsers) > 10
    for (name, parser), section in zip(parsers.items(), sections, strict=True):
        assert section.startswith(f"`spikewright {name}")
        for action in parser._actions:
            option = action.option_strings[0] if action.option_strings else str(action.metavar or action.dest)
            assert option in ("-h", "--json") or f"| `{option}" in section, f"{name} {option}"


def test_the_reference_has_every_setting(hooks: ModuleType) -> None:
    tables = hooks.settings()
    assert "## `[[network.layers]]`" in tables
    for setting in ("target_sparsity", "max_delay", "channel_shift", "teachers", "pool"):
        assert re.search(rf"^\\| `{setting}` \\| ", tables, re.MULTILINE)


def test_the_reference_has_every_public_name(hooks: ModuleType) -> None:
    import spikewright

    named = re.findall(r"^ +heading: sw\.(\w+)$", hooks.api(), re.MULTILINE)
    assert len(named) > 20
    assert [*named, "__version__"] == sorted(spikewright.__all__, key=[*named, "__version__"].index)


def test_the_reference_has_every_board(hooks: ModuleType) -> None:
    assert re.findall(r"^\\| `([\w-]+)` ", hooks.boards(), re.MULTILINE) == list(names())


def test_drawings_follow_the_colours_of_the_page(hooks: ModuleType) -> None:
    page = hooks.on_page_markdown("![A core](../assets/layer-light.svg)")
    assert page == "![A core](../assets/layer-light.svg#only-light)![A core](../assets/layer-dark.svg#only-dark)"


def test_the_site_builds_without_a_warning_and_asks_no_server(tmp_path: Path) -> None:
    pytest.importorskip("material", reason="needs the tools of the site: pip install 'spikewright[docs]'")
    pytest.importorskip("mkdocstrings", reason="needs the tools of the site: pip install 'spikewright[docs]'")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    result = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) > 25
    for page in pages:
        text = page.read_text("utf-8")
        # Links may lead elsewhere; what a browser fetches by itself may not.
        fetched = re.findall(r"<(?:script|img|source|iframe)[^>]*src=[\"']?([^\"' >]+)", text)
        fetched += re.findall(r"<link[^>]*rel=[\"']?stylesheet[^>]*href=[\"']?([^\"' >]+)", text)
        assert [address for address in fetched if re.match(r"(https?:)?//", address)] == [], page
        assert "<!-- " not in text.partition("<main")[2].partition("</main>")[0], page
