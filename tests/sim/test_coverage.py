from spikewright_sim.coverage import Coverage, points

LINE = "C '\x01f\x02core.v\x01l\x022\x01n\x025\x01page\x02v_line/lane\x01o\x02block\x01h\x02TOP.lane' "
TOGGLE = "C '\x01f\x02core.v\x01l\x021\x01n\x025\x01page\x02v_toggle/lane\x01o\x02busy[3]:0->1\x01h\x02TOP.lane' "


def test_points_have_their_fields_and_counts() -> None:
    (fields, count), (_, none) = points(f"# SystemC::Coverage-3\n{LINE}12\n{TOGGLE}0\n")
    assert (fields["page"], fields["l"], fields["h"], count) == ("v_line/lane", "2", "TOP.lane", 12)
    assert none == 0


def test_reached_points_are_counted_by_kind() -> None:
    coverage = Coverage()
    data = LINE + "12\n" + LINE + "0\n" + TOGGLE + "0\n" + LINE.replace("v_line", "v_user") + "0\n"
    coverage.add(data, {"core.v": ["a", "  b <= c;"], "ram.v": ["d", "e"]})
    assert (coverage.reached, coverage.points) == ({"line": 1, "toggle": 0}, {"line": 2, "toggle": 1})
    assert coverage.percent("line") == 50.0
    assert coverage.missed == {"line": {"lane: b <= c;"}, "toggle": {"lane: busy[3]:0->1"}}
