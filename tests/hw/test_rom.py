import re
from collections.abc import Callable
from typing import Any

import pytest
from amaranth.back import verilog
from amaranth.hdl import ResetInserter, Signal
from component_bench import play

from spikewright_hw.ram import Ram
from spikewright_hw.rom import Rom, Setting
from spikewright_hw.verilog import Images


@pytest.mark.parametrize("word", [-1, 16])
def test_word_must_fit(word: int) -> None:
    with pytest.raises(ValueError) as error:
        Rom(name="layer0_rows", width=4, words=[3, word])
    assert str(error.value) == f"words of layer0_rows must be 0 .. 2**4 - 1, not {word}"


@pytest.mark.parametrize(("words", "depth"), [([], 2), ([5], 2), ([5, 6], 2), ([5, 6, 7], 3)])
def test_padding_to_two_words(words: list[int], depth: int) -> None:
    rom = Rom(name="rom", width=3, words=words)
    assert rom.depth == depth
    assert len(rom.addr) == (1 if depth == 2 else 2)


def test_data_follows_the_address_by_a_cycle_and_stays() -> None:
    words = [(7 * k + 3) % 32 for k in range(11)]
    rom = Rom(name="rom", width=5, words=words)
    addresses = [0, 10, 4, 4, 9, 1, 0, 7]
    enabled = [1, 1, 1, 0, 0, 1, 1, 0]

    def each(get: Any, put: Callable[[Any, int], None], cycle: int) -> None:
        put(rom.addr, addresses[cycle])
        put(rom.en, enabled[cycle])

    seen = play(rom, 8, each=each, watch={"data": rom.data}).watched["data"]
    expected = [words[0], words[10], words[4], words[4], words[4], words[1], words[0]]
    assert seen[1:] == expected


def test_image_platform_gets_the_words_and_the_netlist_a_file_name() -> None:
    images = Images()
    text = verilog.convert(Rom(name="layer3_rows", width=9, words=[511]), name="top", platform=images)
    assert images.images == {"layer3_rows": (9, [511, 0])}
    assert "spikewright_rom #(" in text
    assert '.IMAGE("layer3_rows.hex")' in text
    for parameter, value in (("WIDTH", 9), ("DEPTH", 2), ("ADDRESS_BITS", 1)):
        assert f".{parameter}(32'd{value})" in text


def test_a_memory_that_is_split_has_an_image_for_each_part() -> None:
    images = Images(lambda words, width: [9, width - 9])
    words = [(k * 5851) % 8192 for k in range(2000)]
    text = verilog.convert(Rom(name="layer0_synapses3", width=13, words=words), name="top", platform=images)
    low, high = images.images["layer0_synapses3_bits0"], images.images["layer0_synapses3_bits9"]
    assert (len(images.images), low[0], high[0]) == (2, 9, 4)
    assert [a | b << 9 for a, b in zip(low[1], high[1], strict=True)] == words
    parts = re.findall(r'IMAGE\("layer0_synapses3_(bits\d)\.hex"\).*?\.data\((\S+) *\)', text, re.DOTALL)
    found = dict(parts)
    assert len(parts) == 2
    assert f"assign data = {{ {found['bits9']} , {found['bits0']}  }};" in text


def test_more_words_than_the_capacity() -> None:
    with pytest.raises(ValueError) as error:
        Rom(name="layer0_rows", width=4, words=[1, 2, 3], capacity=2)
    assert str(error.value) == "words of layer0_rows must be at most 2, not 3"


@pytest.mark.parametrize("depth", [3, 60])
def test_a_loaded_word_is_read_like_a_fixed_one(depth: int) -> None:
    rom = Rom(name="rom", width=5, words=[], capacity=depth)
    words = [(7 * k + 3) % 32 for k in range(depth)]

    def each(get: Any, put: Callable[[Any, int], None], cycle: int) -> None:
        put(rom.load_en, cycle < depth)
        put(rom.load_addr, min(cycle, depth - 1))
        put(rom.load_data, words[min(cycle, depth - 1)])
        address = max(0, cycle - depth)
        put(rom.addr, min(address, depth - 1))
        put(rom.en, address < depth)

    seen = play(rom, 2 * depth + 3, each=each, watch={"data": rom.data}).watched["data"]
    assert seen[depth + 1 :] == [*words, *words[-1:] * 2]


def test_a_loadable_memory_is_a_module_without_contents() -> None:
    images = Images()
    text = verilog.convert(Rom(name="rows", width=9, words=[511], capacity=40), name="top", platform=images)
    assert images.images == {}
    assert "spikewright_ram #(" in text
    for parameter, value in (("WIDTH", 9), ("DEPTH", 40), ("ADDRESS_BITS", 6)):
        assert f".{parameter}(32'd{value})" in text
    # A block RAM would be wasted on a few bits.
    small = verilog.convert(Rom(name="rows", width=9, words=[511], capacity=4), name="top", platform=images)
    assert "spikewright_ram" not in small


def test_only_what_is_loaded_may_have_a_single_port() -> None:
    for ram, loaded in ((Ram(width=9, depth=40), 0), (Rom(name="rows", width=9, words=[], capacity=40), 1)):
        assert f".LOADED(32'd{loaded})" in verilog.convert(ram, name="top", platform=Images())


def test_a_setting_is_a_constant_or_a_register_that_outlives_a_reset() -> None:
    with pytest.raises(ValueError) as error:
        Setting(name="layer1_delays_final", width=3, word=8, loadable=True)
    assert str(error.value) == "words of layer1_delays_final must be 0 .. 2**3 - 1, not 8"
    fixed = Setting(name="final", width=3, word=5, loadable=False)
    assert "assign data = 3'h5;" in verilog.convert(fixed, name="top")
    setting = Setting(name="final", width=3, word=5, loadable=True)
    reset = Signal()

    def each(get: Any, put: Callable[[Any, int], None], cycle: int) -> None:
        put(setting.load_en, cycle == 1)
        put(setting.load_data, 6)
        put(reset, cycle == 3)

    seen = play(ResetInserter(reset)(setting), 6, each=each, watch={"data": setting.data}).watched["data"]
    assert seen == [0, 0, 6, 6, 6, 6]
