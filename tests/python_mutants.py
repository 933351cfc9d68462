"""Breaks modules of `spikewright` in one place at a time, and sees whether their tests notice: `make mutants-python`.

cosmic-ray finds the places and makes the changes. Each mutant is tried in a copy of the package, by a forked process
that finds PyTorch already loaded. Compiled functions run uncompiled, so that a mutant of theirs is not overlooked.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tqdm import tqdm

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "sw" / "spikewright"
TESTS = {
    "integer.rounding": ("sw/integer/test_rounding.py",),
    "layout.prune": ("sw/layout/test_prune.py",),
    "layout.lanes": ("sw/layout/test_lanes.py", "sw/integer/test_rates.py"),
    "layout.dealt": ("sw/layout/test_pack.py",),
    "layout.pack": ("sw/layout/test_pack.py", "sw/layout/test_pack_shared.py"),
    "predict.stages": ("sw/predict/test_cycles.py",),
    "predict.cycles_parallel": ("sw/predict/test_cycles.py",),
}
"""The tests of each module that is broken."""

EQUIVALENT: dict[tuple[str, str], str] = {}
"""Why a surviving mutant of a line, (module, mutated line), computes the same, or what only a message tells."""

HEAVY = ("pytest", "numpy", "numba", "torch", "safetensors.torch")


@dataclass(frozen=True)
class Mutant:
    """A place of a module, and how it is changed there."""

    module: str
    operator: str
    arguments: dict[str, Any]
    occurrence: int
    line: int

    def code(self) -> str | None:
        from cosmic_ray.mutating import mutate_code
        from cosmic_ray.plugins import get_operator

        operator = get_operator(self.operator)(**self.arguments)
        mutated: str | None = mutate_code(source(self.module).read_text(), operator, self.occurrence)
        return mutated

    def change(self) -> tuple[str, str]:
        """The line before and after."""
        before = source(self.module).read_text().splitlines()
        after = (self.code() or "").splitlines()
        for old, new in zip(before, after, strict=False):
            if old != new:
                return old.strip(), new.strip()
        return "", ""


def source(module: str) -> Path:
    return SOURCES / f"{module.replace('.', '/')}.py"


def without_effect(module: str) -> set[int]:
    """Lines of annotations alone, which are never evaluated, and of decorators, whose removal is no arithmetic."""
    lines: set[int] = set()
    for node in ast.walk(ast.parse(source(module).read_text())):
        if isinstance(node, ast.FunctionDef):
            signature = range(node.lineno, node.body[0].lineno)
            lines |= set(signature) if not node.args.defaults and not node.args.kw_defaults else set()
            lines |= {line for decorator in node.decorator_list for line in range(decorator.lineno, node.lineno)}
    return lines


def all_mutants(module: str) -> list[Mutant]:
    """Every mutant of a module that cosmic-ray knows of, but for those that cannot change anything."""
    from cosmic_ray.ast import ast_nodes, get_ast
    from cosmic_ray.plugins import get_operator, operator_names

    tree = get_ast(source(module).read_text())
    skipped = without_effect(module)
    found = []
    for name in sorted(operator_names()):
        operator_class = get_operator(name)
        if operator_class.arguments() or name.endswith(("RemoveDecorator", "NoOp")):
            continue
        operator = operator_class()
        places = [begin for node in ast_nodes(tree) for begin, _ in operator.mutation_positions(node)]
        found += [
            Mutant(module, name, {}, occurrence, line)
            for occurrence, (line, _) in enumerate(places)
            if line not in skipped
        ]
    return found


@contextmanager
def copied() -> Iterator[Path]:
    """A copy of the package, which goes before the installed one."""
    with tempfile.TemporaryDirectory(prefix="spikewright-") as name:
        shutil.copytree(SOURCES, Path(name, "spikewright"), ignore=shutil.ignore_patterns("__pycache__", "assets"))
        (Path(name) / "spikewright" / "assets").symlink_to(SOURCES / "assets")
        yield Path(name)


def survives(folder: Path, module: str, code: str, limit: float) -> bool:
    """Whether the tests of a module pass, in a process of their own, with this text instead of the module."""
    (folder / "spikewright" / f"{module}.py").write_text(code)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            null = os.open(os.devnull, os.O_RDWR)
            for stream in range(3):
                os.dup2(null, stream)
            os.chdir(ROOT)
            sys.path.insert(0, str(folder))
            import pytest

            options = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--no-header"]
            status = int(pytest.main([*options, *(str(ROOT / "tests" / test) for test in TESTS[module])]))
            import spikewright

            if not str(spikewright.__file__).startswith(str(folder)):
                status = 77
        finally:
            os._exit(status)
    end = time.monotonic() + limit
    while time.monotonic() < end:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            if os.waitstatus_to_exitcode(status) == 77:
                raise RuntimeError("the tests did not take the copy of the package")
            return status == 0
        time.sleep(0.02)
    os.kill(child, 9)
    os.waitpid(child, 0)
    return False


def main(argv: list[str] | None = None) -> int:
    """Prints the survivors; returns 1 if any is not known to be equivalent."""
    parser = argparse.ArgumentParser(description=__doc__, allow_abbrev=False)
    parser.add_argument("modules", nargs="*", metavar="MODULE", help=f"of {', '.join(TESTS)} (default: all)")
    parser.add_argument("--sample", type=int, default=0, metavar="N", help="mutants of each module (default: all)")
    parser.add_argument("--seed", type=int, default=1, metavar="S", help="of the sample (default: 1)")
    args = parser.parse_args(argv)
    if unknown := set(args.modules) - set(TESTS):
        print(f"modules must be of {', '.join(TESTS)}, not {', '.join(sorted(unknown))}", file=sys.stderr)
        return 2
    os.environ["NUMBA_DISABLE_JIT"] = "1"
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    sys.dont_write_bytecode = True
    for name in HEAVY:
        importlib.import_module(name)
    left = 0
    for module in args.modules or TESTS:
        mutants = all_mutants(module)
        total = len(mutants)
        if args.sample and args.sample < total:
            mutants = random.Random(args.seed).sample(mutants, args.sample)
        begin = time.monotonic()
        with copied() as folder:
            original = source(module).read_text()
            if not survives(folder, module, original, 3600):
                print(f"{module}: the tests must pass before anything is broken", file=sys.stderr)
                return 1
            limit = 10 + 10 * (time.monotonic() - begin)
            begin = time.monotonic()
            survived = excused = 0
            for mutant in tqdm(mutants, desc=module, unit="mutant", leave=False, disable=None):
                if not survives(folder, module, mutant.code() or original, limit):
                    continue
                old, new = mutant.change()
                reason = EQUIVALENT.get((module, new))
                survived += 1
                excused += reason is not None
                left += reason is None
                print(f"  {module}.py:{mutant.line}: {old}\n    survives as: {new}")
                print(f"    {reason or 'UNEXPLAINED'}", flush=True)
        print(
            f"{module}: {len(mutants) - survived} of {len(mutants)} mutants killed ({total} there are), "
            f"{excused} of {survived} survivors explained, {time.monotonic() - begin:.0f} s",
            flush=True,
        )
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
