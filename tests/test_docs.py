"""What documents and docstrings mention exists: files, folders and names of the packages."""

import ast
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")])
SOURCES = sorted(path for room in ("sw", "hw", "sim", "boards") for path in (ROOT / room).rglob("*.py"))
PATH = re.compile(r"`((?:sw|hw|sim|boards|tests|docs|bench)/[\w./-]*)`")
NAME = re.compile(r"`(spikewright(?:_hw|_sim|_boards)?(?:\.\w+)+)`")
MADE = {"tests/cases"}
"""What tools make only when there is something to keep."""
LINK = re.compile(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)")


def docstrings(path: Path) -> str:
    """All strings of a file that stand as statements."""
    nodes = ast.walk(ast.parse(path.read_text()))
    values = [node.value.value for node in nodes if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)]
    return "\n".join(value for value in values if isinstance(value, str))


def resolves(name: str) -> bool:
    """Whether a dotted name is a module, or something in one."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


def missing(text: str) -> list[str]:
    paths = [
        path for path in PATH.findall(text) if "NAME" not in path and path not in MADE and not (ROOT / path).exists()
    ]
    return paths + [name for name in sorted(set(NAME.findall(text))) if not resolves(name)]


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_documents_mention_what_exists(path: Path) -> None:
    text = path.read_text()
    assert missing(text) == []
    assert [link for link in LINK.findall(text) if not (path.parent / link).exists()] == []


def test_docstrings_mention_what_exists() -> None:
    assert len(SOURCES) > 100
    found = {str(path.relative_to(ROOT)): names for path in SOURCES if (names := missing(docstrings(path)))}
    assert found == {}


def test_what_is_gone_is_found() -> None:
    text = "`sw/spikewright/cycles.py`, `spikewright.cycles`, `spikewright.predict.cycles`, `docs/cli.md`"
    assert missing(text) == ["sw/spikewright/cycles.py", "spikewright.cycles"]
