"""Icarus Verilog: a simulator of four states, in which nothing is known of a register before it is written."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path

from spikewright.contract.errors import InputError
from spikewright.contract.names import TRACE
from spikewright.support.environment import tool_environment
from spikewright_sim.core.toolchain import run_logged

COMPILER = "iverilog"
RUNNER = "vvp"


def check_icarus() -> None:
    """Raises InputError if Icarus Verilog is missing; says how to get it."""
    path = os.environ.get("PATH", os.defpath)
    for program in (COMPILER, RUNNER):
        if shutil.which(program, path=path) is None:
            raise InputError(
                f"{program} must be installed to simulate four states: not found in PATH={path}; "
                "install iverilog with the packages of your system"
            )


def compile_icarus(sources: Sequence[Path], top: str, folder: Path) -> Path:
    """Compile Verilog into `folder`; returns the program, named like `top`, for `vvp` to run.

    Raises
    ------
    InputError
        If Icarus is missing, or does not work.
    DesignError
        If it does not take the Verilog.
    """
    check_icarus()
    program = folder / top
    time = folder / "time.v"
    time.write_text("`timescale 1ns / 1ps\n")
    files = [str(source.resolve()) for source in (time, *sources)]
    command = [COMPILER, "-g2012", f"-D{TRACE}", "-s", top, "-o", str(program.resolve()), *files]
    with tool_environment(folder) as env:
        what = "compiling the Verilog with Icarus"
        run_logged(command, folder / "iverilog.log", env, what, folder, design=r"\.v:\d+: (error|syntax error)")
    return program


def run_command(program: Path) -> list[str]:
    """Command that runs a compiled simulation with cocotb."""
    from cocotb_tools.config import libs_dir

    # By its whole name: versions before 12 look for another suffix.
    return [RUNNER, "-n", "-m", str(Path(libs_dir) / "libcocotbvpi_icarus.so"), str(program.resolve())]
