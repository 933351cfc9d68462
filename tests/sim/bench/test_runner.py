"""How a simulation by cocotb is started, and what its end means; an executable that is a script stands in for it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from spikewright.contract.errors import ToolTrouble
from spikewright_sim.bench.runner import run_bench

RESULTS = '<testsuites><testsuite><testcase><failure type="{kind}" message="why"/></testcase></testsuite></testsuites>'


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str], Path]:
    """Makes an executable of lines of a shell."""

    def make(lines: str) -> Path:
        executable = tmp_path / "spikewright_core"
        executable.write_text(f"#!/bin/sh\n{lines}\n")
        executable.chmod(0o755)
        return executable

    return make


def test_variables_of_the_users_own_bench_are_not_those_of_ours(
    script: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = ("COCOTB_TEST_FILTER", "COCOTB_TESTCASE", "COCOTB_LOG_LEVEL", "COCOTB_PLUSARGS", "COCOTB_RANDOM_SEED")
    theirs += ("SIM_CMD_PREFIX", "WAVES", "GUI", "GPI_USERS", "GPI_EXTRA", "LIBPYTHON_LOC", "TOPLEVEL", "MODULE")
    theirs += ("PYTHONOPTIMIZE", "PYTHONINSPECT", "RANDOM_SEED", "PLUSARGS", "COCOTB_RESULTS_FILE")
    for name in theirs:
        monkeypatch.setenv(name, "theirs")
    text = RESULTS.format(kind="AssertionError")
    log = run_bench(
        script(f"""env; echo arguments "$@"; echo '{text}' > "$COCOTB_RESULTS_FILE\""""),
        "a.bench",
        tmp_path,
        seed=7,
        env={"SPIKEWRIGHT_JOB": "job"},
    ).splitlines()
    assert not [line for line in log if line.endswith("=theirs")]
    for line in (
        "COCOTB_TEST_MODULES=a.bench",
        "COCOTB_TOPLEVEL=spikewright_core",
        "COCOTB_RANDOM_SEED=7",
        "SPIKEWRIGHT_JOB=job",
        "arguments +verilator+rand+reset+2 +verilator+seed+8",
    ):
        assert line in log


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("echo 'cannot find libpython'; exit 1", "cannot find libpython"),
        ("kill -9 $$", "it says nothing"),
        ("""echo 'OSError: No space left'; echo '<testsu' > "$COCOTB_RESULTS_FILE\"""", "OSError: No space left"),
        ("echo '%Error: write: No space left on device'", "%Error: write: No space left on device"),
        (f"""echo '{RESULTS.format(kind="OSError")}' > "$COCOTB_RESULTS_FILE\"""", "OSError: why"),
        (f"""echo '{RESULTS.format(kind="ImportError")}' > "$COCOTB_RESULTS_FILE\"""", "ImportError: why"),
    ],
)
def test_a_simulation_that_does_not_run_is_no_verdict(
    script: Callable[[str], Path], tmp_path: Path, lines: str, said: str
) -> None:
    with pytest.raises(ToolTrouble) as caught:
        run_bench(script(lines), "a.bench", tmp_path, seed=0)
    assert str(caught.value) == f"the simulation must run, not stop: {said}"


def test_a_core_that_stops_the_simulation_is_one(script: Callable[[str], Path], tmp_path: Path) -> None:
    assert run_bench(script("echo '%Error: core.v:3: Verilog $stop'"), "a.bench", tmp_path, seed=0).startswith("%Error")
