"""One HTML page with everything in it: works offline, in the dark, and for screen readers."""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from urllib.parse import quote

from spikewright.report.figures import Figure
from spikewright.report.live import Section, document
from spikewright.report.plots import DARK, PAPER, Drawing

_STYLE = """
.drawing svg { width: 100%; min-width: 44rem; }
@media print { .drawing svg { min-width: 0; } }
"""


def table(columns: Sequence[str], rows: Sequence[Sequence[str]], caption: str, best: int | None = None) -> str:
    """An HTML table; columns of numbers are aligned as such, and row `best` stands out."""
    numeric = [all(re.fullmatch(r"[-\d.,–±% ]*", row[index]) for row in rows) for index in range(len(columns))]

    def cell(tag: str, text: str, index: int) -> str:
        kind = ' class="number"' if numeric[index] else ""
        scope = ' scope="col"' if tag == "th" else ""
        return f"<{tag}{scope}{kind}>{html.escape(text)}</{tag}>"

    head = "".join(cell("th", name, index) for index, name in enumerate(columns))
    body = "\n".join(
        ('<tr class="best">' if number == best else "<tr>")
        + "".join(cell("td", text, index) for index, text in enumerate(row))
        + "</tr>"
        for number, row in enumerate(rows)
    )
    return (
        f'<div class="wide"><table>\n<caption>{html.escape(caption)}</caption>\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody></table></div>"
    )


def inline(figure: Figure, drawing: Drawing) -> str:
    """The SVG as part of a page: described in words, coloured by the page, its identifiers its own."""
    svg = drawing.svg[drawing.svg.index("<svg") :].strip()
    svg = re.sub(r'(\bid="|href="#|url\(#)', rf"\g<1>{figure.name}-", svg)
    for color in drawing.dark:
        svg = re.sub(re.escape(color), f"var(--c{color[1:]})", svg, flags=re.IGNORECASE)
    svg = svg.replace(f"fill: var(--c{PAPER[1:]})", "fill: none")
    title, description = f"{figure.name}-title", f"{figure.name}-desc"
    words = (
        f'<title id="{title}">{html.escape(figure.title)}</title>'
        f'<desc id="{description}">{html.escape(figure.description)}</desc>'
    )
    head, _, rest = svg.partition(">")
    return f'{head} role="img" aria-labelledby="{title} {description}">{words}{rest}'


def page(
    title: str,
    facts: Sequence[str],
    tables: Sequence[str],
    figures: Sequence[tuple[Figure, Drawing, str]],
    runs: str,
) -> str:
    """The page.

    Parameters
    ----------
    title : str
    facts : list of str
        Paragraphs below the title.
    tables : list of HTML
    figures : list of (figure, drawing, CSV)
    runs : HTML
        Table of all runs, at the end.
    """
    colors = dict(DARK)
    for _, drawing, _ in figures:
        colors |= drawing.dark
    light = "".join(f"--c{color[1:]}: {color}; " for color in colors)
    dark = "".join(f"--c{color[1:]}: {other}; " for color, other in colors.items())
    style = (
        f":root {{ {light}}}\n@media (prefers-color-scheme: dark) {{ "
        f':root:not([data-theme="light"]) {{ {dark}}} }}\n:root[data-theme="dark"] {{ {dark}}}{_STYLE}'
    )
    sections = [Section("comparison", "Comparison", "".join(tables))] if tables else []
    for figure, drawing, numbers in figures:
        link = f"data:text/csv;charset=utf-8,{quote(numbers)}"
        body = (
            f'<figure>\n<div class="wide drawing">{inline(figure, drawing)}'
            f"</div>\n<figcaption>{html.escape(figure.caption)} "
            f'<a download="{figure.name}.csv" href="{link}">Numbers (CSV)</a></figcaption>\n</figure>'
        )
        sections.append(Section(figure.name, figure.title, body))
    sections.append(Section("runs", "Runs", runs))
    return document(title, "\n".join(f"<p>{html.escape(fact)}</p>" for fact in facts), sections, style=style)
