"""A proof about the delay buffer."""

from __future__ import annotations

from typing import Any

import numpy as np
from amaranth.hdl import Array, Cat, Const, Mux, Signal, Value
from amaranth.lib import data

from spikewright.contract.decay import Decay
from spikewright.contract.delays import DelayPlan
from spikewright.contract.layer import LayerSpec
from spikewright.contract.network import NetworkSpec
from spikewright.contract.neurons.lif import IntegerLIF
from spikewright.layout.pack import pack
from spikewright_hw.delay import DelayBuffer, OnwardBuffer
from spikewright_hw.layouts import bit_row, delay_entry, delay_program, fired
from spikewright_sim.formal.stage import Stage

AHEAD = 2
"""Steps that are passed and not complete, at most."""


def recurrent_layer(delays: tuple[int, ...], lanes: int, most: int) -> DelayPlan:
    """The plan of a recurrent layer with a neuron for each of these delays, with so many spikes in a step at most."""
    neurons = len(delays)
    layer = LayerSpec(
        inputs=1,
        neurons=neurons,
        weights=np.ones((neurons, 1 + neurons), dtype=np.int64),
        bias=np.zeros(neurons, dtype=np.int64),
        threshold=np.ones(neurons, dtype=np.int64),
        delays=np.array(delays),
        decay=Decay(1, 1),
        neuron=IntegerLIF(max_spikes=most),
    )
    readout = LayerSpec(
        inputs=neurons,
        neurons=1,
        weights=np.ones((1, neurons), dtype=np.int64),
        bias=np.zeros(1, dtype=np.int64),
        threshold=None,
        delays=None,
        decay=Decay(1, 1),
        value_bits=layer.count_bits,
    )
    plan = pack(NetworkSpec(layers=(layer, readout), timesteps=9), lanes).layers[0].loop
    assert plan is not None
    return plan


def delay_buffer(delays: tuple[int, ...], lanes: int, most: int = 1) -> Stage:
    """`DelayBuffer`: step t of a sample brings the spike of step t - 1 - delay of any neuron, once; then its mark.

    The rows of a step may come long after the step was passed, when later steps already ask for older ones, and
    samples may have any number of steps. Where a neuron may send several spikes, up to `most`, it is a bit of their
    number.
    """
    plan = recurrent_layer(delays, lanes, most)
    dut = DelayBuffer(plan, name="proof", ahead=AHEAD)
    stage = Stage(dut)
    steps = _Steps(stage, dut, plan)
    own = _Followed(stage, dut, plan, steps)
    delay, late, seen, arrives, marks = own.delay, own.late, own.seen, own.arrives, steps.marks
    delivered, longest = steps.delivered, max(delays)
    stage.claim(~arrives | (late <= delay), "a row that was not fired yet is waited for")
    stage.claim(~arrives | own.expected, "what arrives was fired so many steps ago, in this sample")
    stage.claim(~arrives | ~seen, "a spike arrives once")
    stage.claim(~marks | (seen == own.expected), "what was fired has arrived when its step is marked")
    stage.claim(~marks | ~own.asked | (late <= delay), "a step is marked when all rows it asks for were there")
    stage.claim(~marks | ~delivered, "a step is marked once")
    stage.claim(~steps.offered | steps.given.mark | (steps.given.bits != 0), "no row without spikes is sent")
    entries = len(plan.program)
    slow = "with all rows there, a step takes a cycle for each entry of the program and five"
    lasted = stage.within(~delivered & (steps.incomplete == 0), entries + 5, slow)
    _ring(stage, dut, plan, steps, own)
    _program(stage, dut, plan, steps, own, lasted)
    passed = Signal(range(longest + 4), name="steps_in_all")
    with stage.m.If(dut.mark & (passed <= longest + 2)):
        stage.m.d.sync += passed.eq(passed + 1)
    stage.reachable(arrives & (delay == longest) & (passed == plan.slots), "a spike from the first slot, used again")
    stage.reachable(arrives & (late != 0), "a spike before the last step is complete")
    stage.reachable(marks & ~own.asked & stage.ever(arrives), "a second sample")
    return stage


