"""Proofs about the sources of events of the slotted engine."""

from __future__ import annotations

from amaranth.hdl import Cat, Mux, Signal

from spikewright_hw.slot_events import count_of, spike_row
from spikewright_hw.slot_sources import RowPort, StepPace
from spikewright_sim.formal.stage import Stage


def row_port(width: int) -> Stage:
    """`RowPort`: every spike of a row is sent once, the lowest and the highest first, before another row is taken."""
    dut = RowPort(spike_row(2, width))
    stage = Stage(dut)
    m = stage.m
    given, moves, load = stage.free(dut.given.shape()), stage.free(1), stage.free(1)
    gives = stage.free(1)
    m.d.comb += [dut.given.eq(given), dut.moves.eq(moves), dut.load.eq(load), dut.tag.eq(stage.free(1))]
    kept = stage.free(1)
    m.d.comb += [dut.gives.eq(gives & dut.spare), dut.kept.eq(kept)]
    counted = count_of(dut.given.bits)
    stage.assume(dut.given.count == counted)
    flags = (dut.given.some, dut.given.more, dut.given.several)
    stage.assume(Cat(flag == (counted > number) for number, flag in enumerate(flags)).all())
    stage.assume(~dut.load | dut.wants)
    # One spike, whichever, of any row.
    place = stage.constant(range(width))
    waits = Signal(name="spike_waits")
    row, tag = Signal.like(dut.given.row, name="its_row"), Signal(name="its_tag")
    bits = (width - 1).bit_length()
    lowest, highest = dut.lowest[:bits], dut.highest[:bits]
    sent_low = dut.valid & dut.moves & (lowest == place)
    sent_high = dut.gives & dut.moves & (highest == place)
    sent = sent_low | sent_high
    with m.If(dut.load):
        m.d.sync += [waits.eq(dut.given.bits.bit_select(place, 1) & dut.kept), row.eq(dut.given.row), tag.eq(dut.tag)]
    with m.Elif(sent):
        m.d.sync += waits.eq(0)
    stage.claim(~sent | waits, "what is sent is a spike that was not sent before")
    stage.claim(~(sent_low & sent_high), "a spike is sent once")
    stage.claim(~waits | dut.valid, "as long as a spike waits, one is offered")
    stage.claim(~waits | ((lowest <= place) & (highest >= place)), "the lowest and the highest are sent first")
    stage.claim(~dut.load | ~waits | sent, "a row is taken as the last spikes of the one before are sent")
    for position in (dut.lowest, dut.highest):
        stage.claim(~dut.valid | (position[bits:-1] == row), "spikes have the number of their row")
        stage.claim(~dut.valid | (position[-1] == tag), "and its tag")
    left = stage.inner("bits")
    number = count_of(left)
    more, several = stage.inner("more"), stage.inner("several")
    counts = (stage.inner("count") == number) & (number > 0) & (more == (number > 1)) & (several == (number > 2))
    stage.claim(~dut.valid | counts, "invariant: the count is that of the bits, and what is known of it holds")
    stage.claim(waits == (dut.valid & left.bit_select(place, 1)), "invariant: what waits is in the register")
    stage.reachable(sent & dut.load, "a row right behind another")
    stage.reachable(dut.gives & dut.load, "a row right behind the last two spikes of another")
    stage.reachable(dut.valid & ~dut.moves, "a spike that is not taken")
    return stage


def step_pace(least: int) -> Stage:
    """`StepPace`: marks are so many moves apart, and no more are asked for."""
    dut = StepPace(least)
    stage = Stage(dut)
    m = stage.m
    m.d.comb += [dut.moves.eq(stage.free(1)), dut.mark.eq(stage.free(1) & dut.ready & dut.moves)]
    since = Signal(range(least + 1), init=least, name="moves_since")
    with m.If(dut.mark):
        m.d.sync += since.eq(1)
    with m.Elif(dut.moves & (since != least)):
        m.d.sync += since.eq(since + 1)
    stage.claim(~dut.mark | (since == least), "marks are at least so many moves apart")
    stage.within((since == least) & ~dut.ready, 1, "then the next one may leave")
    left = stage.inner("left")
    stage.claim(left == Mux(since == least, 0, least - since), "invariant: what is left, and what was counted")
    stage.claim(~dut.ready | (since == least), "invariant: it is ready for no other reason")
    stage.reachable(dut.mark & stage.ever(dut.mark), "a second mark")
    return stage
