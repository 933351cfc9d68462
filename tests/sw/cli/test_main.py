import argparse
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from spikewright import __version__
from spikewright.cli import commands
from spikewright.cli import main as cli
from spikewright.cli.base import Outcome, add_command
from spikewright.cli.commands import COMMANDS
from spikewright.contract.errors import CheckFailed, InputError
from spikewright_boards.catalog import names

Run = Callable[[argparse.Namespace], Outcome]
NAMES = [command.__name__.rpartition(".")[2].rstrip("_") for command in COMMANDS]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Callable[[Run], None]:
    """Replace all commands by one, named `fake`."""

    def install(run: Run) -> None:
        def add(subparsers: object) -> None:
            add_command(subparsers, "fake", run, summary="pretend", details="", example="spikewright fake")  # type: ignore[arg-type]

        monkeypatch.setattr(commands, "COMMANDS", (SimpleNamespace(add=add),))

    return install


def raising(error: BaseException) -> Run:
    def run(args: argparse.Namespace) -> Outcome:
        raise error

    return run


def good(args: argparse.Namespace) -> Outcome:
    print("chatter of a library")
    return Outcome({"accuracy": 0.5}, [("accuracy", "50 %"), ("n", "3")])


def test_the_table_is_all_there_is_on_stdout(fake: Callable[[Run], None], capsys: pytest.CaptureFixture[str]) -> None:
    fake(good)
    assert cli.main(["fake"]) == 0
    out, err = capsys.readouterr()
    assert out == "accuracy  50 %\nn         3\n"
    assert err == "chatter of a library\n"


def test_json_is_one_object_on_stdout(fake: Callable[[Run], None], capsys: pytest.CaptureFixture[str]) -> None:
    fake(good)
    assert cli.main(["fake", "--json"]) == 0
    document = {"schema": "spikewright-fake-1", "version": __version__, "accuracy": 0.5}
    assert json.loads(capsys.readouterr().out) == document


def test_child_processes_do_not_reach_stdout(fake: Callable[[Run], None], capfd: pytest.CaptureFixture[str]) -> None:
    def run(args: argparse.Namespace) -> Outcome:
        subprocess.run([sys.executable, "-c", "print('chatter of a child')"], check=True)
        return Outcome({"a": 1})

    fake(run)
    assert cli.main(["fake", "--json"]) == 0
    out, err = capfd.readouterr()
    assert out == f'{{"schema": "spikewright-fake-1", "version": "{__version__}", "a": 1}}\n'
    assert err == "chatter of a child\n"


def test_a_failed_check_reports_and_exits_1(fake: Callable[[Run], None], capsys: pytest.CaptureFixture[str]) -> None:
    fake(lambda args: Outcome({"mismatches": 2}, failed="2 mismatches"))
    assert cli.main(["fake", "--json"]) == 1
    out, err = capsys.readouterr()
    assert json.loads(out)["mismatches"] == 2
    assert err == "spikewright: failed: 2 mismatches\n"


@pytest.mark.parametrize(
    ("error", "status", "message"),
    [
        (InputError("lanes must be one of\n1, 2, not 3"), 2, "error: lanes must be one of 1, 2, not 3"),
        (CheckFailed("layer 1, step 17"), 1, "failed: layer 1, step 17"),
        (FileNotFoundError(2, "No such file or directory", "x.h5"), 2, "error: x.h5: No such file or directory"),
        (PermissionError(13, "Permission denied", "x.h5"), 2, "error: x.h5: Permission denied"),
        (OSError(28, "No space left on device"), 2, "error: No space left on device"),
        (KeyboardInterrupt(), 130, "interrupted: fake"),
    ],
)
def test_errors_are_one_line(
    fake: Callable[[Run], None],
    capsys: pytest.CaptureFixture[str],
    error: BaseException,
    status: int,
    message: str,
) -> None:
    fake(raising(error))
    assert cli.main(["fake", "--json"]) == status
    assert capsys.readouterr() == ("", f"spikewright: {message}\n")