def _given(stage: Stage, plan: DelayPlan) -> Any:
    """What the serializer is given. It has a proof of its own: what counts is that."""
    given = data.View(bit_row(plan.rows, plan.lanes, plan.value_bits), stage.inner("serializer", "rows__payload"))
    if plan.value_bits > 1:
        numbers = [given.values.word_select(lane, plan.value_bits) for lane in range(plan.lanes)]
        stage.claim(given.bits == fired(numbers), "a neuron is sent if its number is not 0")
    return given


def _followed_bit(stage: Stage, plan: DelayPlan, given: Any, place: Any) -> tuple[Any, Any]:
    """Of a neuron by its place: what tells of the spikes of its row, and where it is there; of a number any one bit."""
    if plan.value_bits == 1:
        return given.bits, place % plan.lanes
    of_number = stage.constant(range(plan.value_bits))
    stage.assume(of_number < plan.value_bits)
    return given.values, place % plan.lanes * plan.value_bits + of_number


def onward_buffer(delays: tuple[int, ...], lanes: int, value_bits: int = 1) -> Stage:
    """`OnwardBuffer`: step t of a sample sends the spike of step t - delay of any neuron, once; then its mark.

    Where a neuron may send several spikes, it is a bit of their number.
    """
    plan = DelayPlan(np.array(delays), lanes, value_bits=value_bits)
    dut = OnwardBuffer(plan, name="proof", steps=1)
    stage = Stage(dut)
    m, longest = stage.m, max(delays)
    for port in (dut.valid, dut.bits, dut.last, dut.error):
        m.d.comb += Value.cast(port).eq(stage.free(len(Value.cast(port))))
    # Rows of a step come when there was room, and end with its mark.
    row = Signal(range(plan.rows + 1), name="fired_rows")
    at_end = dut.valid & (row == plan.rows - 1)
    m.d.comb += dut.mark.eq(stage.past(at_end))
    with m.If(dut.valid):
        m.d.sync += row.eq(Mux(at_end, 0, row + 1))
    apart = ~dut.mark & ~stage.past(dut.mark) & ~stage.past(dut.mark, 2)
    stage.assume(~dut.valid | (row != 0) | (stage.past(dut.room, 2) & apart))
    # Any one neuron, by its place: what it fired, newest first, and how many steps the sample has so far.
    place = stage.constant(range(plan.rows * plan.lanes))
    stage.assume(place < plan.neurons)
    given = _given(stage, plan)
    own_row = place // plan.lanes
    spikes, own_bit = _followed_bit(stage, plan, given, place)
    offered = stage.inner("serializer", "rows__valid")
    marks = offered & given.mark
    delay = Signal(range(longest + 1), name="own_delay")
    m.d.comb += delay.eq(Array(Const(value, len(delay)) for value in delays)[place])
    history = Signal(longest + 1, name="own_spikes")
    with m.If(dut.valid & (row == own_row)):
        m.d.sync += history.eq(Cat(dut.bits.bit_select(own_bit, 1), history))
    passed, fresh = Signal(range(longest + 2), name="steps_of_sample"), Signal(init=1, name="sample_begins")
    waits, seen, flags = Signal(name="step_waits"), Signal(name="own_seen"), Signal(2, name="step_flags")
    with m.If(dut.mark):
        m.d.sync += passed.eq(Mux(fresh, 1, Mux(passed > longest, passed, passed + 1)))
        m.d.sync += [fresh.eq(dut.last), flags.eq(Cat(dut.last, dut.error)), waits.eq(1), seen.eq(0)]
    expected = (delay < passed) & history.bit_select(delay, 1)
    arrives = offered & ~given.mark & (given.index == own_row) & spikes.bit_select(own_bit, 1)
    with m.If(arrives):
        m.d.sync += seen.eq(1)
    with m.If(marks):
        m.d.sync += waits.eq(0)
    stage.claim(~offered | waits, "what is sent is of a complete step")
    stage.claim(~arrives | expected, "what arrives was fired so many steps ago, in this sample")
    stage.claim(~arrives | ~seen, "a spike arrives once")
    stage.claim(~marks | (seen == expected), "what was fired has arrived when its step is marked")
    stage.claim(~marks | (Cat(given.last, given.error) == flags), "the mark has the flags of its step")
    stage.claim(~dut.room | ~waits | dut.mark, "there is no room before a step was sent")
    slow = "a step takes a cycle for each entry of the program and five"
    stage.within(waits, len(plan.program) + 5, slow)
    stage.reachable(arrives & (delay == longest) & (longest != 0), "a spike of the longest delay")
    stage.reachable(marks & given.last & stage.ever(marks & given.last), "a second sample")
    return stage


