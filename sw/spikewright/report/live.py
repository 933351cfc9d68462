"""Pages with figures that move: one file, with Plotly and all numbers in it, that asks no server for anything."""

from __future__ import annotations

import base64
import gzip
import html
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

import numpy as np
import numpy.typing as npt

from spikewright.contract.errors import InputError

Spec = dict[str, Any]
"""A figure of Plotly, `data` and `layout`. Colours are names of the style sheet, "@c1"; arrays are by `encode`."""

_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:; "
    "base-uri 'none'; form-action 'none'"
)
"""What browsers hold the page to: what is in it, and no other."""
_KINDS: dict[str, Any] = {"i1": np.int8, "u1": np.uint8, "i2": np.int16, "u2": np.uint16, "i4": np.int32}


@dataclass(frozen=True)
class Section:
    """A part of a page, with its place in the table of contents.

    Parameters
    ----------
    name : str
        Anchor.
    title : str
        Text.
    body : str
        HTML.
    """

    name: str
    title: str
    body: str


@dataclass(frozen=True)
class Live:
    """What the figures of a page show.

    Parameters
    ----------
    figures : dict
        Figures by their names in `plot`.
    choices : sequence of dict
        Of a page with something to choose: each has `label`, `text` and its own `figures`.
    neurons : sequence of sequences of str
        By layer, what is to be told of each neuron.
    """

    figures: Mapping[str, Spec]
    choices: Sequence[Mapping[str, Any]] = ()
    neurons: Sequence[Sequence[str]] = field(default=())

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready, as the page reads it."""
        neurons = {"neurons": list(self.neurons)} if self.neurons else {}
        return {"figures": self.figures, "choices": list(self.choices), **neurons}


def part(name: str) -> str:
    """A style sheet or script that stands beside this module."""
    return (resources.files("spikewright.report") / name).read_text("utf-8")


def encode(values: npt.NDArray[Any]) -> Spec:
    """An array of one or two axes as the page reads it.

    Integers keep their values. Other numbers are rounded to 1 / 32767 of the largest: finer than any screen shows.
    """
    scale = 1.0
    if values.dtype.kind not in "iub":
        largest = float(np.abs(values).max(initial=0))
        scale = largest / 32767 or 1.0
        values = np.rint(values / scale).astype(np.int64)
    low, high = int(values.min(initial=0)), int(values.max(initial=0))
    kind = next(
        (name for name, like in _KINDS.items() if np.iinfo(like).min <= low and high <= np.iinfo(like).max), "f4"
    )
    raw = np.ascontiguousarray(values, dtype=_KINDS.get(kind, np.float32)).astype(f"<{kind}")
    return {
        "kind": kind,
        "shape": list(values.shape),
        "bytes": base64.b64encode(raw.tobytes()).decode(),
        "scale": scale,
    }


def pack_text(text: str) -> str:
    """Text as it stands in a page, compressed. The same text gives the same characters."""
    return base64.b64encode(gzip.compress(text.encode(), 9, mtime=0)).decode()


def plot(name: str, height: int, description: str, *, chosen: bool = False) -> str:
    """The place of a figure.

    Parameters
    ----------
    name : str
        Its name in `Live.figures`, or (`chosen`) in the figures of what is chosen.
    height : int
        Pixels.
    description : str
        What is to be seen, for those who do not see it.
    """
    return (
        f'<div class="plot" data-figure="{html.escape(name)}"{" data-chosen" if chosen else ""} role="img" '
        f'aria-label="{html.escape(description)}" style="height: {height}px"></div>'
    )


def contents(sections: Sequence[Section]) -> str:
    """The table of contents."""
    items = "".join(f'<li><a href="#{part.name}">{html.escape(part.title)}</a></li>' for part in sections)
    return f'<nav class="contents" aria-label="Contents"><ul>{items}</ul></nav>'


def facts(items: Sequence[tuple[str, str, str]]) -> str:
    """Figures that one looks for first: what it is, the figure, and what has to be known with it."""
    cards = "".join(
        f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(value)}"
        f"{f'<small>{html.escape(more)}</small>' if more else ''}</dd></div>"
        for name, value, more in items
    )
    return f'<dl class="facts">{cards}</dl>'


def document(title: str, intro: str, sections: Sequence[Section], *, style: str = "", live: Live | None = None) -> str:
    """A whole page.

    Parameters
    ----------
    title : str
        Text.
    intro : str
        HTML below the title.
    sections : sequence of Section
    style : str
        CSS beyond that of all pages.
    live : Live, optional
        Its figures. Without them the page needs no script.

    Raises
    ------
    InputError
        If figures are to be drawn and Plotly is not installed.
    """
    name = html.escape(title)
    body = "\n".join(
        f'<section id="{item.name}">\n<h2>{html.escape(item.title)}</h2>\n{item.body}\n</section>' for item in sections
    )
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<title>{name}</title>
<style>
{part("pages.css")}{style}</style>
<script>
{part("theme.js")}</script>
</head>
<body>
<header>
<div><h1>{name}</h1>
{intro}</div>
<button id="theme" type="button" hidden>Dark page</button>
</header>
<main>
{contents(sections)}
{"" if live is None else _NOTICE}
{body}
</main>
{"" if live is None else _scripts(live)}</body>
</html>
"""


_NOTICE = (
    '<p id="problem" class="note" role="alert" hidden></p>\n'
    '<noscript><p class="note">The figures are drawn by JavaScript, which is off; the tables are here.</p></noscript>'
)


def _scripts(live: Live) -> str:
    payload = json.dumps(live.as_dict(), allow_nan=False, separators=(",", ":"))
    return (
        f'<script type="text/plain" id="payload">{pack_text(payload)}</script>\n'
        f'<script type="text/plain" id="library">{pack_text(_plotly())}</script>\n'
        f"<script>\n{part('live.js')}</script>\n"
    )


def _plotly() -> str:
    try:
        from plotly.offline import get_plotlyjs
    except ImportError:
        raise InputError(
            "plotly must be installed for a page with live figures, not missing: pip install plotly"
        ) from None
    return str(get_plotlyjs())
