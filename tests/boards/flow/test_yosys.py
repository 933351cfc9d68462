from pathlib import Path

import pytest

from spikewright.contract.errors import InputError
from spikewright_boards.catalog import find
from spikewright_boards.flow.yosys import single_port_bits


@pytest.mark.parametrize(
    ("memories", "single_port", "bits"),
    [
        ({}, (4, 1 << 14, 16), 0),
        ({"a": (100, 16), "b": (90, 16)}, (4, 1 << 14, 16), 1440),
        ({"a": (100, 16), "b": (90, 16)}, (1, 1 << 14, 16), 1600),
        ({"a": (100, 16), "b": (90, 16)}, (0, 1, 1), 0),
        # Two for a wide memory, two for a deep one; those of one size go together.
        ({"wide": (500, 17), "deep": (16385, 1), "small": (10, 10)}, (4, 1 << 14, 16), 8500),
        ({"a": (100, 16), "b": (100, 16), "c": (80, 20), "d": (9, 16)}, (4, 1 << 14, 16), 1600),
        ({"a": (100, 16), "b": (100, 16), "c": (80, 20), "d": (9, 16)}, (3, 1 << 14, 16), 0),
    ],
)
def test_the_largest_memories_have_a_single_port(
    memories: dict[str, tuple[int, int]], single_port: tuple[int, int, int], bits: int
) -> None:
    load = {"memories": {name: {"words": words, "width": width} for name, (words, width) in memories.items()}}
    assert single_port_bits(single_port, Path("build"), {"load": load}) == bits


def test_memories_of_a_damaged_manifest() -> None:
    large = find("icebreaker").device.single_port
    for memories, message in (
        (None, "build/manifest.json: load.memories must be an object, not None"),
        ({"a": {"words": 3}}, "build/manifest.json: load.memories.a must have words and width, not {'words': 3}"),
        ({"a": 3}, "build/manifest.json: load.memories.a must have words and width, not 3"),
    ):
        with pytest.raises(InputError) as caught:
            single_port_bits(large, Path("build"), {"load": {"memories": memories}})
        assert str(caught.value) == message
