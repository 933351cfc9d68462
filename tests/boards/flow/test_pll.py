import pytest

from spikewright_boards.flow.pll import PllSettings, pll_settings


@pytest.mark.parametrize("wanted", [12.5, 40, 66, 75, 80, 83.3, 90, 96, 100, 120, 133])
def test_settings_stay_within_the_limits(wanted: float) -> None:
    pll = pll_settings(25, wanted)
    assert pll.output_mhz == pytest.approx(wanted, rel=0.01)
    assert 400 <= pll.output_mhz * pll.output_divider <= 800
    assert pll.input_mhz / pll.input_divider >= 3.125
    assert 1 <= pll.output_divider <= 128
    assert 1 <= pll.feedback_divider <= 80


def test_80_mhz_is_exact() -> None:
    assert pll_settings(25, 80) == PllSettings(25, 5, 16, 7)


@pytest.mark.parametrize("wanted", [1.0, 900.0])
def test_out_of_reach(wanted: float) -> None:
    with pytest.raises(ValueError, match=f"^no PLL setting makes {wanted:g} MHz of 25 MHz$"):
        pll_settings(25, wanted)
