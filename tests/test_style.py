"""Style of the whole repository: lint, types, and nothing of the machine it was written on."""

import ast
import io
import keyword
import subprocess
import sys
import tokenize
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def run(*command: str) -> None:
    result = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, f"{result.stdout}\n{result.stderr}"


def test_lint() -> None:
    run("ruff", "check", "--quiet")


def test_format() -> None:
    run("ruff", "format", "--check", "--quiet")


def test_types() -> None:
    run("mypy", "--no-error-summary")


def tracked() -> list[Path]:
    if not (ROOT / ".git").exists():
        pytest.skip("needs the git checkout, to know which files are part of the repository")
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in names.split("\0") if name and (ROOT / name).is_file()]


def test_no_machine_paths() -> None:
    forbidden = [f"/{folder}/".encode() for folder in ("work", "tmp", "root", "home")]
    files = tracked()
    assert ROOT / "pyproject.toml" in files
    found = []
    for path in files:
        content = path.read_bytes()
        found += [f"{path.relative_to(ROOT)}: {word.decode()}" for word in forbidden if word in content]
    assert not found


@cache
def parsed() -> dict[Path, ast.Module]:
    """All Python of the repository."""
    return {path: ast.parse(path.read_text()) for path in tracked() if path.suffix == ".py"}


def test_files_stay_readable() -> None:
    long = {
        str(path.relative_to(ROOT)): lines
        for path in tracked()
        if path.suffix == ".py" and (lines := path.read_bytes().count(b"\n")) > 600
    }
    assert not long


def test_text_ends_with_a_newline() -> None:
    text = [path for path in tracked() if path.suffix in (".py", ".md", ".toml", ".v", ".txt") and path.stat().st_size]
    assert text
    assert not [path.relative_to(ROOT) for path in text if not path.read_bytes().endswith(b"\n")]


def test_few_parameters() -> None:
    """What takes more than eight things together is given a record of those that belong together."""
    many = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for room in ("hw/spikewright_hw", "sw/spikewright/layout", "sw/spikewright/predict")
        for path in sorted((ROOT / room).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and parameters(node.args) > 8
    ]
    assert not many


def parameters(arguments: ast.arguments) -> int:
    """How many there are, but for `self` and `cls`."""
    named = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
    return sum(name.arg not in ("self", "cls") for name in named)


def test_parameters_are_counted() -> None:
    function = ast.parse("def f(self, a, /, b, c=1, *rest, d, e=2, **others): ...").body[0]
    assert isinstance(function, ast.FunctionDef)
    assert parameters(function.args) == 5


SAME = 12
"""Lines of one shape in a row that no two functions of the product share."""


def test_nothing_is_written_twice() -> None:
    places: dict[tuple[str, ...], list[str]] = {}
    for path, tree in parsed().items():
        name = path.relative_to(ROOT)
        if name.parts[0] in ("sw", "hw", "sim", "boards", "bench"):
            lines = shapes(path.read_text(), tree)
            for start in range(len(lines) - SAME + 1):
                shape = tuple(text for _, text in lines[start : start + SAME])
                places.setdefault(shape, []).append(f"{name}:{lines[start][0]}")
    assert len(places) > 1000
    assert [where for where in places.values() if len(where) > 1] == []


def shapes(source: str, tree: ast.Module) -> list[tuple[int, str]]:
    """Number and shape of every line of code within functions: names and constants are alike, comments do not count."""
    inside: set[int] = set()
    outside: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            inside.update(range(node.body[0].lineno, (node.end_lineno or 0) + 1))
        elif isinstance(node, ast.Import | ast.ImportFrom) or (
            isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        ):
            outside.update(range(node.lineno, (node.end_lineno or 0) + 1))
    lines: dict[int, list[str]] = {}
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        text = {tokenize.NUMBER: "1", tokenize.STRING: "1", tokenize.OP: token.string}.get(token.type)
        if token.type == tokenize.NAME:
            text = token.string if keyword.iskeyword(token.string) else "a"
        if text is not None:
            lines.setdefault(token.start[0], []).append(text)
    return [
        (number, " ".join(line))
        for number, line in sorted(lines.items())
        # Brackets and constants alone, as the lines of a text, are no code.
        if number in inside - outside and any(text.isalpha() for text in line)
    ]


def test_shapes_are_found() -> None:
    source = 'import a\n\ndef f(b):\n    """c"""\n    d = b + 1  # e\n    return g(\n        "h",\n    )\n'
    assert shapes(source, ast.parse(source)) == [(5, "a = a + 1"), (6, "return a (")]


def test_functions_stay_readable() -> None:
    long = {
        f"{path.relative_to(ROOT)}: {node.name}": lines
        for path, tree in parsed().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and (lines := length(node)) > 80
    }
    assert not long


def length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function without its docstring, and without decorators."""
    assert function.end_lineno is not None
    lines = function.end_lineno - function.lineno + 1
    first = function.body[0]
    if ast.get_docstring(function) is not None and first.end_lineno is not None:
        lines -= first.end_lineno - first.lineno + 1
    return lines


def test_lines_of_a_function_are_counted() -> None:
    function = ast.parse('@once\ndef f():\n    """One.\n\n    Two.\n    """\n    a = 1\n    return a\n').body[0]
    assert isinstance(function, ast.FunctionDef)
    assert length(function) == 3
