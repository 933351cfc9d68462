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


def test_row_is_offered_three_cycles_after_it_was_pushed() -> None:
    for rows in ([row(2, 4)], [MARK]):
        seen = play(BitSerializer(rows=5, width=8), 10, send={"rows": [(2, rows[0])]}, take={"o": always})
        assert seen.cycles("rows") == [2]
        assert seen.cycles("o") == [5]


def test_one_position_a_cycle_and_rows_without_a_gap() -> None:
    rows = [row(0, 0b1011), row(1, 0b0100), row(3, 0b1111), (0, 0, 1, 1, 1)]
    serializer = BitSerializer(rows=4, width=4)
    seen = play(serializer, 20, send={"rows": rows}, take={"o": always}, watch={"empty": serializer.empty})
    assert seen.cycles("rows") == [0, 1, 2, 3]
    assert seen.cycles("o") == list(range(3, 3 + 3 + 1 + 4 + 1))
    assert clean(seen.beats("o")) == positions(rows, 4)
    # Empty from the cycle on in which the mark is the one being sent.
    assert seen.watched["empty"] == [1] + [0] * 10 + [1] * 9


def test_single_row_of_one_bit() -> None:
    rows = [row(0, 1), MARK, row(0, 1), MARK]
    seen = play(BitSerializer(rows=1, width=1), 12, send={"rows": rows}, take={"o": always})
    assert [beat[0] for beat in seen.beats("o") if not beat[2]] == [0, 0]
    assert [beat[2] for beat in seen.beats("o")] == [0, 1, 0, 1]


@pytest.mark.parametrize(("rows", "width"), [(1, 4), (3, 1), (9, 16)])
def test_whole_step_fits_while_nothing_is_taken(rows: int, width: int) -> None:
    full = [row(index, (1 << width) - 1) for index in range(rows)] + [MARK]
    serializer = BitSerializer(rows=rows, width=width)
    seen = play(serializer, 30 + rows * (width + 1), send={"rows": full}, take={"o": lambda cycle: cycle >= rows + 6})
    assert seen.cycles("rows") == list(range(rows + 1))
    assert clean(seen.beats("o")) == positions(full, width)


def test_empty_serializer_takes_the_next_step_while_it_sends_the_mark() -> None:
    """The mark of the first step is held back; the second step is pushed without a pause all the same."""
    step = [row(0, 3), row(1, 3), MARK]
    seen = play(
        BitSerializer(rows=2, width=2),
        60,
        send={"rows": [*step, *((20, beat) for beat in step)]},
        take={"o": lambda cycle: cycle < 7 or cycle > 30},
    )
    assert seen.cycles("o")[:4] == [3, 4, 5, 6]
    assert seen.cycles("rows")[3:] == [20, 21, 22]
    assert clean(seen.beats("o")) == positions([*step, *step], 2)


@pytest.mark.parametrize("seed", range(4))
def test_positions_under_pauses(seed: int) -> None:
    rng = random.Random(seed)
    width = rng.choice([1, 2, 8, 16])
    count = rng.randint(1, 6)
    rows: list[Beat] = []
    for _ in range(12):
        for index in sorted(rng.sample(range(count), rng.randint(0, count))):
            rows.append(row(index, rng.randrange(1, 1 << width)))
        # The bits of a mark are of no meaning.
        rows.append((0, rng.randrange(1 << width), 1, rng.randrange(2), rng.randrange(2)))
    stall = rng.choice([0.2, 0.6])
    seen = play(
        BitSerializer(rows=count, width=width),
        3000,
        send={"rows": rows},
        take={"o": always},
        pause=lambda: rng.random() < stall,
    )
    assert clean(seen.beats("o")) == positions(rows, width), f"seed {seed}"
