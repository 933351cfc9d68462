import base64
import gzip
import json
import re

from spikewright.report.front_page import front_page


def point(bits, lanes, **changes):
    usual = {"layers": "parallel", "encoding": "auto", "accuracy": 0.9, "luts": 1000 * lanes, "brams": 3 * lanes}
    usual |= {"microseconds": 800 / lanes, "cycles": {"min": 1, "mean": 64000 / lanes, "max": 2}}
    return {"weight_bits": bits, "lanes": lanes, "fits": True, "front": True, **usual, **changes}


def report(*points, recommended=None, model="runs/<b>.safetensors"):
    available = {"luts": 83640, "brams": 208}
    return {
        "model": model, "samples": 20, "board": "ulx3s-85f", "clock_mhz": 80, "available": available,
        "points": list(points), "recommended": recommended,
    }  # fmt: skip


def choices(text):
    [packed] = re.findall(r'id="payload">([^<]*)<', text)
    return json.loads(gzip.decompress(base64.b64decode(packed)))["choices"]


def test_the_recommended_design_is_named_with_its_figures():
    best = point(6, 8)
    text = front_page(report(point(8, 4), best, recommended=best))
    assert "<strong>6 bits, 8 lanes</strong>" in text
    assert "100.0 µs<small>8,000 cycles</small>" in text
    assert '<tr class="best"><td>6 bits, 8 lanes</td>' in text
    assert text.count('class="best"') == 1
    assert "front, recommended" in text
    assert "No design fits ulx3s-85f." in front_page(report(point(8, 4, fits=False)))


def test_both_resources_are_figures_that_plotly_knows():
    from plotly.graph_objects import Figure

    points = [point(8, 4), point(8, 64, front=False, fits=False), point(6, 4, encoding="bitmap", layers="shared")]
    found = choices(front_page(report(*points, recommended=points[0])))
    assert [choice["label"] for choice in found] == ["Block RAMs", "LUTs"]
    for choice in found:
        Figure(json.loads(re.sub(r'"@\w+"', '"red"', json.dumps(choice["figures"]["front"]))))
    traces = found[0]["figures"]["front"]["data"]
    assert [trace.get("name") for trace in traces if trace.get("name")] == [
        "8 bits (90.0 %)", "6 bits (90.0 %), shared", "does not fit", "recommended",
    ]  # fmt: skip
    of_eight = next(trace for trace in traces if trace["mode"] == "markers+text")
    assert (of_eight["x"], of_eight["y"]) == ([12, 192], [200, 12.5])
    assert of_eight["text"] == ["4", ""]
    assert of_eight["marker"]["symbol"] == ["circle", "circle-open"]
    assert found[0]["figures"]["front"]["layout"]["shapes"][0]["x0"] == 208


def test_names_are_text_and_what_is_left_out_is_said():
    text = front_page(report(point(8, 4), point(8, 4, encoding="bitmap", front=False)))
    assert "<h1>Cores for &lt;b&gt;</h1>" in text
    assert "1 with other encodings that take more are in explore.json." in text
    assert "<h1>Cores for a network</h1>" in front_page(report(point(8, 4), model=None))