class _Steps:
    """What the layer around a buffer promises: rows of a step follow its mark, and the next mark what was delivered."""

    def __init__(self, stage: Stage, dut: DelayBuffer, plan: DelayPlan) -> None:
        m = stage.m
        for port in (dut.valid, dut.bits, dut.mark, dut.last):
            m.d.comb += Value.cast(port).eq(stage.free(len(Value.cast(port))))
        self.given = _given(stage, plan)
        self.offered = stage.inner("serializer", "rows__valid")
        self.marks = self.offered & self.given.mark
        self.row = row = Signal(range(plan.rows + 1), name="fired_rows")
        self.at_end = at_end = dut.valid & (row == plan.rows - 1)
        self.owed = owed = Signal(range(AHEAD + 2), name="steps_owed")
        self.delivered = delivered = Signal(name="delivered")
        complete = stage.past(at_end)
        m.d.comb += dut.complete.eq(complete)
        with m.If(dut.valid):
            m.d.sync += row.eq(Mux(at_end, 0, row + 1))
        m.d.sync += [owed.eq(owed + dut.mark - at_end), delivered.eq(self.marks | (delivered & ~dut.mark))]
        stage.assume(~dut.valid | (owed != 0))
        self.incomplete = owed + complete
        stage.assume(~dut.mark | (delivered & (self.incomplete < AHEAD)))


class _Followed:
    """Any one neuron, by its place: what it fired, newest first, and how many of its steps are not there yet.

    `bit` is the place of what it fired in its row.
    """

    def __init__(self, stage: Stage, dut: DelayBuffer, plan: DelayPlan, steps: _Steps) -> None:
        m, given = stage.m, steps.given
        delays = plan.delays.tolist()
        longest = max(delays)
        self.place = place = stage.constant(range(plan.rows * plan.lanes))
        stage.assume(place < plan.neurons)
        self.delay = delay = Signal(range(longest + 1), name="own_delay")
        m.d.comb += delay.eq(Array(Const(value, len(delay)) for value in delays)[place])
        self.row = place // plan.lanes
        spikes, self.bit = _followed_bit(stage, plan, given, place)
        fires = dut.valid & (steps.row == self.row)
        self.history = history = Signal(longest + AHEAD + 2, name="own_spikes")
        self.late = late = Signal(range(AHEAD + 2), name="own_late")
        self.passed = passed = Signal(range(longest + 2), name="steps_of_sample")
        self.seen = seen = Signal(name="own_seen")
        with m.If(fires):
            m.d.sync += history.eq(Cat(dut.bits.bit_select(self.bit, 1), history))
        m.d.sync += late.eq(late + dut.mark - fires)
        with m.If(dut.mark):
            m.d.sync += passed.eq(Mux(dut.last, 0, Mux(passed > longest, passed, passed + 1)))
        self.asked = delay < passed
        self.expected = self.asked & history.bit_select((delay - late)[: len(delay)], 1)
        here = (given.index == self.row) & spikes.bit_select(self.bit, 1)
        self.arrives = steps.offered & ~given.mark & here
        m.d.sync += seen.eq(~steps.marks & (seen | self.arrives))


