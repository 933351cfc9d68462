import pytest

from spikewright.learn.recipe import rate_factor


def test_schedules():
    assert [rate_factor("none", step, 10) for step in (0, 9)] == [1.0, 1.0]
    assert rate_factor("cosine", 0, 10) == 1.0
    assert rate_factor("cosine", 5, 10) == pytest.approx(0.5)
    one = [rate_factor("onecycle", step, 100) for step in range(101)]
    assert one[0] == pytest.approx(0.04)
    assert one[30] == pytest.approx(1.0) == max(one)
    assert one[100] == pytest.approx(0.0)
    assert all(a < b for a, b in zip(one[:30], one[1:31], strict=True))
    assert all(a > b for a, b in zip(one[30:100], one[31:], strict=True))
