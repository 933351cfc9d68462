import random

import pytest
from component_bench import Beat, play

from spikewright_hw.serializer import BitSerializer

MARK = (0, 0, 1, 0, 0)


def row(index: int, bits: int) -> Beat:
    return (index, bits, 0, 0, 0)


def always(cycle: int) -> bool:
    return True


def positions(rows: list[Beat], width: int) -> list[Beat]:
    out: list[Beat] = []
    for index, bits, mark, last, error in rows:
        if mark:
            out.append((0, 1, 1, last, error))
        out += [(index * width + bit, 1, 0, 0, 0) for bit in range(width) if not mark and bits >> bit & 1]
    return out


def clean(beats: list[Beat]) -> list[Beat]:
    """Fields without a meaning set to those of `positions`."""
    return [(0, 1, *beat[2:]) if beat[2] else (*beat[:2], 0, 0, 0) for beat in beats]


@pytest.mark.parametrize(("width", "latency"), [(8, 4), (16, 5), (64, 5)])
def test_row_is_offered_four_cycles_after_it_was_pushed_or_five_if_it_is_wide(width: int, latency: int) -> None:
    for rows in ([row(2, 1 << width - 2)], [MARK]):
        serializer = BitSerializer(rows=5, width=width, depth=6)
        seen = play(serializer, 12, send={"rows": [(2, rows[0])]}, take={"o": always})
        assert seen.cycles("rows") == [2]
        assert seen.cycles("o") == [2 + latency]


def test_one_position_a_cycle_and_rows_without_a_gap() -> None:
    rows = [row(0, 0b1011), row(1, 0b0100), row(3, 0b1111), (0, 0, 1, 1, 1)]
    serializer = BitSerializer(rows=4, width=4, depth=5)
    seen = play(serializer, 20, send={"rows": rows}, take={"o": always}, watch={"level": serializer.level})
    assert seen.cycles("rows") == [0, 1, 2, 3]
    assert seen.cycles("o") == list(range(4, 4 + 3 + 1 + 4 + 1))
    assert clean(seen.beats("o")) == positions(rows, 4)
    # A row leaves the memory one cycle before it is taken apart, which is as the one before is done.
    assert seen.watched["level"] == [0, 1, 1, 1, 2, 2, 1] + [0] * 13


def test_groups_of_a_wide_row_follow_without_a_gap() -> None:
    wide = 1 << 0 | 1 << 9 | 1 << 31 | 1 << 63
    rows = [row(0, wide), row(2, wide), MARK, row(1, 1 << 40), MARK]
    seen = play(BitSerializer(rows=3, width=64, depth=5), 30, send={"rows": rows}, take={"o": always})
    assert seen.cycles("o") == list(range(5, 5 + 4 + 4 + 1 + 1 + 1))
    assert clean(seen.beats("o")) == positions(rows, 64)


def test_single_row_of_one_bit() -> None:
    rows = [row(0, 1), MARK, row(0, 1), MARK]
    seen = play(BitSerializer(rows=1, width=1, depth=4), 12, send={"rows": rows}, take={"o": always})
    assert [beat[0] for beat in seen.beats("o") if not beat[2]] == [0, 0]
    assert [beat[2] for beat in seen.beats("o")] == [0, 1, 0, 1]


@pytest.mark.parametrize(("rows", "width"), [(1, 4), (3, 1), (9, 16), (2, 64)])
def test_whole_step_fits_while_nothing_is_taken(rows: int, width: int) -> None:
    full = [row(index, (1 << width) - 1) for index in range(rows)] + [MARK]
    serializer = BitSerializer(rows=rows, width=width, depth=rows + 1)
    seen = play(serializer, 30 + rows * (width + 1), send={"rows": full}, take={"o": lambda cycle: cycle >= rows + 6})
    assert seen.cycles("rows") == list(range(rows + 1))
    assert clean(seen.beats("o")) == positions(full, width)


@pytest.mark.parametrize("seed", range(4))
def test_positions_under_pauses(seed: int) -> None:
    rng = random.Random(seed)
    width = (1, 8, 16, 64)[seed]
    count = rng.randint(1, 6)
    rows: list[Beat] = []
    for _ in range(12):
        for index in sorted(rng.sample(range(count), rng.randint(0, count))):
            rows.append(row(index, rng.randrange(1, 1 << width)))
        # The bits of a mark are of no meaning.
        rows.append((0, rng.randrange(1 << width), 1, rng.randrange(2), rng.randrange(2)))
    stall = rng.choice([0.2, 0.6])
    seen = play(
        BitSerializer(rows=count, width=width, depth=len(rows)),
        3000,
        send={"rows": rows},
        take={"o": always},
        pause=lambda: rng.random() < stall,
    )
    assert clean(seen.beats("o")) == positions(rows, width), f"seed {seed}"


@pytest.mark.parametrize("width", [4, 16])
def test_positions_have_the_values_of_their_bits(width: int) -> None:
    rng = random.Random(width)
    rows, expected = [], []
    for index in range(3):
        values = [rng.choice([0, 0, 1, 5, 7]) for _ in range(width)]
        values[rng.randrange(width)] = 6
        bits = sum(1 << k for k, value in enumerate(values) if value)
        rows.append((index, bits, 0, 0, 0, sum(value << 3 * k for k, value in enumerate(values))))
        expected += [(index * width + k, value) for k, value in enumerate(values) if value]
    rows.append((0, 0, 1, 1, 0, 0))
    serializer = BitSerializer(rows=3, width=width, depth=6, value_bits=3)
    seen = play(serializer, 80, send={"rows": rows}, take={"o": always}, pause=lambda: rng.random() < 0.3)
    beats = [beat for beat in seen.beats("o") if isinstance(beat, tuple)]
    assert [beat[:2] for beat in beats[:-1]] == expected
    assert beats[-1][2:4] == (1, 1)
