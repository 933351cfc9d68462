import re
from pathlib import Path

import pytest

from spikewright.cli.main import main
from spikewright.contract.errors import InputError
from spikewright_boards.asic.design import choose
from spikewright_boards.asic.memories import SHIPPED, Found, Macro, macros_of, model_of, read_map

MAP = """
[[macro]]
name = "small"
words = 64
bits = 8
area_um2 = 1000
[macro.ports]
clk = "clock"
ce = "!read_enable"
ra = "read_address"
q = "read_data"
we = "write_enable"
wa = "write_address"
d = "write_data"
mode = "10"
"""


def memory(words: int, bits: int, writes: int = 1) -> Found:
    return Found("module", "cell", "place", words, bits, 1, writes)


def test_a_map_is_read(tmp_path: Path) -> None:
    (tmp_path / "map.toml").write_text(MAP)
    (macro,) = read_map(tmp_path / "map.toml")
    assert (macro.name, macro.words, macro.bits, macro.area, macro.read_pj) == ("small", 64, 8, 1000, None)
    model = model_of(macro)
    assert "held <= we && wa == ra ? 8'bx : words[ra];" in model
    assert "else held" not in model
    assert "input [1:0] mode" in model


def test_ports_of_all_macros_have_the_widths_of_each(tmp_path: Path) -> None:
    head, _, ports = MAP.partition("[macro.ports]\n")
    ports = ports.replace('"10"', '"1 x data"') + 'test = "0 x address"\n'
    (tmp_path / "map.toml").write_text(f"[ports]\n{ports}{head}holds = false\n{head.replace('64', '512')}")
    small, large = read_map(tmp_path / "map.toml")
    assert (small.ports["mode"], small.ports["test"]) == ("1" * 8, "0" * 6)
    assert (large.ports["mode"], large.ports["test"]) == ("1" * 8, "0" * 9)
    assert (small.holds, large.holds) == (False, True)
    assert "else held <= 8'bx;" in model_of(small)


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.toml")), ids=lambda path: path.stem)
def test_shipped_maps_are_of_macros_that_one_can_have(path: Path) -> None:
    macros = macros_of(path.stem)
    assert isinstance(macros, list)
    assert len({macro.name for macro in macros}) == len(macros) > 1
    for macro in macros:
        size = {int(number) for found in re.findall(r"(\d+)x(\d+)", macro.name) for number in found}
        assert size == {macro.words, macro.bits}
        # Static memories take some square micrometres a bit in these processes.
        assert macro.area is not None
        assert 3 < macro.area / macro.words / macro.bits < 60
        assert macro.read_pj is not None
        assert macro.write_pj is not None


def test_the_command_names_the_maps_that_are_shipped(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["asic", "--help"]) == 0
    said = re.sub(r"\s+", " ", capsys.readouterr().out).replace("- ", "-")
    assert [path.stem for path in SHIPPED.glob("*.toml") if path.stem not in said] == []


def test_a_map_that_is_not_there() -> None:
    with pytest.raises(InputError) as error:
        macros_of("openram")
    assert str(error.value) == (
        "sram must be a TOML file or one of blackbox, ihp-sg13g2, sky130-openram, not 'openram'"
    )
    assert macros_of(None) is None


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[[macro]]", "[[macros]]", "must have tables [[macro]], not macros, macro"),
        ('"small"', '"a b"', "macro 1: name must be a word of letters, digits and underscores, not 'a b'"),
        ("words = 64", "words = 1", "macro 1: words must be 2 .. 16777216, not 1"),
        ("1000", "-1", "macro 1: area_um2 must be a number from 0, not -1"),
        ('q = "read_data"\n', "", "macro 1: ports must have read_data, not lack it"),
        ("area_um2", "areas", "macro 1 must have the keys area_um2, bits, clock_pj, holds, leakage_uw, name, ports, "
         "read_pj, words, write_pj, not 'areas'"),
        ("words", "holds = 1\nwords", "macro 1: holds must be true or false, not 1"),
        ('"10"', '"2"', "macro 1: port mode must be one of clock, read_enable, read_address, read_data, write_enable, "
         "write_address, write_data or bits, not '2'"),
    ],
)  # fmt: skip
def test_what_no_macro_can_be_is_named(tmp_path: Path, old: str, new: str, said: str) -> None:
    path = tmp_path / "map.toml"
    path.write_text(MAP.replace(old, new))
    with pytest.raises(InputError) as error:
        read_map(path)
    assert str(error.value) == f"{path}: {said}" if said.startswith("macro") else str(error.value) == f"{path} {said}"


def test_memories_go_where_they_are_smallest() -> None:
    macros = [Macro("small", 64, 8, area=1000.0), Macro("large", 256, 16, area=5000.0)]
    tiny, fitting, wide, rom = memory(4, 8), memory(60, 8), memory(200, 30), memory(64, 8, writes=0)
    choose([tiny, fitting, wide, rom], macros, bit_area=15.0)
    assert [(m.home, m.macro and m.macro.name, m.macros) for m in (tiny, fitting, wide, rom)] == [
        ("registers", None, 0),
        ("macro", "small", 1),
        ("macro", "large", 2),
        ("logic", None, 0),
    ]


def test_black_boxes_are_for_large_memories_that_are_written() -> None:
    large, small, rom = memory(64, 16), memory(63, 16), memory(640, 16, writes=0)
    choose([large, small, rom], "blackbox", bit_area=15.0)
    assert large.macro is not None
    assert (large.macro.name, small.macro, rom.macro) == ("ram_64x16", None, None)
