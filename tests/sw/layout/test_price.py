"""Where memories go in a device, against what yosys did with them."""

from dataclasses import replace

import pytest

from spikewright.contract.devices import DEVICES, FAMILIES, TARGETS
from spikewright.layout.placement import Stored
from spikewright.layout.price import (
    Memory,
    Resources,
    padded_bits,
    place,
    place_all,
    place_stored,
    price,
    split,
)


@pytest.mark.parametrize(
    ("device", "memory", "expected"),
    [
        # What yosys did with them in the designs of `synthesized.json`, and with deep memories of earlier ones.
        ("LFE5U-85F", Memory("synapses", 760, 14, False), Resources(0, 0, 1, 0)),
        ("LFE5U-85F", Memory("synapses", 1622, 13, False), Resources(0, 0, 2, 0)),
        ("LFE5U-85F", Memory("synapses", 4466, 13, False), Resources(0, 0, 7, 0)),
        ("LFE5U-85F", Memory("rows", 140, 128, False), Resources(0, 0, 4, 0)),
        ("LFE5U-85F", Memory("rows", 512, 144, False), Resources(0, 0, 4, 0)),
        ("LFE5U-85F", Memory("ring", 272, 32, True), Resources(0, 0, 1, 0)),
        ("LFE5U-85F", Memory("bridge", 1024, 17, True), Resources(0, 0, 1, 0)),
        ("iCE40UP5K", Memory("synapses", 760, 14, False), Resources(28, 0, 3, 0)),
        ("iCE40UP5K", Memory("membranes", 42, 19, True), Resources(0, 0, 2, 0)),
        ("iCE40UP5K", Memory("bridge", 256, 17, True), Resources(0, 0, 2, 0)),
    ],
)
def test_block_rams_follow_from_the_geometry(device, memory, expected):
    assert place(memory, FAMILIES[DEVICES[device].family]) == expected


@pytest.mark.parametrize(
    ("memory", "luts"),
    [
        (Memory("queues", 16, 20, True), 6 * 5),
        (Memory("membranes", 20, 13, True), 6 * 2 * 4 + 13 // 2),
        (Memory("delayed", 43, 8, True), 6 * 3 * 2 + 8),
    ],
)
def test_small_memories_are_distributed_where_luts_can_be_memory(memory, luts):
    found = place(memory, FAMILIES["ecp5"])
    assert (found.luts, found.ffs, found.brams) == (luts, memory.width, 0)
    assert place(memory, FAMILIES["ice40"]).brams > 0


def test_tiny_memories_are_registers():
    for target in TARGETS:
        assert place(Memory("spikes", 32, 1, True), FAMILIES[target]) == Resources(16, 33, 0, 0)


def test_small_tables_are_luts():
    assert place(Memory("neurons", 42, 26, False), FAMILIES["ecp5"]).brams == 0
    assert place(Memory("neurons", 42, 26, False), FAMILIES["ice40"]).brams == 0
    assert place(Memory("rows", 84, 15, False), FAMILIES["ecp5"]).brams == 0
    assert place(Memory("rows", 84, 15, False), FAMILIES["ice40"]).brams == 1


@pytest.mark.parametrize("name", ["luts", "ffs", "brams", "dsps"])
def test_every_resource_must_fit(name):
    device = DEVICES["iCE40UP5K"]
    full = {key: getattr(device, key) for key in ("luts", "ffs", "brams", "dsps")}
    assert Resources(**full).fit(device)
    assert not Resources(**{**full, name: full[name] + 1}).fit(device)


@pytest.mark.parametrize(
    ("family", "words", "width", "widths"),
    [
        # Twice 2048 x 9, or one of them and 4096 x 4.
        ("ecp5", 2000, 13, [9, 4]),
        # Seven times 8192 x 2, or 16384 x 1 for the last.
        ("ecp5", 5000, 13, [12, 1]),
        # It is a single block RAM.
        ("ecp5", 1000, 13, [13]),
        # Twice 512 x 8, or one of them and 1024 x 4.
        ("ice40", 512, 12, [8, 4]),
        ("ice40", 256, 13, [13]),
        # A table of LUTs.
        ("ecp5", 84, 15, [15]),
    ],
)
def test_read_only_memories_are_split_where_that_takes_less(family, words, width, widths):
    memory = Memory("synapses", words, width, writable=False)
    parts = split(memory, FAMILIES[family])
    assert parts == [replace(memory, width=part) for part in widths]
    assert split(replace(memory, writable=True), FAMILIES[family]) == [replace(memory, writable=True)]
    together = place_all([memory], FAMILIES[family])
    assert price(together, FAMILIES[family]) <= price(place(memory, FAMILIES[family]), FAMILIES[family])


def test_a_block_ram_is_worth_its_share_of_the_device():
    assert price(Resources(10, 5, 2, 1), FAMILIES["ecp5"]) == 10 + 2 * (83640 // 208)
    assert price(Resources(10, 5, 2, 1), FAMILIES["ice40"]) == 10 + 2 * (5280 // 30)


def test_what_synapses_take():
    """Rows of 36 bits and four; lanes of nine and four bits, of 18 bits, and one in LUTs."""
    stored = Stored((300, 40), ((2000, 13), (900, 13), (20, 13)), 20)
    assert place_stored(stored, "ecp5").brams == 2 + 2 + 1
    assert padded_bits(stored, "ecp5") == 300 * (36 + 4) + 2000 * 13 + 900 * 18 + 20 * 13


def test_all_memories_count():
    memory = Memory("membranes", 20, 13, True, count=3)
    one = place(memory, FAMILIES["ecp5"])
    assert place_all([memory, Memory("rows", 512, 144, False)], FAMILIES["ecp5"]) == Resources(
        3 * one.luts, 3 * one.ffs, 4, 0
    )
