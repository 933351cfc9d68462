import io
import os
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from PIL import Image

from spikewright.contract.errors import InputError
from spikewright.report import plots
from spikewright.report.figures import Figure, Panel, Point, Series
from spikewright.report.plots import draw

ADABREG, ADAM, LINBREG = ("adabreg", "onecycle"), ("adam", "onecycle"), ("linbreg", "none")


def figure(*panels, **options):
    defaults = {"x_label": "λ", "y_label": "Accuracy (%)", "columns": (), "rows": ()}
    return Figure("name", "Title", "Caption.", "Words.", panels=panels, **(defaults | options))


def line(label="AdaBreg", points=((1, 50), (10, 60)), method=ADABREG, deviations=False, **options):
    made = [Point(x, y, 0.1 * x if deviations else None, 2 if deviations else None) for x, y in points]
    return Series(label, tuple(made), method, **options)


def texts(svg):
    return [element.text for element in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


def test_the_same_numbers_give_the_same_bytes():
    made = figure(Panel("a", (line(deviations=True),)), x_scale="log", ticks=(1.0, 10.0))
    one, other = draw(made), draw(made)
    assert (one.svg, one.png) == (other.svg, other.png)
    assert draw(figure(Panel("a", (line(points=((1, 50), (10, 61))),)))).svg != one.svg


def test_nothing_of_the_day_or_the_machine_is_in_a_file():
    drawing = draw(figure(Panel("", (line(),))))
    assert "<metadata>" not in drawing.svg
    assert not re.search(r"20\d\d-\d\d|Matplotlib v", drawing.svg)
    with Image.open(io.BytesIO(drawing.png)) as image:
        assert image.width > 600
        assert "Software" not in image.info


def test_panels_and_series_are_labelled():
    made = figure(Panel("left", (line(),)), Panel("right", (line("Adam", method=ADAM),)), x_label="Epoch")
    found = texts(draw(made).svg)
    assert {"left", "right", "AdaBreg", "Adam", "Accuracy (%)"} <= set(found)
    assert found.count("Epoch") == 2
    assert found.count("Accuracy (%)") == 1


def test_lambdas_are_the_ticks_of_their_axis():
    lams = (0.0, 0.01, 0.1, 1.0)
    made = figure(Panel("", (line(points=[(lam, 50) for lam in lams]),)), x_scale="log", ticks=lams)
    assert [text for text in texts(draw(made).svg) if text in ("0", "0.01", "0.1", "1")] == ["0", "0.01", "0.1", "1"]


def test_many_lambdas_are_labelled_as_far_as_there_is_room():
    lams = tuple(0.01 * 1.1**index for index in range(40))
    made = figure(Panel("", (line(points=[(lam, 50) for lam in lams]),)), x_scale="log", ticks=lams)
    labels = [text for text in texts(draw(made).svg) if text in [repr(lam) for lam in lams]]
    assert 3 < len(labels) < 14


@pytest.mark.parametrize(
    ("sparsities", "labels"),
    [((0.0, 0.5, 0.9, 0.99), ["0", "50", "75", "90", "95", "98", "99"]), ((0.0, 0.4), ["0", "10", "20", "30", "40"])],
)
def test_shares_of_zeros_lie_by_what_is_left(sparsities, labels):
    made = figure(Panel("", (line(points=[(share, 50 + share) for share in sparsities]),)), x_scale="zeros")
    found = [text for text in texts(draw(made).svg) if re.fullmatch(r"[\d.]+", text)]
    assert sorted(set(labels) & set(found), key=float) == labels
    places = {
        element.text: float(element.get("x") or element.get("transform").split("(")[1].split()[0])
        for element in ET.fromstring(draw(made).svg).iter("{http://www.w3.org/2000/svg}text")
        if element.text in labels[:3]
    }
    assert list(places) == labels[:3] or sorted(places, key=places.get) == labels[:3]


def test_lambdas_of_a_panel_are_labelled_whatever_those_of_another_are():
    lams = (0.01, 0.1, 1.0, 10.0)
    panels = [Panel("", (line(points=[(lam, 50) for lam in some]),)) for some in (lams[:2], lams[2:])]
    found = texts(draw(figure(*panels, x_scale="log", ticks=lams)).svg)
    assert [text for text in found if text in ("0.01", "0.1", "1", "10")] == ["0.01", "0.1", "1", "10"]


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (310, 420, [320, 340, 360, 380, 400, 420]),
        (0.9, 4.4, [1, 2, 3, 4]),
        (0.011, 0.013, [0.011, 0.0115, 0.012, 0.0125, 0.013]),
    ],
)
def test_a_narrow_logarithmic_axis_has_some_ticks(low, high, ticks):
    assert plots.round_numbers(low, high) == pytest.approx(ticks)


def test_error_bars_of_shares_stay_between_nothing_and_all():
    made = figure()
    assert plots._spread(Point(1, 3, None, 5), made) == (3, 5)
    assert plots._spread(Point(1, 98, None, 5), made) == (5, 2)
    assert plots._spread(Point(1, 3, None, 5), figure(y_label="Loss")) == (5, 5)
    low = line(points=((1, 3), (10, 2)), deviations=True)
    found = texts(draw(figure(Panel("", (low,)), x_scale="log")).svg)
    assert not [text for text in found if text.startswith(("-", "\N{MINUS SIGN}"))]


