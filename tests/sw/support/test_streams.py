import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

COMMAND = """
import os, sys
from types import SimpleNamespace
from spikewright.cli import commands
from spikewright.cli import main as cli
from spikewright.cli.base import Outcome, add_command
from spikewright.support.progress import say, step

def run(args):
    say("λ = 0.1")
    with step("Größe", quiet_for=0):
        pass
    with open(sys.argv[1], "w") as file:
        file.write(str(file.fileno()))
    os.system("echo child")
    failed = "schlecht: ü" if "fail" in sys.argv[1] else None
    return Outcome({"name": "fünf"}, [("λ", "0.1 ± 0.2, f\\udcfcnf")], failed)

def add(subparsers):
    add_command(subparsers, "fake", run, summary="pretend – ü", details="λ", example="")

commands.COMMANDS = (SimpleNamespace(add=add),)
sys.exit(cli.main(sys.argv[2:]))
"""


def shell(redirections: str, out: Path, *argv: str, **environment: str) -> tuple[int, str, str]:
    """Status of the command in a shell, and what arrived on its streams."""
    command = f'"$0" "$@" {redirections}'
    done = subprocess.run(
        ["bash", "-c", command, sys.executable, "-c", COMMAND, str(out), *argv],
        capture_output=True,
        env={**os.environ, **environment},
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


@pytest.mark.parametrize(
    ("encoding", "table"),
    [
        ("ascii", "\\u03bb  0.1 \\xb1 0.2, f\\udcfcnf\n"),
        ("ascii:strict", "\\u03bb  0.1 \\xb1 0.2, f\\udcfcnf\n"),
        ("utf-8", "λ  0.1 ± 0.2, f\\udcfcnf\n"),
    ],
)
def test_characters_that_a_stream_lacks_are_escaped(tmp_path: Path, encoding: str, table: str) -> None:
    status, out, err = shell("", tmp_path / "out", "fake", PYTHONIOENCODING=encoding)
    assert (status, out) == (0, table)
    assert err.splitlines()[0] == ("λ" if encoding == "utf-8" else "\\u03bb") + " = 0.1"
    assert "Traceback" not in err


def test_a_failed_check_is_told_in_any_encoding(tmp_path: Path) -> None:
    status, _, err = shell("", tmp_path / "fail", "fake", PYTHONIOENCODING="ascii")
    assert (status, err.splitlines()[-1]) == (1, "spikewright: failed: schlecht: \\xfc")


def test_json_and_help_in_any_encoding(tmp_path: Path) -> None:
    status, out, _ = shell("", tmp_path / "out", "fake", "--json", PYTHONIOENCODING="ascii")
    assert (status, json.loads(out)["name"]) == (0, "fünf")
    status, out, err = shell("", tmp_path / "out", "fake", "--help", PYTHONIOENCODING="ascii")
    assert (status, err) == (0, "")
    assert out.splitlines()[2] == "Pretend \\u2013 \\xfc."


@pytest.mark.parametrize("name", ["out", "fail"])
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-", "<&-", "<&- >&- 2>&-", "2>/dev/full"])
def test_closed_streams_do_not_change_the_status(tmp_path: Path, closed: str, name: str) -> None:
    status, out, err = shell(closed, tmp_path / name, "fake")
    assert status == (0 if name == "out" else 1)
    assert int((tmp_path / name).read_text()) > 2  # no file takes the place of a stream
    assert out == ("" if ">&-" in closed.split() else "λ  0.1 ± 0.2, f\\udcfcnf\n")
    assert ("λ = 0.1\n" in err) == ("2>" not in closed)


@pytest.mark.parametrize("argv", [("fake",), ("fake", "--json"), ("fake", "--help"), ("--version",)])
def test_a_full_standard_output_is_an_error(tmp_path: Path, argv: tuple[str, ...]) -> None:
    status, _, err = shell(">/dev/full", tmp_path / "out", *argv)
    assert (status, err.splitlines()[-1]) == (2, "spikewright: error: standard output: No space left on device")
    assert "Traceback" not in err and "Exception" not in err


def test_a_failed_check_fails_whatever_became_of_its_output(tmp_path: Path) -> None:
    for gone in (">/dev/full", "| exec >&- sleep 0; exit ${PIPESTATUS[0]}"):
        status, _, err = shell(gone, tmp_path / "fail", "fake")
        assert (status, err.splitlines()[-1]) == (1, "spikewright: failed: schlecht: ü")
