# amaranth: UnusedElaboratable=no
import re
from dataclasses import replace

import pytest

from spikewright.contract.stream import StreamFormat
from spikewright_boards.catalog import find, names
from spikewright_boards.flow.top import BoardTop, clock_of

FORM = StreamFormat(axon_bits=8, value_bits=5, input_bytes=2, output_bytes=3, classes=20)


def files(board: str, form: StreamFormat = FORM) -> dict[str, str]:
    top = BoardTop(find(board), form, clock_of(find(board)))
    plan = find(board).platform().prepare(top, "top", debug_verilog=True)
    return {name: text if isinstance(text, str) else text.decode() for name, text in plan.files.items()}


def test_ulx3s_runs_the_core_from_the_pll_and_constrains_it() -> None:
    made = files("ulx3s-85f")
    assert 'LOCATE COMP "uart_0__rx__io" SITE "M1";' in made["top.lpf"]
    assert 'LOCATE COMP "uart_0__tx__io" SITE "L4";' in made["top.lpf"]
    assert re.findall(r"FREQUENCY NET (\S+) (\S+) HZ", made["top.lpf"]) == [('"clock"', "80000000.0")]
    verilog = made["top.debug.v"]
    for parameter in ("CLKI_DIV(32'd5)", "CLKFB_DIV(32'd16)", "CLKOP_DIV(32'd7)"):
        assert parameter in verilog
    assert len(re.findall(r"\bled_\d__io\b.*;", verilog)) >= 8


def test_icebreaker_runs_the_core_from_its_oscillator() -> None:
    made = files("icebreaker")
    assert "set_io uart_0__rx__io 6" in made["top.pcf"]
    assert "set_io uart_0__tx__io 9" in made["top.pcf"]
    assert re.findall(r"set_frequency (\S+) (\S+)", made["top.pcf"]) == [("clk12_0__io", "12.0")]
    assert "SB_PLL" not in made["top.debug.v"]


@pytest.mark.parametrize("board", names())
def test_the_core_is_the_one_of_the_build_folder(board: str) -> None:
    verilog = files(board)["top.debug.v"]
    (ports,) = re.findall(r"\n  spikewright_core core \((.*?)\n  \);", verilog, re.DOTALL)
    assert sorted(re.findall(r"\.(\w+)\(", ports)) == [
        "clk",
        *(f"m_axis_{name}" for name in ("tdata", "tlast", "tready", "tvalid")),
        "rst",
        *(f"s_axis_{name}" for name in ("tdata", "tlast", "tready", "tvalid")),
    ]
    # The queue in front of the core must become a plain block RAM.
    assert re.search(r"\(\* no_rw_check.*\n.*\n  reg \[\d+:0\] memory", verilog)


@pytest.mark.parametrize("board", names())
def test_a_core_that_is_loaded_has_its_port_on_the_line(board: str) -> None:
    verilog = files(board, replace(FORM, loadable=True))["top.debug.v"]
    (ports,) = re.findall(r"\n  spikewright_core core \((.*?)\n  \);", verilog, re.DOTALL)
    found = sorted(re.findall(r"\.(\w+)\(", ports))
    assert [name for name in found if "load" in name] == [
        "load_error",
        "loaded",
        *(f"s_load_{name}" for name in ("tdata", "tlast", "tready", "tvalid")),
    ]
    assert len(found) == 16
    assert not re.search(r"\.\w*load\w*\(\)", ports)


@pytest.mark.parametrize("board", names())
def test_narrow_results_fit_the_lights(board: str) -> None:
    form = StreamFormat(axon_bits=1, value_bits=1, input_bytes=1, output_bytes=1, classes=2)
    assert "spikewright_core" in files(board, form)["top.debug.v"]


def test_clocks() -> None:
    clock = clock_of(find("ulx3s-85f"), 100.2)
    assert (clock.mhz, clock.divisor) == (100, 100)
    assert clock_of(find("icebreaker"), 12).pll is None
    with pytest.raises(ValueError, match=r"^the clock of icebreaker must be its oscillator's 12 MHz, not 24 MHz$"):
        clock_of(find("icebreaker"), 24)
    with pytest.raises(ValueError, match=r"^no PLL setting makes 2000 MHz of 25 MHz$"):
        clock_of(find("ulx3s-85f"), 2000)
    with pytest.raises(ValueError, match=r"^baud must be at most 625000 at 5e\+06 Hz, not 1000000$"):
        clock_of(find("ulx3s-85f"), 5)
