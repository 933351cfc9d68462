"""Proofs that nothing waits for ever."""

from __future__ import annotations

from amaranth.hdl import Cat, Mux, Signal, Value
from amaranth.lib import data

from spikewright.contract.bounds import layer_bounds
from spikewright_hw.join import StepJoin
from spikewright_hw.lane import Lane
from spikewright_sim.formal.lanes import small_core
from spikewright_sim.formal.stage import Stage


def step_join(rows: int, lanes: int) -> Stage:
    """`StepJoin`: a step that all lanes have swept is read once and at once, its rows in order, then its mark."""
    dut = StepJoin(rows=rows, lanes=lanes)
    stage = Stage(dut)
    m = stage.m
    m.d.comb += [dut.room.eq(stage.free(1)), Value.cast(dut.flags).eq(stage.free(2))]
    # Lanes tell that they have swept until the step begins; then not before the cycle after the next.
    started = [Signal(name=f"lane{k}") for k in range(lanes)]
    for lane in started:
        m.d.sync += lane.eq(~dut.begin & (lane | stage.free(1)))
    m.d.comb += dut.started.eq(Cat(started))
    all_started = Cat(started).all()
    since = Signal(range(rows + 6), name="since", init=rows + 5)  # the last step began; rows + 5: long ago
    m.d.sync += since.eq(Mux(dut.begin, 1, Mux(since == rows + 5, since, since + 1)))
    fresh = stage.past(~dut.begin & all_started)
    stage.claim(~dut.begin | stage.past(all_started), "a step begins when all lanes have started")
    stage.claim(~dut.begin | dut.room, "and there is room")
    stage.claim(~dut.begin | (since >= rows + 4), "no step begins before the last is read")
    stage.claim(dut.valid == ((since >= 2) & (since < rows + 2)), "its rows come from the second cycle on")
    stage.claim(~dut.valid | (dut.index == since - 2), "in order")
    stage.claim(dut.mark == (since == rows + 2), "then its mark")
    flags = Signal(2, name="own_flags")
    with m.If(dut.begin):
        m.d.sync += flags.eq(Value.cast(dut.flags))
    stage.claim(~dut.mark | (Cat(dut.last, dut.error) == flags), "with the flags of its lanes")
    waits = fresh & dut.room & ~dut.begin
    lasted = stage.within(waits, rows + 4, "with room for it, a step begins at most rows + 4 cycles later")
    stage.claim((since != 0) & (since <= rows + 5) & (lasted <= since), "invariant: cycles since the last step")
    reading = stage.inner("reading")
    stage.claim(reading == (since <= rows), "invariant: reading")
    stage.claim(dut.row == Mux(reading, since - 1, 0), "invariant: the row")
    tail = stage.inner("tail")
    stage.claim(Cat(since == rows + 1 + k for k in range(len(tail))) == tail, "invariant: what follows the last row")
    stage.claim(stage.inner("complete") == stage.past(all_started), "invariant: all have started")
    kept = Cat(dut.last, dut.error) == flags
    stage.claim(~reading & ~tail.any() | kept, "invariant: the flags")
    stage.reachable(dut.mark & dut.last & stage.ever(dut.mark), "a second step")
    return stage


def lane_progress() -> Stage:
    """`Lane`: a run keeps the next entry waiting for its length, a mark for a sweep and three cycles, nothing longer.

    Only a mark may wait longer, for the join to take the results of the sweep before: it is told of them five cycles
    after a mark was taken.
    """
    core = small_core()
    image = core.layers[0]
    bits = layer_bounds(image.spec, core.network.timesteps).state_bits
    dut = Lane(image, lane=0, state_bits=bits, queue_depth=8, name="proof")
    stage = Stage(dut)
    m = stage.m
    payload = Value.cast(dut.runs.payload)
    m.d.comb += [dut.runs.valid.eq(stage.free(1)), payload.eq(stage.free(len(payload)))]
    m.d.comb += [dut.clear.eq(stage.free(1)), dut.row.eq(stage.free(len(dut.row)))]
    entry = data.View(dut.runs.payload.shape(), stage.inner("queue", "o__payload"))
    run = entry.what.run
    offered, ready = stage.inner("queue", "o__valid"), stage.inner("queue", "o__ready")
    taken = offered & ready
    length = Signal(len(run.synapses), name="length_taken")
    swept = Signal(name="mark_taken")
    with m.If(taken):
        m.d.sync += [length.eq(Mux(entry.mark, 0, run.synapses)), swept.eq(entry.mark)]
    longest = Mux(swept, image.rows + Lane.PAUSE - 1, Mux(length == 0, 0, length - 1))
    most = max(image.rows + Lane.PAUSE - 1, (1 << len(run.synapses)) - 2)
    # After a reset, the first sweep is nobody's.
    first = ~stage.ever(taken)
    blocked = ~ready & ~(entry.mark & dut.started)
    lasted = stage.within(blocked, most + 1, "the next entry does not wait for ever")
    stage.claim(first | (lasted <= longest) | stage.past(dut.started), "the next entry waits as long as the last takes")
    stage.claim(~stage.past(taken & entry.mark, 5) | dut.started, "the join is told of every sweep")
    stage.reachable(taken & swept & ~entry.mark & stage.past(offered), "a run that waited for a sweep")
    stage.reachable(taken & entry.mark & stage.ever(offered & ~ready & entry.mark & dut.started), "a second mark")
    return stage
