import re
from html.parser import HTMLParser

import pytest

from spikewright.report.figures import Figure, Panel, Point, Series
from spikewright.report.page import inline, page, table
from spikewright.report.plots import draw

FIGURE = Figure(
    "loss",
    "Loss <1>",
    "A caption & more.",
    'Falls to "0.5".',
    "Epoch",
    "Loss",
    (Panel("", (Series("0.1", (Point(1, 2), Point(2, 1)), ("adabreg", "none"), 0.1),)),),
    ("a",),
    ((1,),),
)


@pytest.fixture(scope="module")
def drawing():
    return draw(FIGURE)


@pytest.fixture(scope="module")
def whole(drawing):
    other = Figure(**{**FIGURE.__dict__, "name": "weights"})
    tables = [table(["training", "n"], [["Adam", "3"], ["<b>", ""]], "Compared")]
    figures = [(FIGURE, drawing, 'a,"b"\n1,#2\n'), (other, drawing, "x\n")]
    return page("A & B", ["One fact.", "<script>"], tables, figures, table(["run"], [["x"]], "Runs"))


class Checker(HTMLParser):
    """Every element is closed in order; collects attributes."""

    VOID = ("meta", "br", "img")

    def __init__(self):
        super().__init__()
        self.open, self.attributes = [], []

    def handle_starttag(self, tag, attrs):
        self.attributes += [(tag, *item) for item in attrs]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.attributes += [(tag, *item) for item in attrs]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def checked(text):
    checker = Checker()
    checker.feed(text)
    assert checker.open == []
    return checker.attributes


def test_the_page_is_well_formed_and_refers_to_nothing_outside(whole):
    attributes = checked(whole)
    for _, name, value in attributes:
        if name in ("href", "src", "xlink:href"):
            assert value.startswith(("#", "data:text/csv")), value
    without_names = re.sub(r'xmlns(:\w+)?="[^"]*"', "", whole)
    assert "http" not in without_names.replace("http-equiv", "")
    assert not re.search(r"\ssrc=", whole)
    assert "@import" not in whole


def test_identifiers_are_unique_between_figures_and_lead_somewhere(whole):
    attributes = checked(whole)
    names = [value for _, name, value in attributes if name == "id"]
    assert {name.split("-")[0] for name in names if "-" in name} == {"loss", "weights"}
    assert len(names) == len(set(names))
    one = [name for name in names if name.startswith("loss-")]
    assert len(one) == len(set(one)) > 3
    used = re.findall(r"(?:href=\"#|url\(#)([^\")]+)", whole)
    assert used
    assert set(used) <= set(names)


def test_a_figure_is_described_for_those_who_do_not_see_it(drawing):
    svg = inline(FIGURE, drawing)
    assert svg.startswith("<svg ")
    assert 'role="img" aria-labelledby="loss-title loss-desc"' in svg
    assert '<title id="loss-title">Loss &lt;1&gt;</title>' in svg
    assert '<desc id="loss-desc">Falls to &quot;0.5&quot;.</desc>' in svg


def test_the_page_colours_the_figures(drawing, whole):
    svg = inline(FIGURE, drawing)
    assert not re.search(r"#[0-9a-fA-F]{6}\b", svg)
    used = set(re.findall(r"var\((--c\w+)\)", svg))
    assert used
    page_of = r":root \{ (--c.*?) \}\n@media \(prefers-color-scheme: dark\) \{ :root:not\([^)]*\) \{ (.*?)\}"
    light, dark = re.search(page_of, whole).groups()
    for name in used:
        assert f"{name}: #" in light
        assert f"{name}: #" in dark


def test_numbers_come_with_the_page(whole):
    assert 'download="loss.csv" href="data:text/csv;charset=utf-8,a%2C%22b%22%0A1%2C%232%0A"' in whole


def test_text_is_escaped(whole):
    assert "<h1>A &amp; B</h1>" in whole
    assert "<p>&lt;script&gt;</p>" in whole
    assert "A caption &amp; more." in whole
    assert '<td>&lt;b&gt;</td><td class="number"></td>' in whole


def test_tables_have_heads_and_captions():
    text = table(["name", "value"], [["a", "1 %"], ["b", ""]], "What it is")
    assert "<caption>What it is</caption>" in text
    assert '<th scope="col">name</th><th scope="col" class="number">value</th>' in text


def test_the_page_has_contents(whole):
    [contents] = re.findall(r'<nav class="contents".*?</nav>', whole)
    assert re.findall(r'href="#(\w+)">([^<]*)<', contents) == [
        ("comparison", "Comparison"), ("loss", "Loss &lt;1&gt;"), ("weights", "Loss &lt;1&gt;"), ("runs", "Runs"),
    ]  # fmt: skip
