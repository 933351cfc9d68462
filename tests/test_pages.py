"""Pages in a browser: nothing fails, nothing is asked for, all is on the screen, legible, and reached by keyboard."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from browser import Page, browser
from spikewright.report.compose import report
from spikewright.report.front_files import write
from spikewright.viewer.page import view
from tiny_training import write_run

PHONE, DESK = (390, 844), (1280, 900)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Page]:
    with browser() as page:
        yield page


@pytest.fixture(scope="module", params=["view", "explore", "report"])
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of each kind."""
    folder = tmp_path_factory.mktemp(request.param)
    return MAKERS[request.param](folder)


def make_view(folder: Path) -> Path:
    view("synth-small", "sample", folder / "page.html", samples=2)
    return folder / "page.html"


def make_explore(folder: Path) -> Path:
    points = [
        {
            "weight_bits": bits, "lanes": lanes, "layers": layers, "encoding": "auto", "accuracy": bits / 10,
            "cycles": {"mean": 64000 / lanes}, "microseconds": 800 / lanes, "luts": 1400 * lanes, "brams": 3 * lanes,
            "fits": lanes < 64, "front": bits == 6, "ffs": 0, "dsps": 0,
        }
        for bits in (8, 6, 4) for layers in ("parallel", "shared") for lanes in (1, 4, 16, 64)
    ]  # fmt: skip
    found = {"model": None, "samples": 3, "board": "ulx3s-85f", "clock_mhz": 80, "points": points}
    write(folder / "out", {**found, "available": {"luts": 83640, "brams": 208}, "recommended": points[9]})
    return folder / "out" / "index.html"


def make_report(folder: Path) -> Path:
    for seed in (0, 1):
        write_run(folder / "runs" / f"adam{seed}", optimizer="adam", seed=seed, accuracy=0.9 + 0.05 * seed)
        write_run(folder / "runs" / f"low{seed}", lam=0.1, seed=seed, accuracy=0.8 + 0.1 * seed)
        write_run(folder / "runs" / f"high{seed}", lam=1, seed=seed, accuracy=0.1 * seed)
    report([folder / "runs"], folder / "report", title="Tiny words")
    return folder / "report" / "index.html"


MAKERS = {"view": make_view, "explore": make_explore, "report": make_report}

OFF_SCREEN = """[...document.querySelectorAll('body *')].filter((e) => {
  // What is in a box that scrolls is reached there.
  if (e.closest('script, noscript, [hidden], .wide *, #js-plotly-tester') || e.closest('svg svg')) return false;
  const box = e.getBoundingClientRect();
  return box.width && (box.right > innerWidth + 1 || box.left < -1) && !e.closest('.hoverlayer');
}).map((e) => e.tagName + '.' + (e.className.baseVal ?? e.className) + ': ' + e.textContent.slice(0, 40))"""

FAINT = """(() => {
  const parse = (text) => {
    const [r, g, b, a = 1] = text.match(/[\\d.]+/g).map(Number);
    return { rgb: [r, g, b], a };
  };
  const light = ([r, g, b]) => {
    const [x, y, z] = [r, g, b].map((c) => ((c /= 255) <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
    return 0.2126 * x + 0.7152 * y + 0.0722 * z;
  };
  const ground = (e) => {
    for (; e; e = e.parentElement) {
      const { rgb, a } = parse(getComputedStyle(e).backgroundColor);
      if (a === 1) return rgb;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const e of document.querySelectorAll('body *')) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    const box = e.getBoundingClientRect();
    if (!own || !box.width || e.closest('script, noscript, [hidden], title, desc, defs')) continue;
    const style = getComputedStyle(e);
    if (style.visibility === 'hidden') continue;
    const color = parse(e instanceof SVGElement ? style.fill : style.color).rgb;
    const [one, two] = [light(color), light(ground(e))].sort((a, b) => b - a);
    const size = parseFloat(style.fontSize);
    const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
    const ratio = (one + 0.05) / (two + 0.05);
    if (ratio < (large ? 3 : 4.5)) found.push(`${ratio.toFixed(2)} ${color} ${e.textContent.slice(0, 40)}`);
  }
  return found;
})()"""

