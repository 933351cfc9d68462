"""Pages of results from committed figures.

    python bench/results.py [--check]

Reads `bench/results/*.json` and writes a page for each into `docs/results/`, and the table of headline figures into
README.md; with --check, writes nothing, and exits with 1 if a file is not what it would write.

A page is an object with `title`, `intro` (paragraphs) and `tables`. A table has `title`, `columns` and `rows`, perhaps
`text` before and `notes` after it, and says where its figures come from, which none may leave out: `command` (one or
several), `data`, `seeds` and `spread`.

`seeds.json` is no page: it holds what each seed of a network reached. Wherever `{NETWORK.FIGURE}` stands in a text or a
cell, the mean and the sample standard deviation over its seeds come in its place, and `{NETWORK.FIGURE.SEED}` is the
figure of one seed. A table with `seeds_of` instead of rows has a row for every seed of a network, and one for the mean;
one with `rows_of` has the rows of another JSON file, those with the values of its `where`, of each the values of its
`keys`; a key with braces is a format of the whole row, such as `{luts:,} of {available[luts]:,}`.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
import textwrap
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
DATA = ROOT / "bench" / "results"
PAGES = ROOT / "docs" / "results"
HEADLINES = "headline"
"""The page whose first table is also that of README.md."""
SEEDS = "seeds"
SOURCES = ("command", "data", "seeds", "spread")
FIGURES = ("zeros", "validation", "float", "bits8", "bits6", "bits4")

NO_BREAK = "\N{NO-BREAK SPACE}"

Networks = dict[str, dict[str, Any]]


def seeds(folder: Path = DATA) -> Networks:
    """What every seed of a network reached, by the network's name."""
    networks: Networks = json.loads((folder / f"{SEEDS}.json").read_text("utf-8"))["networks"]
    return networks


def spread(network: dict[str, Any], figure: str, decimals: int = 1) -> str:
    """Mean and sample standard deviation over the seeds that have the figure; without a deviation if there is one."""
    values = [run[figure] for run in network["seeds"].values() if run.get(figure) is not None]
    if not values:
        return ""
    parts = [f"{statistics.mean(values):.{decimals}f}"]
    if len(values) > 1:
        parts += ["±", f"{statistics.stdev(values):.{decimals}f}"]
    return NO_BREAK.join([*parts, "%"])


def filled(text: str, networks: Networks) -> str:
    """A text with the figures of seeds in the places that name them."""

    def figure(match: re.Match[str]) -> str:
        name, key, seed = match.groups()
        if seed is None:
            return spread(networks[name], key)
        value = networks[name]["seeds"][seed][key]
        return f"{value:.1f}{NO_BREAK}%"

    return re.sub(r"\{(\w+)\.(\w+)(?:\.(\w+))?\}", figure, text)


def seed_rows(name: str, networks: Networks) -> list[list[str]]:
    """A row for every seed of a network, and one for all."""
    network = networks[name]
    rows = []
    for seed, run in network["seeds"].items():
        cells = ["" if run.get(figure) is None else f"{run[figure]:.1f}{NO_BREAK}%" for figure in FIGURES]
        rows.append(
            [
                "" if rows else f"`{network['checkpoint']}`",
                f"{seed}{' (shipped)' if run.get('shipped') else ''}",
                *cells,
            ]
        )
    rows.append(["", "mean ± deviation", *(spread(network, figure) for figure in FIGURES)])
    return rows


def paragraph(text: str, networks: Networks, indent: str = "") -> str:
    """A text in lines of at most 120 characters."""
    lines = textwrap.wrap(
        filled(text, networks), 120, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
    )
    return "\n".join(lines) + "\n"


def rows_of(file: str, keys: list[str], where: dict[str, Any] | None = None) -> list[list[str]]:
    """The rows of a table, from a file with `rows` in it."""

    def cell(row: dict[str, Any], key: str) -> str:
        if "{" in key:
            return key.format_map(row)
        return row[key] if isinstance(row[key], str) else f"{row[key]:,}"

    rows = json.loads((ROOT / file).read_text("utf-8"))["rows"]
    meant = [row for row in rows if all(row[key] == value for key, value in (where or {}).items())]
    return [[cell(row, key) for key in keys] for row in meant]


def table(of: dict[str, Any], networks: Networks) -> str:
    """The lines of a table alone."""
    if "seeds_of" in of:
        rows = [row for name in of["seeds_of"] for row in seed_rows(name, networks)]
    elif "rows_of" in of:
        rows = rows_of(**of["rows_of"])
    else:
        rows = of["rows"]
    width = len(of["columns"])
    if wrong := [row for row in rows if len(row) != width]:
        raise ValueError(f"rows of {of['title']!r} must have {width} cells, not {len(wrong[0])}: {wrong[0]}")
    lines = [of["columns"], ["---"] * width, *rows]
    return "".join(f"| {' | '.join(filled(str(cell), networks) for cell in line)} |\n" for line in lines)


def sources(of: dict[str, Any], networks: Networks) -> str:
    """Where the figures of a table come from."""
    if missing := [key for key in SOURCES if not of.get(key)]:
        raise ValueError(f"table {of['title']!r} must say {', '.join(missing)} of its figures")
    commands = [of["command"]] if isinstance(of["command"], str) else of["command"]
    block = "".join(f"{command}\n" for command in commands)
    facts = "".join(paragraph(f"- **{key.capitalize()}**: {of[key]}", networks, "  ") for key in SOURCES[1:])
    return f"Commands:\n\n```sh\n{block}```\n\n{facts}"


def page(of: dict[str, Any], name: str, networks: Networks) -> str:
    """A whole page."""
    parts = [f"# {of['title']}\n", *(paragraph(text, networks) for text in of["intro"])]
    for item in of["tables"]:
        parts += [f"## {item['title']}\n", *(paragraph(text, networks) for text in item.get("text", []))]
        parts += [table(item, networks), *(paragraph(text, networks) for text in item.get("notes", []))]
        parts.append(sources(item, networks))
    parts.append(f"*Written by `python bench/results.py` from `bench/results/{name}.json`.*\n")
    return "\n".join(parts)


def with_headlines(readme: str, lines: str) -> str:
    """README.md with its one table of figures, in the section `Figures`, replaced."""
    found = re.search(r"(?<=\n## Figures\n)(.*?)((?:^\|[^\n]*\n)+)", readme, re.MULTILINE | re.DOTALL)
    if found is None:
        raise ValueError("README.md must have a table in a section `## Figures`")
    return readme[: found.start(2)] + lines + readme[found.end(2) :]


def written() -> dict[Path, str]:
    """What each file that this command writes should hold."""
    networks = seeds()
    files = {}
    for path in sorted(DATA.glob("*.json")):
        content = json.loads(path.read_text("utf-8"))
        if "tables" in content:
            files[PAGES / f"{path.stem}.md"] = page(content, path.stem, networks)
        if path.stem == HEADLINES:
            readme = (ROOT / "README.md").read_text("utf-8")
            files[ROOT / "README.md"] = with_headlines(readme, table(content["tables"][0], networks))
    return files


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--check", action="store_true", help="write nothing; exit with 1 if a file is not as it would be"
    )
    args = parser.parse_args()
    stale = [path for path, text in written().items() if not path.is_file() or path.read_text("utf-8") != text]
    for path in stale:
        print(f"{'stale' if args.check else 'wrote'} {path.relative_to(ROOT)}")
        if not args.check:
            path.write_text(written()[path], "utf-8")
    return 1 if args.check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
