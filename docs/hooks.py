"""What MkDocs writes into pages that are made of the program itself: its commands, its settings, its boards.

A page has a marker, such as `<!-- commands -->`, where a table goes. Drawings are named once, as `NAME-light.svg`; the
site gets the one for dark pages too.
"""

from __future__ import annotations

import argparse
import ast
import dataclasses
import inspect
import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

for room in ("sw", "hw", "sim", "boards"):
    sys.path.insert(0, str(Path(__file__).parents[1] / room))


def cell(text: object) -> str:
    """Text in one cell of a table."""
    return " ".join(str(text).split()).replace("|", "\\|")


def commands() -> str:
    """A section for every command: what it does, its options with their defaults, an example."""
    from spikewright.cli.main import build_parser

    return "\n".join(command(name, parser) for name, parser in leaves(build_parser()))


def leaves(parser: argparse.ArgumentParser, prefix: str = "") -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """All commands without commands of their own, by their whole names."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, sub in dict(action.choices).items():
                below = list(leaves(sub, f"{prefix}{name} "))
                yield from below or [(f"{prefix}{name}", sub)]


def command(name: str, parser: argparse.ArgumentParser) -> str:
    """The section of one command."""
    positional = [action for action in parser._actions if not action.option_strings]
    optional = [action for action in parser._actions if action.option_strings and action.dest not in ("help", "json")]
    title = " ".join([f"spikewright {name}", *(str(action.metavar or action.dest) for action in positional)])
    formatter = parser._get_formatter()
    lines = [f"## `{title}`", "", " ".join((parser.description or "").split("\n\n")[0].split()), ""]
    lines += [" ".join(part.split()) + "\n" for part in (parser.description or "").split("\n\n")[1:]]
    if positional or optional:
        lines += ["| | |", "|---|---|"]
    for action in [*positional, *optional]:
        names = ", ".join(action.option_strings) or str(action.metavar or action.dest)
        value = (
            f" {formatter._format_args(action, action.dest.upper())}"
            if action.option_strings and action.nargs != 0
            else ""
        )
        what = formatter._expand_help(action) if action.help else ""
        needed = "**Must be given.** " if action.required and action.option_strings else ""
        lines.append(f"| `{cell(names + value)}` | {needed}{cell(what)} |")
    example = (parser.epilog or "").partition("example:")[2].strip()
    lines += ["", f"```sh\n{example}\n```", ""] if example else [""]
    return "\n".join(lines)


def boards() -> str:
    """The table of boards, from their files."""
    from spikewright_boards.catalog import find, names

    lines = ["| board | device | clock of the core | beats that wait in front of the core |", "|---|---|---|---|"]
    for name in names():
        board = find(name)
        lines.append(f"| `{name}` | {board.device.name} | {board.clock_mhz:g} MHz | {board.queue_depth} |")
    return "\n".join(lines)


def settings() -> str:
    """A table for every section of a configuration: field, default, meaning."""
    from spikewright.learn.config import Config

    return "\n".join(section(name, of) for name, of in sections(Config))


def sections(config: Any) -> Iterable[tuple[str, Any]]:
    """The dataclasses that a configuration consists of, by the names of their fields; those in tuples too."""
    from typing import get_args, get_type_hints

    for name, kind in get_type_hints(config).items():
        if dataclasses.is_dataclass(kind):
            yield name, kind
            yield from ((f"{name}.{inner}", of) for inner, of in sections(kind))
        for item in get_args(kind):
            if dataclasses.is_dataclass(item):
                yield f"[{name}]", item


def section(name: str, of: Any) -> str:
    """The settings of one section, with the docstrings that stand below them in the source."""
    lines = [
        f"## `{'[[' + name.replace('[', '').replace(']', '') + ']]' if '[' in name else '[' + name + ']'}`",
        "",
        " ".join((inspect.getdoc(of) or "").split("\n\n")[0].split()),
        "",
    ]
    lines += ["| setting | default | |", "|---|---|---|"]
    meaning = dict(re.findall(r'^    (\w+): [^\n]*\n    """(.*?)"""', inspect.getsource(of), re.MULTILINE | re.DOTALL))
    for item in dataclasses.fields(of):
        if item.default is not dataclasses.MISSING:
            default = f"`{item.default!r}`"
        else:
            default = (
                f"`{item.default_factory()!r}`" if item.default_factory is not dataclasses.MISSING else "must be given"
            )
        lines.append(f"| `{item.name}` | {cell(default)} | {cell(meaning.get(item.name, ''))} |")
    return "\n".join([*lines, ""])


def api() -> str:
    """A directive for every public name, from which its docstring's section is made."""
    import spikewright

    lines = []
    for name, module in spikewright._WHERE.items():
        lines += [f"::: {module}.{name}", "    options:", f"      heading: sw.{name}", f"      toc_label: {name}", ""]
    return "\n".join(lines)


