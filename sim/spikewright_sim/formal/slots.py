"""Proofs about the sources of events of the slotted engine."""

from __future__ import annotations

from amaranth.hdl import Mux, Signal

from spikewright_hw.slot_events import spike_row
from spikewright_hw.slot_sources import RowPort, StepPace
from spikewright_sim.formal.stage import Stage


def row_port(width: int) -> Stage:
    """`RowPort`: every spike of a row is sent once, the lowest first, before another row is taken."""
    dut = RowPort(spike_row(2, width))
    stage = Stage(dut)
    m = stage.m
    given, moves, load = stage.free(dut.given.shape()), stage.free(1), stage.free(1)
    m.d.comb += [dut.given.eq(given), dut.moves.eq(moves), dut.load.eq(load), dut.tag.eq(stage.free(1))]
    spikes = sum(dut.given.bits[1:], start=dut.given.bits[0])
    stage.assume((dut.given.some == (spikes > 0)) & (dut.given.more == (spikes > 1)))
    stage.assume(~dut.load | dut.wants)
    # One spike, whichever, of any row.
    place = stage.constant(range(width))
    waits = Signal(name="spike_waits")
    row, tag = Signal.like(dut.given.row, name="its_row"), Signal(name="its_tag")
    bits = (width - 1).bit_length()
    sent = dut.valid & dut.moves & (dut.position[:bits] == place)
    with m.If(dut.load):
        m.d.sync += [waits.eq(dut.given.bits.bit_select(place, 1)), row.eq(dut.given.row), tag.eq(dut.tag)]
    with m.Elif(sent):
        m.d.sync += waits.eq(0)
    stage.claim(~sent | waits, "what is sent is a spike that was not sent before")
    stage.claim(~waits | dut.valid, "as long as a spike waits, one is offered")
    stage.claim(~waits | (dut.position[:bits] <= place), "the lowest spike is sent first")
    stage.claim(~dut.load | ~waits | sent, "a row is taken as the last spike of the one before is sent")
    stage.claim(~dut.valid | (dut.position[bits:-1] == row), "spikes have the number of their row")
    stage.claim(~dut.valid | (dut.position[-1] == tag), "and its tag")
    left = stage.inner("bits")
    number = sum(left[1:], start=left[0])
    stage.claim(~dut.valid | ((number > 0) & (stage.inner("more") == (number > 1))), "invariant: more is more than one")
    stage.claim(waits == (dut.valid & left.bit_select(place, 1)), "invariant: what waits is in the register")
    stage.reachable(sent & dut.load, "a row right behind another")
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
