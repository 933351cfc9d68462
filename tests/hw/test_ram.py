import random
from collections.abc import Callable
from typing import Any

import pytest
from amaranth.back import rtlil
from component_bench import play

from spikewright_hw.ram import Ram, RamQueue


@pytest.mark.parametrize(
    ("width", "depth", "expected"), [(64, 4, True), (64, 5, False), (8, 16, True), (8, 17, False), (1, 128, True)]
)
def test_small_memories_are_made_of_registers(width: int, depth: int, expected: bool) -> None:
    ram = Ram(width=width, depth=depth)
    assert ram.in_registers is expected
    assert ram.depth == depth
    text = rtlil.convert(ram, name="ram", emit_src=False)
    assert ("\n  memory " in text) is not expected
    assert ("no_rw_check" in text) is not expected


@pytest.mark.parametrize(("width", "depth"), [(12, 4), (7, 3), (9, 40)])
def test_read_follows_its_address_by_a_cycle_and_stays(width: int, depth: int) -> None:
    """Random accesses; no address is read in the cycle in which it is written."""
    rng = random.Random(depth)
    ram = Ram(width=width, depth=depth)
    words = [rng.randrange(1 << width) for _ in range(depth)]
    contents: list[int] = []
    expected: list[int | None] = [None]

    def each(get: Callable[[Any], int], put: Callable[[Any, int], None], cycle: int) -> None:
        filling = cycle < depth
        address = cycle if filling else rng.randrange(depth)
        write, read = filling or rng.random() < 0.5, not filling and rng.random() < 0.7
        word = words[cycle] if filling else rng.randrange(1 << width)
        put(ram.write_en, write)
        put(ram.write_addr, address)
        put(ram.write_data, word)
        read_address = rng.choice([a for a in range(depth) if a != address])
        put(ram.read_en, read)
        put(ram.read_addr, read_address)
        expected.append(contents[read_address] if read else expected[-1])
        if filling:
            contents.append(word)
        elif write:
            contents[address] = word

    seen = play(ram, 400, each=each, watch={"data": ram.read_data}).watched["data"]
    compared = [(cycle, want, seen[cycle]) for cycle, want in enumerate(expected[:400]) if want is not None]
    assert len(compared) > 300
    assert [item for item in compared if item[1] != item[2]] == []


def test_write_is_seen_by_the_read_of_the_next_cycle() -> None:
    for depth in (3, 200):
        ram = Ram(width=8, depth=depth)

        def each(get: Any, put: Callable[[Any, int], None], cycle: int, ram: Ram = ram) -> None:
            put(ram.write_en, cycle == 2)
            put(ram.write_addr, 1)
            put(ram.write_data, 77)
            put(ram.read_en, cycle == 3)
            put(ram.read_addr, 1)

        assert play(ram, 6, each=each, watch={"data": ram.read_data}).watched["data"][4:] == [77, 77]


def test_queue_offers_after_two_cycles_then_one_a_cycle() -> None:
    queue = RamQueue(10, depth=5)
    seen = play(queue, 60, send={"i": range(100, 140)}, take={"o": lambda cycle: True})
    assert seen.cycles("i") == list(range(40))
    assert seen.given["o"] == [(cycle + 2, 100 + cycle) for cycle in range(40)]


def test_queue_level_counts_what_waits_behind_the_entry_that_is_offered() -> None:
    queue = RamQueue(10, depth=5)
    seen = play(queue, 20, send={"i": range(5)}, take={"o": lambda cycle: cycle >= 10}, watch={"level": queue.level})
    assert seen.watched["level"] == [0, 1, 1, 2, 3, 4, 4, 4, 4, 4, 4, 3, 2, 1, 0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize("depth", [1, 2, 5, 30])
def test_queue_holds_its_depth(depth: int) -> None:
    """All of `depth` entries, without a pause while nothing is given, come out in order."""
    queue = RamQueue(6, depth=depth)
    seen = play(queue, 4 * depth + 20, send={"i": range(depth)}, take={"o": lambda cycle: cycle >= depth + 5})
    assert seen.beats("o") == list(range(depth))


@pytest.mark.parametrize("seed", range(4))
def test_queue_order_under_pauses(seed: int) -> None:
    rng = random.Random(seed)
    stall = rng.choice([0.1, 0.5, 0.8])
    words = [rng.randrange(1 << 12) for _ in range(150)]
    queue = RamQueue(12, depth=rng.randint(1, 6))
    seen = play(
        queue,
        3000,
        send={"i": words},
        take={"o": lambda cycle: True},
        gate={"i": lambda seen: len(seen.taken["i"]) - len(seen.given["o"]) < queue.depth},
        pause=lambda: rng.random() < stall,
    )
    assert seen.beats("o") == words, f"seed {seed}"