def dialects() -> str:
    """A section for every dialect: its rules, the choices that it leaves open, and how both were found."""
    folder = Path(__file__).parents[1] / "sw" / "spikewright" / "nir" / "dialects"
    parts = []
    for path in sorted(folder.glob("*.json")):
        of = json.loads(path.read_text("utf-8"))
        rules = ", ".join(f"`{key}={json.dumps(value)}`" for key, value in of["dialect"].items())
        for kind, by in of.get("per_type", {}).items():
            rules += f"; of `{kind}` " + ", ".join(f"`{key}={json.dumps(value)}`" for key, value in by.items())
        parts += [f"### {of['library']} {of['version']}", "", f"Rules: {rules}.", ""]
        if "hint" in of:
            parts += [f"{of['hint'][0].upper()}{of['hint'][1:]}.", ""]
        if choices := of.get("choices"):
            parts += ["| must be given by `--set` | if the library had |", "|---|---|"]
            parts += [f"| `{key}={value}` | {cell(why)} |" for key, by in choices.items() for value, why in by.items()]
            parts.append("")
        parts += [f"*Evidence*: {of['evidence']}", ""]
    return "\n".join(parts)


ROOT = Path(__file__).parents[1]
NOTEBOOKS = ROOT / "examples" / "notebooks"


def notebook(path: Path) -> str:
    """A notebook as a page: its texts, and its code to copy. The outputs are for the reader to make."""
    cells = json.loads(path.read_text("utf-8"))["cells"]
    parts = []
    for of in cells:
        text = "".join(of["source"]).strip()
        parts.append(f"```python\n{text}\n```" if of["cell_type"] == "code" else text)
    source = f"The notebook is `examples/notebooks/{path.name}`; the tests run it."
    return "\n\n".join([*parts, f"*{source}*"]) + "\n"


def notebooks() -> str:
    """Links to the notebooks, each with its title."""
    lines = []
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        title = next(line for line in notebook(path).splitlines() if line.startswith("# "))
        lines.append(f"1. [{re.sub(r'^# ([0-9]+[.] )?', '', title)}]({path.stem}.md)")
    return "\n".join(lines)


def examples() -> str:
    """The scripts of `examples`, with what they say of themselves."""
    parts = []
    for path in sorted((ROOT / "examples").glob("*.py")):
        text = path.read_text("utf-8").strip()
        about = (ast.get_docstring(ast.parse(text)) or "").replace("\n", " ")
        body = "\n".join(f"    {line}".rstrip() for line in ["```python", *text.splitlines(), "```"])
        parts.append(f'### `examples/{path.name}`\n\n{about}\n\n??? note "The script"\n\n{body}\n')
    return "\n".join(parts)


def on_files(files: Any, config: Any) -> Any:
    """Called by MkDocs with all pages: the notebooks become such."""
    from mkdocs.structure.files import File

    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        files.append(File.generated(config, f"tutorials/{path.stem}.md", content=notebook(path)))
    return files


MARKERS: dict[str, Callable[[], str]] = {
    "notebooks": notebooks,
    "examples": examples,
    "commands": commands,
    "boards": boards,
    "settings": settings,
    "api": api,
    "dialects": dialects,
}


def in_both_colours(markdown: str) -> str:
    """Every drawing for light pages followed by its twin for dark ones."""
    return re.sub(
        r"!\[([^\]]*)\]\(([^)\s]*)-light\.svg\)",
        r"![\1](\2-light.svg#only-light)![\1](\2-dark.svg#only-dark)",
        markdown,
    )


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Called by MkDocs for every page."""
    for name, make in MARKERS.items():
        marker = f"<!-- {name} -->"
        if marker in markdown:
            markdown = markdown.replace(marker, make())
    return in_both_colours(markdown)
