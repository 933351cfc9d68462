from collections.abc import Callable
from typing import Any

import pytest
from amaranth.back import verilog
from component_bench import play

from spikewright_hw.rom import Rom
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
