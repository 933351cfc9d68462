"""What finds the spikes of a row, for every row of some widths."""

import pytest
from amaranth.hdl import Module, Signal
from amaranth.sim import Simulator

from spikewright_hw.slot_events import at_least, count_of, highest_of, lowest_of


@pytest.mark.parametrize("width", [1, 2, 3, 8, 11])
def test_the_outer_bits_and_how_many_there_are(width: int) -> None:
    m = Module()
    bits, lowest, highest, count = Signal(width), Signal(8), Signal(8), Signal(8)
    enough = [Signal(name=f"enough{number}") for number in (1, 2, 3)]
    m.d.comb += [lowest.eq(lowest_of(bits)), highest.eq(highest_of(bits)), count.eq(count_of(bits))]
    m.d.comb += [found.eq(at_least(bits, number)) for number, found in enumerate(enough, 1)]

    async def bench(ctx) -> None:  # type: ignore[no-untyped-def]
        for row in range(1 << width):
            ctx.set(bits, row)
            await ctx.delay(1e-9)
            assert [ctx.get(found) for found in enough] == [row.bit_count() >= number for number in (1, 2, 3)], row
            assert ctx.get(count) == row.bit_count()
            if row:
                assert (ctx.get(lowest), ctx.get(highest)) == ((row & -row).bit_length() - 1, row.bit_length() - 1)

    simulator = Simulator(m)
    simulator.add_testbench(bench)
    simulator.run()
