"""What documents and docstrings mention exists: files, folders and names of the packages."""

import ast
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCUMENTS = sorted(
    [*(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")), *(ROOT / "docs").rglob("*.md")]
)
SOURCES = sorted(path for room in ("sw", "hw", "sim", "boards") for path in (ROOT / room).rglob("*.py"))
PATH = re.compile(r"`((?:sw|hw|sim|boards|tests|docs|bench)/[\w./-]*)`")
NAME = re.compile(r"`(spikewright(?:_hw|_sim|_boards)?(?:\.\w+)+)`")
MADE = {"tests/cases"}
"""What tools make only when there is something to keep."""
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)|(?:src|srcset)=\"([^\"]*)\"")


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


def anchors(path: Path) -> set[str]:
    """What a link into a document may name: its headings, as GitHub and MkDocs spell them."""
    text = re.sub(r"^```.*?^```$", "", path.read_text(), flags=re.MULTILINE | re.DOTALL)
    titles = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


def broken_links(path: Path) -> list[str]:
    found = []
    for name, anchor, picture in LINK.findall(path.read_text()):
        target = path.parent / (name or picture) if name or picture else path
        if not target.exists() or (anchor and anchor not in anchors(target)):
            found.append(f"{name}{picture}#{anchor}")
    return found


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_documents_mention_what_exists(path: Path) -> None:
    assert missing(path.read_text()) == []
    assert broken_links(path) == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_lines_are_short(path: Path) -> None:
    """At most 120 characters; only the rows of tables cannot be broken."""
    lines = enumerate(path.read_text("utf-8").splitlines(), 1)
    assert [number for number, line in lines if len(line) > 120 and not line.startswith("|")] == []


def test_broken_links_are_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# A title, once\n[a](page.md#a-title-once) [b](#another) [c](none.md) [d](https://x/none.md)\n")
    assert broken_links(page) == ["#another", "none.md#"]


def test_every_drawing_is_there_for_light_and_dark_pages() -> None:
    drawings = {path.name for path in (ROOT / "docs" / "assets").glob("*.svg")}
    assert len(drawings) > 8
    assert {name.replace("-light.", "-dark.") for name in drawings} == {name for name in drawings if "-dark." in name}


def test_docstrings_mention_what_exists() -> None:
    assert len(SOURCES) > 100
    found = {str(path.relative_to(ROOT)): names for path in SOURCES if (names := missing(docstrings(path)))}
    assert found == {}


def test_what_is_gone_is_found() -> None:
    text = "`sw/spikewright/cycles.py`, `spikewright.cycles`, `spikewright.predict.cycles`, `docs/start.md`"
    assert missing(text) == ["sw/spikewright/cycles.py", "spikewright.cycles"]