CONTROLS = """[...document.querySelectorAll('a[href], button, select, input')]
  .filter((e) => e.getBoundingClientRect().width && !e.closest('svg'))
  .map((e) => e.id || e.getAttribute('href').slice(0, 40))"""

FOCUS = """(() => {
  const e = document.activeElement;
  const style = getComputedStyle(e);
  return [e.id || (e.getAttribute('href') ?? '').slice(0, 40), style.outlineStyle !== 'none' && style.outlineWidth];
})()"""


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [PHONE, DESK], ids=["phone", "desk"])
def test_pages_are_whole_and_legible(written: Path, chromium: Page, size: tuple[int, int], dark: bool) -> None:
    chromium.open(written, *size, dark=dark)
    chromium.draw_all()
    assert chromium.evaluate("document.querySelectorAll('.plot:not(:has(.main-svg))').length") == 0
    assert chromium.problems == []
    outside = [url for url in chromium.requests if not url.startswith(("file:", "data:", "blob:"))]
    assert outside == []
    assert [url for url in chromium.requests if url.startswith("file:")] == [written.resolve().as_uri()]
    assert chromium.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert chromium.evaluate(OFF_SCREEN) == []
    assert chromium.evaluate(FAINT) == []


def test_controls_are_reached_by_keyboard_and_seen(written: Path, chromium: Page) -> None:
    chromium.open(written, *DESK)
    expected = set(chromium.evaluate(CONTROLS))
    assert "theme" in expected
    reached = {}
    for _ in range(3 * len(expected) + 20):
        chromium.press("Tab")
        name, outline = chromium.evaluate(FOCUS)
        if name in reached:
            break
        if name:
            reached[name] = outline
    assert set(reached) == expected
    assert set(reached.values()) == {"3px"}


def test_the_reader_chooses_the_light_and_print_is_light(written: Path, chromium: Page) -> None:
    chromium.open(written, *DESK, dark=True)
    ground = "getComputedStyle(document.body).backgroundColor"
    assert chromium.evaluate(ground) == "rgb(15, 19, 24)"
    assert chromium.evaluate("theme.textContent") == "Light page"
    chromium.evaluate("theme.click()")
    assert chromium.evaluate(ground) == "rgb(255, 255, 255)"
    chromium.evaluate("theme.click()")
    assert chromium.evaluate(ground) == "rgb(15, 19, 24)"
    chromium.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert chromium.evaluate(ground) == "rgb(255, 255, 255)"
    chromium.wait("document.querySelectorAll('.plot:not(:has(.main-svg))').length === 0")
    chromium.evaluate("dispatchEvent(new Event('afterprint'))")
    assert chromium.evaluate(ground) == "rgb(15, 19, 24)"
    assert chromium.problems == []


def test_a_recording_and_a_neuron_are_chosen(tmp_path: Path, chromium: Page) -> None:
    chromium.open(make_view(tmp_path), *DESK)
    chromium.draw_all()
    place = "document.querySelector('[data-figure=spikes0]')"
    before = chromium.evaluate(f"{place}.data[0].z.flat().filter((v) => v).length")
    text = chromium.evaluate("document.getElementById('choice-text').textContent")
    assert f"Layer 0 fires {before:,} times" in text
    chromium.evaluate("document.getElementById('next').click()")
    after = chromium.evaluate(f"{place}.data[0].z.flat().filter((v) => v).length")
    assert after != before
    assert f"Layer 0 fires {after:,} times" in chromium.evaluate("document.getElementById('choice-text').textContent")
    assert chromium.evaluate("document.getElementById('choice').selectedIndex") == 1
    chromium.evaluate("(neuron.value = 99, neuron.dispatchEvent(new Event('change')))")
    assert chromium.evaluate("neuron.value") == "41"
    assert chromium.evaluate("document.getElementById('neuron-text').textContent").startswith("Layer 0, neuron 41: ")
    chromium.evaluate(f"{place}.emit('plotly_hover', {{points: [{{data: {place}.data[0], y: 7}}]}})")
    assert chromium.evaluate("document.getElementById('neuron-text').textContent").startswith("Layer 0, neuron 7: ")