def _ring(stage: Stage, dut: DelayBuffer, plan: DelayPlan, steps: _Steps, own: _Followed) -> None:
    """What registers hold, for the induction: the slots of the ring, and the steps."""
    m, rows, slots = stage.m, plan.rows, plan.slots
    row, owed = steps.row, steps.owed
    now, written = Signal(range(slots), name="slot_passed"), Signal(range(slots), name="slot_written")
    with m.If(dut.mark):
        m.d.sync += now.eq(Mux(now == slots - 1, 0, now + 1))
    with m.If(steps.at_end):
        m.d.sync += written.eq(Mux(written == slots - 1, 0, written + 1))
    stage.claim((now < slots) & (written < slots) & (now == (written + owed) % slots), "invariant: slots")
    stage.claim(stage.inner("base") == now * rows, "invariant: the step that is sent")
    stage.claim(stage.inner("write") == written * rows + row, "invariant: the row that is written")
    stage.claim((row < rows) & (steps.incomplete <= AHEAD), "invariant: steps are passed and completed in turn")
    stage.claim(own.late == owed - (row > own.row), "invariant: rows of the neuron that are not there yet")
    words = Array(stage.inner("ring", f"word{k}") for k in range(dut.depth))
    for age in range(slots):
        slot = (written + (row > own.row) + 2 * slots - 1 - age) % slots
        held = words[slot * rows + own.row].bit_select(own.bit, 1)
        # What lies there before the first sample does not matter: no entry asks for a step of it.
        known = age + own.late < own.passed
        stage.claim(~known | (held == own.history[age]), "invariant: the ring holds what was fired")
    stage.claim(stage.inner("lag") == steps.incomplete, "invariant: steps that are not complete")
    stage.claim((stage.inner("age") == own.passed) & (own.passed <= slots), "invariant: steps of the sample")


def _program(stage: Stage, dut: DelayBuffer, plan: DelayPlan, steps: _Steps, own: _Followed, lasted: Any) -> None:
    """The program, for the induction, and what became of the neuron that is followed; `lasted` as by `Stage.within`."""
    entries, delivered = len(plan.program), steps.delivered
    running, index, end = stage.inner("running"), stage.inner("index"), stage.inner("end")
    filled, fetched, entry = stage.inner("filled"), stage.inner("fetched"), stage.inner("entry")
    program = Array(Const(word, delay_entry(plan).size) for word in delay_program(plan))
    ready = filled == 3
    there = (entry == program[index]) & (dut.rom.data == program[(index + 1) % entries])
    stage.claim(~ready | (there & (fetched == (index + 2) % entries)), "invariant: entries are fetched ahead")
    first = (filled == 1) & (fetched == 1 % entries) & (dut.rom.data == program[0])
    stage.claim(ready | (((filled == 0) & (fetched == 0)) | first), "invariant: the first entries are fetched")
    stage.claim(ready | (~running & (index == 0) & ~delivered), "invariant: nothing is asked for before")
    stage.claim((index < entries) & (running | (index == 0)), "invariant: the program starts with its first entry")
    stage.claim(~ready | (running + sum(end[k] for k in range(4)) == ~delivered), "invariant: a step is under way")
    for k in range(4):
        stage.claim(~end[k] | (lasted <= entries + k), "invariant: the end of the program is on its way")
    stage.claim(~running | (lasted <= index), "invariant: an entry a cycle")
    of_place = [divmod(place, plan.lanes) for place in range(plan.neurons)]
    numbers = {(item.row, lane): number for number, item in enumerate(plan.program) for lane in item.lanes}
    own_entry = Array(numbers[place] for place in of_place)[own.place]
    asks = stage.inner("passes") & (index == own_entry)
    under_way = stage.past(asks) | stage.past(asks, 2) | stage.past(asks, 3)
    done = ~running | (index > own_entry)
    arrived = under_way | (own.seen == own.expected)
    stage.claim(~done | delivered | arrived, "invariant: an entry that passed has arrived")
    stage.claim((done & ~delivered) | (~own.seen & ~under_way), "invariant: an entry that did not pass has not")
    stage.claim(~done | delivered | ~own.asked | (own.late <= own.delay), "invariant: the row was there")
