import base64
import gzip
import json
import re

import numpy as np
import pytest

from spikewright.contract.errors import InputError
from spikewright.report import live
from spikewright.report.live import Live, Section, document, encode, facts, pack_text, plot

FIGURE = {"data": [{"type": "bar", "y": [1, 2]}], "layout": {}}


def decoded(spec):
    """What the page makes of an array."""
    raw = np.frombuffer(base64.b64decode(spec["bytes"]), f"<{spec['kind']}")
    return raw.reshape(spec["shape"]) * spec["scale"]


def payload(text, name="payload"):
    """Text that is packed in a page."""
    [packed] = re.findall(rf'<script type="text/plain" id="{name}">([^<]*)</script>', text)
    return gzip.decompress(base64.b64decode(packed)).decode()


@pytest.mark.parametrize(
    ("values", "kind"),
    [([-128, 127], "i1"), ([0, 255], "u1"), ([-129, 0], "i2"), ([0, 65535], "u2"), ([-1, 65535], "i4")],
)
def test_integers_keep_their_values_in_as_few_bytes_as_they_need(values, kind):
    spec = encode(np.array([values, values]))
    assert (spec["kind"], spec["shape"], spec["scale"]) == (kind, [2, 2], 1)
    assert decoded(spec).tolist() == [values, values]


def test_other_numbers_are_close():
    values = np.array([0.0, -3.0, 1e-3, 2.5])
    spec = encode(values)
    assert spec["kind"] == "i2"
    assert np.abs(decoded(spec) - values).max() <= 3 / 32767 / 2 * 1.001
    assert decoded(spec)[0] == 0
    assert decoded(encode(np.zeros(2))).tolist() == [0, 0]
    assert decoded(encode(np.array([True, False]))).tolist() == [1, 0]


def test_the_page_has_library_and_numbers_in_it():
    text = document("A", "", [], live=Live({"one": FIGURE}, [{"label": "x", "figures": {}}], [["n"]]))
    assert json.loads(payload(text)) == {
        "figures": {"one": FIGURE}, "choices": [{"label": "x", "figures": {}}], "neurons": [["n"]],
    }  # fmt: skip
    assert "plotly.js v" in payload(text, "library")[:100]
    assert pack_text("a") == pack_text("a")


def test_the_page_asks_no_server_and_says_so_to_the_browser():
    text = document("A", "", [Section("s", "S", "")], live=Live({"one": FIGURE}))
    assert "http" not in re.sub(r"http-equiv", "", text)
    assert "default-src 'none'" in text
    assert not re.search(r"\bsrc\s*=", text)
    assert "connect-src" not in text  # so that it is none, as by default
    assert re.findall(r'href="([^"]*)"', text) == ["#s"]


def test_text_is_escaped_and_sections_have_their_place_in_the_contents():
    text = document("<A>", "<p>intro</p>", [Section("one", "B & C", "<p>body</p>")])
    assert "<title>&lt;A&gt;</title>" in text
    assert "<h1>&lt;A&gt;</h1>" in text
    assert '<nav class="contents" aria-label="Contents"><ul><li><a href="#one">B &amp; C</a></li></ul></nav>' in text
    assert '<section id="one">\n<h2>B &amp; C</h2>\n<p>body</p>\n</section>' in text
    assert 'id="payload"' not in text
    assert "&lt;x&gt;" in facts([("<x>", "1", "")])
    assert 'aria-label="a &quot;b&quot;" style="height: 10px"' in plot("n", 10, 'a "b"')


def test_a_missing_library_is_one_line(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "plotly.offline", None)
    with pytest.raises(InputError, match=r"^plotly must be installed for a page with live figures, not missing: pip"):
        document("A", "", [], live=Live({}))


def test_all_colours_that_figures_name_are_in_the_style():
    style = live.part("pages.css")
    for name in ("paper", "card", "ink", "muted", "line", "c1", "c6", "low", "lowsoft", "high", "highsoft", "zero"):
        assert style.count(f"--{name}:") == 3, name  # light, dark by the system, dark by choice
