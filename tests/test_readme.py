"""README, Makefile, continuous integration and the page of the first hour stay in step."""

import argparse
import json
import re
import shlex
from collections.abc import Iterable
from pathlib import Path

import pytest

from spikewright.cli.main import build_parser, main

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
START = (ROOT / "docs" / "start.md").read_text()
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
MAKEFILE = (ROOT / "Makefile").read_text()


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def commands(text: str, language: str = "sh") -> list[list[str]]:
    lines = [line for block in blocks(text, language) for line in block.replace("\\\n", " ").splitlines()]
    return [words for line in lines if (words := shlex.split(line, comments=True))]


SPIKEWRIGHT = [words for words in commands(START) if words[0] == "spikewright"]
SHOWN = sorted(
    {
        shlex.join(words)
        for path in DOCUMENTS
        for language in ("sh", "text")
        for block in blocks(path.read_text(), language)
        for line in block.replace("\\\n", " ").splitlines()
        if line.startswith("spikewright ") and "..." not in line
        for words in [shlex.split(line, comments=True)]
    }
)
"""Every command that a document shows as it is to be typed."""


def test_the_two_commands_come_first_and_are_targets() -> None:
    assert blocks(README, "sh")[0] == "make demo\nmake test\n"
    assert [words for words in commands(README) if words[0] == "make"] == [["make", "demo"], ["make", "test"]]
    for target in ("demo", "test"):
        assert re.search(rf"^{target}:", MAKEFILE, re.MULTILINE)
        assert re.search(rf"^\.PHONY:.*\b{target}\b", MAKEFILE, re.MULTILINE)


def test_continuous_integration_calls_make_test() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & 0o111
    assert [line for line in script.read_text().splitlines() if "make" in line] == ["exec make test"]


def test_make_runs_what_the_readme_says() -> None:
    recipes = dict(re.findall(r"^(\w+):.*\n((?:\t.*\n)+)", MAKEFILE, re.MULTILINE))
    assert recipes["demo"] == "\t@$(VENV)/bin/spikewright demo\n"
    assert "-m pytest" in recipes["test"]


def test_the_documents_show_commands_that_parse() -> None:
    assert len(SHOWN) > 30
    for command in SHOWN:
        build_parser().parse_args(shlex.split(command)[1:])


def test_the_readme_is_short() -> None:
    assert len(README.split()) <= 900


def test_every_command_is_shown() -> None:
    shown = {" ".join(words[1:3]) if words[1] == "data" else words[1] for words in SPIKEWRIGHT}
    assert shown == {
        "data synth",
        "data info",
        "train",
        "evaluate",
        "sweep",
        "report",
        "quantize",
        "generate",
        "simulate",
        "explore",
        "synth",
    }
    assert "`spikewright data fetch shd" in " ".join(START.split())


def test_nothing_is_left_to_fill_in() -> None:
    assert "<!--" not in README


def test_the_reference_has_the_keys_of_every_command() -> None:
    page = (ROOT / "docs" / "reference" / "json.md").read_text()
    parsers = dict(subparsers(build_parser()))
    below = [f"data {name}" for name, _ in subparsers(parsers.pop("data"))]
    assert set(re.findall(r"^## `(.*)`$", page, re.MULTILINE)) == {*parsers, *below}


def subparsers(parser: argparse.ArgumentParser) -> Iterable[tuple[str, argparse.ArgumentParser]]:
    [found] = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    return found.choices.items()


# What makes the README's commands quick; of an option that is given twice, the last one counts.
QUICKER = {
    "data synth": ["--samples-per-class", "2"],
    "train": ["--set", "epochs=1", "--set", "validation_speakers=[]"],
    "sweep": [
        "--set",
        "epochs=1",
        "--set",
        "validation_speakers=[]",
        "--lambdas",
        "0.03",
        "--seeds",
        "0",
        "--jobs",
        "1",
    ],
    "simulate": ["--samples", "1"],
    "explore": ["--samples", "1"],
}


def test_the_pipeline_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    for words in SPIKEWRIGHT:
        name = " ".join(words[1:3]) if words[1] == "data" else words[1]
        if name == "synth":  # takes minutes; `tests/boards` makes bitstreams
            assert words[2] == "build"
            continue
        assert main([*words[1:], *QUICKER.get(name, []), "--json"]) == 0, words
        report = json.loads(capsys.readouterr().out)
        if name == "simulate":
            assert (report["mismatches"], report["cycle_mismatches"]) == (0, 0)
    assert (tmp_path / "build" / "spikewright_core.v").is_file()
