from typing import Any

import pytest

from random_networks import random_network
from spikewright.contract.errors import InputError
from spikewright.contract.stream import StreamFormat
from spikewright.layout.pack import pack

SHD: dict[str, Any] = {"axon_bits": 8, "value_bits": 5, "input_bytes": 2, "output_bytes": 3, "classes": 3}


def test_the_format_of_a_core_is_that_of_its_manifest() -> None:
    core = pack(random_network(1, (140, 6, 20), value_bits=5, timesteps=9), 2)
    form = StreamFormat.of(core)
    assert (form.axon_bits, form.value_bits, form.mark_bit, form.input_bytes) == (8, 5, 13, 2)
    assert form.output_bytes == -(-core.score_bits // 8)
    assert StreamFormat.from_manifest({"stream": form.widths(), "sample": [9, 140]}) == form


def test_format_comes_from_the_manifest() -> None:
    entry = {**SHD, "mark_bit": 13}
    assert StreamFormat.from_manifest({"stream": entry}) == StreamFormat(**SHD)
    assert StreamFormat.from_manifest({"stream": entry, "load": {}}) == StreamFormat(**SHD, loadable=True)
    assert StreamFormat.from_manifest({"stream": entry, "sample": [100, 140]}) == StreamFormat(**SHD, shape=(100, 140))
    for sample in ([100], [100, True], [0, 140], "100"):
        with pytest.raises(InputError, match=r"^manifest entry sample must be \[steps, axons\], not "):
            StreamFormat.from_manifest({"stream": entry, "sample": sample})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"axon_bits": 0}, "manifest entry stream.axon_bits must be 1 .. 16, not 0"),
        ({"value_bits": True}, "manifest entry stream.value_bits must be 1 .. 16, not True"),
        ({"input_bytes": 3}, "manifest entry stream.input_bytes must be 2, not 3"),
        ({"mark_bit": 12}, "manifest entry stream.mark_bit must be 13, not 12"),
        ({"classes": "3"}, "manifest entry stream.classes must be 1 .. 65536, not '3'"),
        ({"output_bytes": None}, "manifest entry stream.output_bytes must be 1 .. 8, not None"),
        (
            {"output_bytes": 1, "classes": 129},
            "manifest entry stream.output_bytes must hold the 129 classes and a flag, not 1",
        ),
    ],
)
def test_bad_manifest_entries_are_named(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        StreamFormat.from_manifest({"stream": {**SHD, "mark_bit": 13, **change}})
    assert str(caught.value) == message


def test_manifest_without_stream() -> None:
    with pytest.raises(InputError) as caught:
        StreamFormat.from_manifest({})
    assert str(caught.value) == "manifest entry stream must be an object with the widths of the streams, not missing"
