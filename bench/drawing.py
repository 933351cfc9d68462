"""Drawings as SVG, with colours for light and for dark pages."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from html import escape


@dataclass(frozen=True)
class Colours:
    """What a drawing is drawn with; contrasts of text are above 4.5 on white and on the theme's dark ground."""

    ink: str
    muted: str
    line: str
    fill: str
    accent: str
    second: str
    third: str


COLOURS = {
    "light": Colours("#1f2933", "#52606d", "#9aa5b1", "#f0f4f8", "#00695c", "#b34700", "#3f51b5"),
    "dark": Colours("#e4e7eb", "#b0bac5", "#7b8794", "#2b313c", "#4db6ac", "#ffa05c", "#9fa8da"),
}


@dataclass
class Svg:
    """A drawing of fixed width that grows by what is put into it."""

    width: int
    height: int
    title: str
    colours: Colours
    parts: list[str] = field(default_factory=list)

    def put(self, tag: str, text: str = "", **attributes: object) -> None:
        names = "".join(f' {name.replace("_", "-").rstrip("-")}="{value}"' for name, value in attributes.items())
        self.parts.append(f"<{tag}{names}>{escape(text)}</{tag}>" if text else f"<{tag}{names}/>")

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = 14,
        colour: str = "",
        anchor: str = "middle",
        bold: bool = False,
    ) -> None:
        weight = {"font_weight": "600"} if bold else {}
        self.put(
            "text",
            text,
            x=f"{x:g}",
            y=f"{y:g}",
            font_size=size,
            fill=colour or self.colours.ink,
            text_anchor=anchor,
            **weight,
        )

    def box(
        self, x: float, y: float, width: float, height: float, title: str, *below: str, accent: bool = False
    ) -> None:
        """A rounded box with a title, and small lines under it."""
        edge = self.colours.accent if accent else self.colours.line
        self.put(
            "rect", x=x, y=y, width=width, height=height, rx=7, fill=self.colours.fill, stroke=edge, stroke_width=1.5
        )
        top = y + height / 2 + 5 - 9 * len(below)
        self.text(x + width / 2, top, title, size=15, bold=True)
        for index, line in enumerate(below):
            self.text(x + width / 2, top + 18 + 17 * index, line, size=13, colour=self.colours.muted)

    def arrow(self, *points: tuple[float, float], colour: str = "", dashed: bool = False) -> None:
        """A line through points, with a head at the last one."""
        stroke = colour or self.colours.muted
        path = " ".join(f"{'L' if index else 'M'}{x:g} {y:g}" for index, (x, y) in enumerate(points))
        dashes = {"stroke_dasharray": "5 4"} if dashed else {}
        self.put("path", d=path, fill="none", stroke=stroke, stroke_width=1.6, **dashes)
        (x0, y0), (x1, y1) = points[-2:]
        angle = math.atan2(y1 - y0, x1 - x0)
        corners = [(x1 - 9 * math.cos(angle + turn), y1 - 9 * math.sin(angle + turn)) for turn in (0.42, -0.42)]
        shape = " ".join(f"{x:.1f},{y:.1f}" for x, y in [(x1, y1), *corners])
        self.put("polygon", points=shape, fill=stroke)

    def __str__(self) -> str:
        head = (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {self.width} {self.height}" width="{self.width}" '
            f'height="{self.height}" role="img" font-family="system-ui, -apple-system, Segoe UI, Helvetica, Arial, '
            f'sans-serif">\n<title>{escape(self.title)}</title>\n'
        )
        return head + "\n".join(self.parts) + "\n</svg>\n"