def test_optimizers_have_colours_of_their_own():
    both = figure(Panel("", (line(), line("Adam", method=ADAM), line("cosine", method=("adabreg", "cosine")))))
    looks = plots._looks(both)
    assert looks["AdaBreg"].color == looks["cosine"].color != looks["Adam"].color
    assert looks["AdaBreg"].marker != looks["cosine"].marker


def test_a_large_family_has_markers():
    def shapes(count):
        family = [line(str(lam), order=float(lam)) for lam in range(count)]
        return [look.shape for look in plots._looks(figure(Panel("", tuple(family)))).values()]

    assert shapes(4) == [""] * 4
    assert len(set(shapes(6))) == 6


def test_large_numbers_have_prefixes():
    made = figure(Panel("", (line(points=[(2e4, 50), (3e6, 60)]),)), x_scale="log")
    assert {"50k", "100k", "1M"} <= set(texts(draw(made).svg))


def test_a_single_point_and_an_empty_panel_can_be_drawn():
    assert draw(figure(Panel("", (line(points=((0.0, 50),)),)), x_scale="zeros")).png
    assert draw(figure(Panel("", ()), x_scale="log", y_scale="log")).png


def test_families_are_coloured_in_order_and_readable_in_the_dark():
    family = [line(str(lam), order=lam) for lam in (10.0, 0.1, 1.0)]
    drawing = draw(figure(Panel("", (*family, line("Adam", method=ADAM)))))
    assert [text for text in texts(drawing.svg) if text in ("0.1", "1.0", "10.0", "Adam")] == [
        "0.1", "1.0", "10.0", "Adam",
    ]  # fmt: skip

    def luminance(color):
        red, green, blue = (int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))
        return 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2

    colors = [color for color in drawing.dark if color not in ("#ffffff", "#d8d8d8")]
    assert len(colors) == 4
    for color in colors:
        assert 1.05 / (luminance(color) + 0.05) > 1.8  # on white
        assert (luminance(drawing.dark[color]) + 0.05) / 0.06 > 2.5  # on the dark page
    assert all(color in drawing.svg for color in colors)


def test_curves_show_runs_that_broke_off_and_diverged():
    whole = line("0.1", order=0.1)
    broken = line("0.1", order=0.1, kind="fragment", diverged=True)
    shares = {"x_label": "Epoch", "y_label": "Weights"}
    without = draw(figure(Panel("", (whole,)), **shares)).svg
    with_cross = draw(figure(Panel("", (whole, broken)), **shares)).svg
    assert "stroke-dasharray" not in without
    assert "stroke-dasharray" in with_cross
    assert "Share of all weights (%)" in texts(draw(figure(Panel("", (whole,), total=1000), **shares)).svg)


def test_methods_differ_in_more_than_colour():
    series = (line("a"), line("b", method=("adabreg", "none")), line("c", method=ADAM), line("d", method=LINBREG))
    level = line("e", points=((0, 55),), method=("adam", "cosine"), kind="level", deviations=True)
    drawing = draw(figure(Panel("", (*series, level)), x_scale="log"))
    assert len(set(re.findall(r"stroke-dasharray: ([\d., ]+)", drawing.svg))) >= 2
    assert len([color for color in drawing.dark if color not in ("#222222", "#ffffff", "#d8d8d8")]) == 3


def test_series_of_one_method_have_different_markers():
    series = [line(f"λ = {lam}", points=((1, lam), (2, lam))) for lam in (1, 2)]
    one, both = (draw(figure(Panel("", tuple(series[:count])), x_scale="log")).svg for count in (1, 2))
    assert len(re.findall(r'<path id="m\w+"', both)) > len(re.findall(r'<path id="m\w+"', one))


def test_figures_are_drawn_without_a_home(tmp_path: Path) -> None:
    """Nor with the backend that another program wants."""
    code = (
        "from spikewright.report.plots import prepare_matplotlib\nprepare_matplotlib()\n"
        "import matplotlib\nfrom matplotlib.figure import Figure\nprint(matplotlib.get_cachedir())"
    )
    environment = {name: value for name, value in os.environ.items() if name not in ("XDG_CACHE_HOME", "MPLCONFIGDIR")}
    environment |= {"HOME": "/proc/nope", "TMPDIR": str(tmp_path), "MPLBACKEND": "theirs"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout == f"{tmp_path}/spikewright-{os.getuid()}/spikewright/matplotlib\n"
    assert done.stderr == ""


def test_figures_need_some_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MPLCONFIGDIR", "/proc/nope")
    monkeypatch.setattr(plots, "cache_folder", lambda name: None)
    with pytest.raises(InputError) as error:
        plots.prepare_matplotlib()
    assert str(error.value) == "a home or TMPDIR must be writable to draw figures: matplotlib needs a folder"
