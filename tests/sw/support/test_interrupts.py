import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from spikewright.support.interrupts import Interruptible, Stopped, uninterrupted

SLOW = """
import sys, time
print("importing", file=sys.stderr, flush=True)
try:
    time.sleep(0.5)
except BaseException as error:
    raise ImportError("as extension modules do") from error
"""

COMMAND = """
import sys, time
from types import SimpleNamespace
from spikewright.cli import commands
from spikewright.cli import main as cli
from spikewright.cli.base import add_command

def run(args):
    import slow
    print("working", file=sys.stderr, flush=True)
    time.sleep(60)

def add(subparsers):
    add_command(subparsers, "fake", run, summary="pretend", details="", example="", resumable=True)

commands.COMMANDS = (SimpleNamespace(add=add),)
sys.exit(cli.main(["fake"]))
"""


@pytest.mark.parametrize(
    ("number", "status", "word"),
    [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated"), (signal.SIGHUP, 129, "terminated")],
)
@pytest.mark.parametrize("times", [1, 3])
def test_an_import_is_not_interrupted(tmp_path: Path, number: int, status: int, word: str, times: int) -> None:
    (tmp_path / "slow.py").write_text(SLOW)
    command = [sys.executable, "-c", COMMAND]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "importing\n"
        for _ in range(times):
            os.kill(process.pid, number)
            time.sleep(0.05)
        said = process.stderr.read().removeprefix("working\n")
    assert said == f"spikewright: {word}: fake: the same command continues it\n"
    assert process.returncode == status


def test_the_real_program_is_interrupted_in_one_line(tmp_path: Path) -> None:
    """While torch is imported, which reads its libraries for a second."""
    command = [sys.executable, "-m", "spikewright", "train", "shd", "--data", "nowhere", "--out", str(tmp_path / "run")]
    for delay in (0.4, 0.7):
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            time.sleep(delay)
            process.send_signal(signal.SIGINT)
            assert process.stderr is not None
            lines = process.stderr.read().splitlines()
        assert len(lines) == 1
        assert lines[0].startswith(("spikewright: interrupted", "spikewright: error: "))
        assert process.returncode in (130, 2)
        assert not (tmp_path / "run").exists()


def test_signals_that_are_ignored_stay_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Interruptible(sys._getframe()):
            os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_the_handlers_are_put_back() -> None:
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGALRM)
    before = [signal.getsignal(number) for number in numbers]
    with pytest.raises(Stopped) as stopped, Interruptible(sys._getframe()):
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(1)
    assert stopped.value.code == 143
    assert [signal.getsignal(number) for number in numbers] == before


def test_an_import_that_led_to_the_work_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "slow.py").write_text("")
    (tmp_path / "script.py").write_text(COMMAND)
    command = [sys.executable, "-c", "import script"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "working\n"
        os.kill(process.pid, signal.SIGINT)
        assert process.stderr.read() == "spikewright: interrupted: fake: the same command continues it\n"
    assert process.returncode == 130


def test_a_block_that_is_uninterrupted_ends_before() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), Interruptible(sys._getframe()):
        with uninterrupted():
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.05)
            done.append("all of it")
        time.sleep(5)
        done.append("more")
    assert done == ["all of it"]