@pytest.mark.parametrize("error", [MemoryError(), ZeroDivisionError(), ValueError("a bug"), OSError("a bug")])
def test_bugs_are_not_hidden(fake: Callable[[Run], None], error: Exception) -> None:
    fake(raising(error))
    with pytest.raises(type(error)):
        cli.main(["fake"])


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (
            ["trian"],
            f"argument COMMAND: must be one of {', '.join(NAMES)}, not 'trian'; did you mean train? "
            "(see `spikewright --help`)",
        ),
        (
            ["data", "etch"],
            "argument ACTION: must be one of synth, fetch, info, not 'etch'; did you mean fetch? "
            "(see `spikewright data --help`)",
        ),
        (["--verson"], "unknown option --verson; did you mean --version? (see `spikewright --help`)"),
        (["--json"], "unknown option --json (see `spikewright --help`)"),
        # What is missing is what was misspelt.
        (["train", "--dat=d"], "unknown option --dat; did you mean --data? (see `spikewright train --help`)"),
        (["train", "shd", "--data", "d", "--out", "r", "x"], "unknown argument x (see `spikewright train --help`)"),
        (["demo", "-q"], "unknown argument -q (see `spikewright demo --help`)"),
        (
            ["generate", "m", "-o", "b", "--encoding", "Bitmpa"],
            "argument --encoding: must be one of auto, absolute, relative, bitmap, not 'Bitmpa'; did you mean bitmap? "
            "(see `spikewright generate --help`)",
        ),
        (
            ["synth", "b", "--board", "ulx3s"],
            f"argument --board: must be one of {', '.join(names())}, not 'ulx3s'; did you mean ulx3s-85f? "
            "(see `spikewright synth --help`)",
        ),
        (
            ["report", "r", "--lanes", "3"],
            "argument --lanes: must be one of 1, 2, 4, 8, 16, 32, 64, not '3' (see `spikewright report --help`)",
        ),
        (["data"], "the following arguments are required: ACTION (see `spikewright data --help`)"),
        (["synth", "b"], "one of the arguments --board --family is required (see `spikewright synth --help`)"),
        (
            ["simulate", "b", "--data", "d", "--samples", "0"],
            "argument --samples: must be at least 1, not 0 (see `spikewright simulate --help`)",
        ),
        (
            ["quantize", "c", "-o", "m", "--weight-bits", "99"],
            "argument --weight-bits: must be 2 .. 16, not 99 (see `spikewright quantize --help`)",
        ),
        (
            ["quantize", "c", "-o", "m", "--weight-bits", "x"],
            "argument --weight-bits: must be a whole number, not 'x' (see `spikewright quantize --help`)",
        ),
        (
            ["generate", "m", "-o", "b", "--lanes", "3"],
            "argument --lanes: must be one of 1, 2, 4, 8, 16, 32, 64, not 3 (see `spikewright generate --help`)",
        ),
        (
            ["generate", "m", "-o", "b", "--margin", "x"],
            "argument --margin: must be 0 .. 100, not x (see `spikewright generate --help`)",
        ),
        (
            ["train", "shd", "--data", "d", "--out", "r", "--set", "epochs"],
            "argument --set: must be key=value, not 'epochs' (see `spikewright train --help`)",
        ),
    ],
)
def test_bad_arguments_are_one_line(argv: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(argv) == 2
    assert capsys.readouterr() == ("", f"spikewright: error: {message}\n")


def test_what_looks_like_an_option_may_be_text() -> None:
    args = cli.build_parser().parse_args(["report", "--title", "--- runs of today ---", "--", "--runs"])
    assert (args.title, args.runs) == ("--- runs of today ---", [Path("--runs")])


def test_bare_it_prints_its_help(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert cli.main([]) == 0
    bare = capsys.readouterr()
    assert cli.main(["--help"]) == 0
    assert (bare.out, bare.err) == (capsys.readouterr().out, "")
    assert bare.out.startswith("usage: spikewright ")
    monkeypatch.setattr(sys, "argv", ["spikewright"])
    before = signal.getsignal(signal.SIGINT)
    try:
        assert cli.main() == 0
    finally:
        # At the end of a process an interrupt may end it; here it would end the worker of all tests that follow.
        signal.signal(signal.SIGINT, before)
    assert capsys.readouterr() == bare


def subcommands() -> list[list[str]]:
    return [["data", "synth"], ["data", "fetch"], ["data", "info"], *([name] for name in NAMES if name != "data")]


def test_the_commands_are_the_pipeline() -> None:
    assert [" ".join(argv) for argv in subcommands()] == [
        "data synth",
        "data fetch",
        "data info",
        "train",
        "import",
        "export",
        "sweep",
        "report",
        "evaluate",
        "quantize",
        "view",
        "explore",
        "generate",
        "simulate",
        "synth",
        "program",
        "asic",
        "run",
        "listen",
        "demo",
        "boards",
        "configs",
        "checkpoints",
        "doctor",
        "completion",
    ]


@pytest.mark.parametrize("argv", subcommands(), ids=" ".join)
def test_every_document_has_a_name_of_its_own(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*argv, "--help"]) == 0
    example = capsys.readouterr().out.partition("example:\n")[2].splitlines()[0].split()
    assert cli.build_parser().parse_args(example[1:]).schema == "-".join(["spikewright", *argv, "1"])


@pytest.mark.parametrize("argv", subcommands(), ids=" ".join)
def test_help_has_an_example_that_parses(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([*argv, "--help"]) == 0
    text = capsys.readouterr().out
    example = text.partition("example:\n")[2].split()
    assert example[: len(argv) + 1] == ["spikewright", *argv]
    assert cli.build_parser().parse_args(example[1:]).json is False
    assert "--json" in text


def run(argv: list[str], **options: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "spikewright", *argv]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)  # type: ignore[call-overload, no-any-return]


@pytest.mark.parametrize("option", ["--version", "-V"])
def test_the_module_runs(option: str) -> None:
    process = run([option])
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (0, "spikewright 0.1.0\n", "")


INTERRUPTIBLE = """
import sys, time
from types import SimpleNamespace
from pathlib import Path
from spikewright.cli import commands
from spikewright.cli import main as cli
from spikewright.cli.base import add_command
from spikewright.support.files import atomic_path

def run(args):
    with atomic_path(Path(sys.argv[1])):
        print("writing", file=sys.stderr, flush=True)
        time.sleep(60)

def add(subparsers):
    add_command(subparsers, "fake", run, summary="pretend", details="", example="")

commands.COMMANDS = (SimpleNamespace(add=add),)
sys.exit(cli.main(["fake"]))
"""


@pytest.mark.parametrize(
    ("number", "status", "message"),
    [
        (signal.SIGINT, 130, "spikewright: interrupted: fake\n"),
        (signal.SIGTERM, 143, "spikewright: terminated: fake\n"),
        (signal.SIGHUP, 129, "spikewright: terminated: fake\n"),
    ],
)
def test_signals_leave_nothing_behind(number: int, status: int, message: str, tmp_path: Path) -> None:
    command = [sys.executable, "-c", INTERRUPTIBLE, str(tmp_path / "out.bin")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "writing\n"
        os.kill(process.pid, number)
        assert process.stderr.read() == message
    assert process.returncode == status
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_left_is_no_error() -> None:
    # The pipe is closed before anything is written to it.
    code = (
        "import sys, time; from types import SimpleNamespace; from spikewright.cli import commands, main as cli\n"
        "from spikewright.cli.base import Outcome, add_command\n"
        "def add(s): add_command(s, 'fake', lambda a: (sys.stdin.read(), Outcome({}, [('a', 'b')]))[1],"
        " summary='pretend', details='', example='')\n"
        "commands.COMMANDS = (SimpleNamespace(add=add),)\n"
        "sys.exit(cli.main(['fake']))"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code], text=True, **pipes) as process:  # type: ignore[call-overload]
        process.stdout.close()
        process.stdin.close()
        assert process.stderr.read() == ""
    assert process.returncode == 141
