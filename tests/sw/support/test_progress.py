import io
import re
import sys
import time

import pytest

from spikewright.support.progress import bar, duration, step


def test_a_long_step_is_announced_and_timed(capsys: pytest.CaptureFixture[str]) -> None:
    with step("Baking", quiet_for=0.01):
        time.sleep(0.1)
    out, err = capsys.readouterr()
    assert out == ""
    assert re.fullmatch(r"Baking \.\.\.\nBaking: done in 0\.\d s\n", err)


def test_a_short_step_is_silent(capsys: pytest.CaptureFixture[str]) -> None:
    with step("Baking", quiet_for=60):
        pass
    assert capsys.readouterr() == ("", "")


def test_zero_announces_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    with step("Baking", quiet_for=0):
        assert capsys.readouterr().err == "Baking ...\n"
    assert capsys.readouterr().err == "Baking: done in 0.0 s\n"


def test_a_failed_step_is_not_done(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(RuntimeError), step("Baking", quiet_for=0):
        raise RuntimeError
    assert capsys.readouterr().err == "Baking ...\n"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0, "0 s"), (89.4, "89 s"), (90, "2 min"), (5369, "89 min"), (5400, "1 h 30 min"), (12180, "3 h 23 min")],
)
def test_a_duration_is_told_to_the_unit_that_matters(seconds: float, words: str) -> None:
    assert duration(seconds) == words


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("stream", "drawn"), [(Terminal(), True), (io.StringIO(), False)])
def test_a_bar_is_for_terminals(stream: io.StringIO, drawn: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", stream)
    list(bar(range(3), desc="Baking"))
    assert ("Baking" in stream.getvalue()) == drawn


def test_no_bar_where_none_is_wanted(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    list(bar(range(3), show=False))
    assert terminal.getvalue() == ""
