"""The environment of the tools that Spikewright starts: its own, of which the user's variables change nothing.

Compilers, make, Verilator, cocotb and yosys all read variables, which a user may have set for a project of theirs.
What is kept of the user's says where things are, not what is done.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from spikewright.contract.errors import ToolTrouble
from spikewright.support.caches import cache_base, writable

KEPT = (
    "HOME", "LD_LIBRARY_PATH", "LOGNAME", "OMP_NUM_THREADS", "USER",
    "PYTHONDONTWRITEBYTECODE", "PYTHONHOME", "PYTHONNOUSERSITE", "PYTHONUSERBASE",
)  # fmt: skip
CACHES = ("YoWASP", "wasmtime")
"""Of the tools that are WebAssembly, in the folder for caches."""

_TROUBLE = re.compile(
    r"no space left|disk quota|read-only file system|permission denied|cannot allocate memory|out of memory|bad_alloc|"
    r"too many open files|input/output error|can't open|cannot open|failed to open|cannot write|cannot execute",
    re.IGNORECASE,
)


def is_trouble(text: str) -> bool:
    """Whether an error of a tool is about the machine that it runs on, rather than about what it was given."""
    return _TROUBLE.search(text) is not None


@contextmanager
def tool_environment(folder: Path) -> Iterator[dict[str, str]]:
    """Variables under which to start a tool, whose temporary files go into a folder in `folder`, gone afterwards.

    Its messages are in English and ASCII. The tools of WebAssembly, which need a cache, keep it where `caches` says,
    else in that folder.
    """
    with tempfile.TemporaryDirectory(prefix=".tmp-", dir=folder.resolve(), ignore_cleanup_errors=True) as scratch:
        environment = {name: os.environ[name] for name in KEPT if name in os.environ}
        environment["PATH"] = os.environ.get("PATH", os.defpath)
        if path := os.environ.get("PYTHONPATH"):
            # Tools run in other folders than the user.
            environment["PYTHONPATH"] = os.pathsep.join(str(Path(part).absolute()) for part in path.split(os.pathsep))
        # Safe: no module is taken from the folder where a tool runs.
        environment |= {"LC_ALL": "C", "PYTHONUTF8": "1", "PYTHONSAFEPATH": "1", "TMPDIR": scratch}
        environment["XDG_CACHE_HOME"] = str(cache_base(*CACHES) or scratch)
        kept = os.environ.get("YOWASP_CACHE_DIR")
        if kept and writable(Path(kept)):
            environment["YOWASP_CACHE_DIR"] = str(Path(kept).absolute())
        yield environment


@contextmanager
def amaranth_environment(folder: Path) -> Iterator[None]:
    """Amaranth writes Verilog with the yosys of its own package, in the environment of `tool_environment`.

    It starts yosys with the environment of this process, which therefore is another one meanwhile.

    Raises
    ------
    ToolTrouble
        If yosys fails; what it gets is Amaranth's own.
    """
    with tool_environment(folder) as environment:
        environment = {**environment, "AMARANTH_USE_YOSYS": "builtin"}
        # Python remembers the first folder for temporary files that it is told of, and this one is soon gone.
        del environment["TMPDIR"]
        with suppress(OSError):
            tempfile.gettempdir()
        saved = dict(os.environ)
        _become(environment)
        try:
            yield
        except Exception as error:
            if type(error).__name__ == "YosysError":
                raise ToolTrouble(
                    f"the yosys of Amaranth must work, not fail: {complaint(str(error).splitlines())}"
                ) from error
            raise
        finally:
            _become(saved)


def complaint(lines: Sequence[str]) -> str:
    """The line of a log that says what went wrong: of the machine, else the first error, else the last one."""
    said = [line.strip() for line in lines if line.strip()]
    of_machine = (line for line in said if is_trouble(line))
    errors = (line for line in said if re.search(r"\b(error|fatal)\b", line, re.IGNORECASE))
    return next(of_machine, next(errors, said[-1] if said else "it says nothing"))[:300]


def _become(environment: Mapping[str, str]) -> None:
    for name in os.environ.keys() - environment.keys():
        del os.environ[name]
    os.environ.update(environment)
