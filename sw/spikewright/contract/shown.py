"""How objects show themselves: a title and a table of a few lines in a terminal, the whole table in a notebook."""

from __future__ import annotations

from html import escape

Facts = list[tuple[str, str]]
_MOST_LINES = 10


def percent(fraction: float | None) -> str:
    """A share as people read it: 12.50 %; or that it is not known."""
    return "not known" if fraction is None else f"{100 * fraction:.2f} %"


def thousands(number: float) -> str:
    """A number without fraction: 12,500."""
    return f"{number:,.0f}"


def aligned(facts: Facts) -> list[str]:
    """Lines of labels and values, the values below each other."""
    width = max((len(label) for label, _ in facts), default=0)
    return [f"{label:<{width}}  {value}".rstrip() for label, value in facts]


class Shown:
    """Shows itself as a title and a table of labels and values.

    As text it has ten lines at most, as terminals show every value; a notebook gets all of the table.
    """

    def title(self) -> str:
        """What it is, in a line; its kind by default."""
        return type(self).__name__

    def facts(self) -> Facts:
        """Its table, (label, value) each; empty by default."""
        return []

    def __repr__(self) -> str:
        facts = self.facts()
        if len(lines := aligned(facts)) >= _MOST_LINES:
            # What is indented is a part of what is above it.
            whole = aligned([fact for fact in facts if not fact[0].startswith(" ")])[: _MOST_LINES - 2]
            lines = [*whole, f"... and {len(lines) - len(whole)} more"]
        return "\n".join([self.title(), *(f"  {line}" for line in lines)])

    def _repr_html_(self) -> str:
        body = "".join(
            f'<tr><th style="text-align:left;white-space:pre">{escape(label)}</th>'
            f'<td style="text-align:left;white-space:pre-wrap;font-family:monospace">{escape(value)}</td></tr>'
            for label, value in self.facts()
        )
        return f"<p><b>{escape(self.title())}</b></p>" + (f"<table>{body}</table>" if body else "")
