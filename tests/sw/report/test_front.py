import io
import re
import xml.etree.ElementTree as ET

import pytest
from PIL import Image

from spikewright.report.front import design_name, draw_front


def point(bits, lanes, *, fits=True, front=True, luts=1000, layers="parallel", encoding="auto"):
    return {
        "weight_bits": bits,
        "lanes": lanes,
        "layers": layers,
        "encoding": encoding,
        "accuracy": bits / 10,
        "microseconds": 100 / lanes,
        "luts": luts * lanes,
        "brams": 3 * lanes,
        "fits": fits,
        "front": front,
    }


def report(*points):
    return {
        "available": {"luts": 83640, "brams": 208}, "clock_mhz": 80, "points": list(points), "recommended": points[-1],
    }  # fmt: skip


def texts(svg):
    return [element.text for element in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def test_points_are_named_by_their_lanes_and_widths_by_their_accuracy():
    found = texts(draw_front(report(point(8, 1), point(8, 64), point(4, 32))).svg)
    assert {"8 bits (80.0 %)", "4 bits (40.0 %)", "Latency at 80 MHz (µs)"} <= set(found)
    assert {"Block RAMs (of 208)", "LUTs (of 83,640)"} <= set(found)
    # Once in each of the two panels.
    assert [found.count(lanes) for lanes in ("64", "32")] == [2, 2]


@pytest.mark.parametrize("fits", [True, False])
def test_what_does_not_fit_is_in_the_legend_only_if_there_is_any(fits):
    assert ("does not fit" in texts(draw_front(report(point(8, 2, fits=fits))).svg)) is not fits


def test_what_is_not_on_the_front_looks_different():
    assert draw_front(report(point(8, 2))).svg != draw_front(report(point(8, 2, front=False))).svg


def test_the_same_report_gives_the_same_bytes():
    one, other = (draw_front(report(point(8, 1), point(6, 2))) for _ in range(2))
    assert (one.svg, one.png) == (other.svg, other.png)
    assert "<metadata>" not in one.svg
    with Image.open(io.BytesIO(one.png)) as image:
        assert "Software" not in image.info


def test_shared_lanes_are_a_line_of_their_own():
    points = [point(8, 1), point(8, 1, layers="shared"), point(6, 1)]
    labels = [text for text in texts(draw_front(report(*points)).svg) if text and "bits (" in text]
    assert labels == ["8 bits (80.0 %)", "8 bits (80.0 %), shared", "6 bits (60.0 %)"]


def test_designs_of_other_encodings_have_no_number():
    found = texts(draw_front(report(point(8, 64), point(8, 64, luts=1200, encoding="bitmap"))).svg)
    assert found.count("64") == 2
    assert "another encoding" in found
    assert "another encoding" not in texts(draw_front(report(point(8, 64))).svg)


def test_numbers_beside_points_cover_nothing():
    points = [point(8, lanes, luts=1000 + step) for lanes in (16, 32) for step in range(12)]
    svg = draw_front(report(*points)).svg
    places = {
        (round(float(x)), round(float(y)))
        for x, y, lanes in re.findall(r'<text[^>]*?x="([\d.]+)" y="([\d.]+)"[^>]*>(\d+)<', svg)
        if lanes in ("16", "32")
    }
    assert 0 < len(places) < len(points)
    for x, y in places:
        others = places - {(x, y)}
        assert not [other for other in others if abs(other[0] - x) < 9 and abs(other[1] - y) < 6]


def test_ticks_are_numbers_that_one_reads():
    points = [{**point(8, lanes), "microseconds": 6400 / lanes} for lanes in (1, 64)]
    found = texts(draw_front(report(*points)).svg)
    assert {"100", "1,000", "20k"} <= set(found)


def test_the_recommended_design_is_named():
    found = texts(draw_front(report(point(8, 4), point(6, 16, layers="shared"))).svg)
    assert found[-3:] == ["recommended:", "6 bits,", "16 lanes shared"]
    none = {**report(point(8, 4)), "recommended": None}
    assert "recommended:" not in texts(draw_front(none).svg)
    assert design_name(point(4, 2, encoding="bitmap"), pad=2) == "4 bits,  2 lanes, bitmap"
