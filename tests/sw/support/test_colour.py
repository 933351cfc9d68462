"""Colour is for terminals."""

import io
import sys

import pytest

from spikewright.cli.base import Outcome
from spikewright.cli.main import main
from spikewright.support.colour import paint
from spikewright.support.progress import bar


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")


def test_a_terminal_has_colour() -> None:
    assert paint("error", "red", Terminal()) == "\x1b[31merror\x1b[0m"
    assert paint("error", "red", io.StringIO()) == "error"


@pytest.mark.parametrize(
    ("name", "value", "painted"),
    [("NO_COLOR", "1", False), ("NO_COLOR", "", True), ("TERM", "dumb", False), ("TERM", "linux", True)],
)
def test_who_wants_none_gets_none(name: str, value: str, painted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(name, value)
    assert (paint("x", "bold", Terminal()) != "x") == painted


def in_terminal(monkeypatch: pytest.MonkeyPatch, *argv: str) -> str:
    """All that a command writes to its terminal."""
    terminal = Terminal()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", terminal)
        patch.setattr(sys, "stderr", terminal)
        main(list(argv))
    return terminal.getvalue()


def test_help_in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    text = in_terminal(monkeypatch, "train", "--help")
    for heading in ("usage", "positional arguments", "options", "example"):
        assert f"\n\x1b[1m{heading}\x1b[0m:" in "\n" + text
    assert text.count("\x1b") == 8
    monkeypatch.setenv("NO_COLOR", "1")
    assert in_terminal(monkeypatch, "train", "--help") == text.replace("\x1b[1m", "").replace("\x1b[0m", "")


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("trian",), "argument COMMAND: must be one of"),
        (("evaluate", "nobody", "--data", "sample"), "checkpoint must be a file"),
    ],
)
def test_errors_in_a_terminal(argv: tuple[str, ...], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert in_terminal(monkeypatch, *argv).startswith(f"spikewright: \x1b[31merror\x1b[0m: {message}")
    monkeypatch.setenv("NO_COLOR", "1")
    assert in_terminal(monkeypatch, *argv).startswith(f"spikewright: error: {message}")


def test_marked_words_of_a_table() -> None:
    outcome = Outcome({}, [("make", "ok      4.3"), ("g++", "missing not ok")], marks={"ok": "green", "missing": "red"})
    assert outcome.table(Terminal()) == "make  \x1b[32mok\x1b[0m      4.3\ng++   \x1b[31mmissing\x1b[0m not ok"
    assert outcome.table(io.StringIO()) == "make  ok      4.3\ng++   missing not ok"


def test_a_bar_has_the_colours_of_its_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    for environment, codes in ((("TERM", "xterm"), True), (("NO_COLOR", "1"), False)):
        monkeypatch.setenv(*environment)
        monkeypatch.setattr(sys, "stderr", terminal := Terminal())
        list(bar(range(3)))
        assert ("\x1b[32m" in terminal.getvalue()) == codes
