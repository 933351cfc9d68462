"""A proof about the delay buffer."""

from __future__ import annotations

import numpy as np
from amaranth.hdl import Array, Cat, Const, Mux, Signal, Value
from amaranth.lib import data

from spikewright.contract.decay import Decay
from spikewright.contract.layout import LayerImage
from spikewright.contract.network import LayerSpec, NetworkSpec
from spikewright.layout.pack import pack
from spikewright_hw.delay import DelayBuffer
from spikewright_hw.layouts import bit_row
from spikewright_sim.formal.stage import Stage

AHEAD = 2
"""Steps that are passed and not complete, at most."""


def recurrent_layer(delays: tuple[int, ...], lanes: int) -> LayerImage:
    """A layer with a neuron for each of these delays."""
    neurons = len(delays)
    layer = LayerSpec(
        inputs=1,
        neurons=neurons,
        weights=np.ones((neurons, 1 + neurons), dtype=np.int64),
        bias=np.zeros(neurons, dtype=np.int64),
        threshold=np.ones(neurons, dtype=np.int64),
        delays=np.array(delays),
        decay=Decay(1, 1),
    )
    readout = LayerSpec(
        inputs=neurons,
        neurons=1,
        weights=np.ones((1, neurons), dtype=np.int64),
        bias=np.zeros(1, dtype=np.int64),
        threshold=None,
        delays=None,
        decay=Decay(1, 1),
    )
    return pack(NetworkSpec(layers=(layer, readout), timesteps=9), lanes).layers[0]


def delay_buffer(delays: tuple[int, ...], lanes: int) -> Stage:
    """`DelayBuffer`: step t of a sample brings the spike of step t - 1 - delay of any neuron, once; then its mark.

    The rows of a step may come long after the step was passed, when later steps already ask for older ones, and
    samples may have any number of steps.
    """
    image = recurrent_layer(delays, lanes)
    dut = DelayBuffer(image, name="proof", ahead=AHEAD)
    stage = Stage(dut)
    m = stage.m
    rows, longest, neurons = image.rows, max(delays), len(delays)
    for port in (dut.valid, dut.bits, dut.mark, dut.last):
        m.d.comb += Value.cast(port).eq(stage.free(len(Value.cast(port))))
    # The serializer has a proof of its own: what counts is what it is given.
    given = data.View(bit_row(rows, image.lanes), stage.inner("serializer", "rows__payload"))
    offered = stage.inner("serializer", "rows__valid")
    marks = offered & given.mark

    # What the layer around it promises: rows of a step follow its mark, and the next mark what was delivered.
    row = Signal(range(rows + 1), name="fired_rows")
    at_end = dut.valid & (row == rows - 1)
    owed = Signal(range(AHEAD + 2), name="steps_owed")
    delivered = Signal(name="delivered")
    complete = stage.past(at_end)
    m.d.comb += dut.complete.eq(complete)
    with m.If(dut.valid):
        m.d.sync += row.eq(Mux(at_end, 0, row + 1))
    m.d.sync += [owed.eq(owed + dut.mark - at_end), delivered.eq(marks | (delivered & ~dut.mark))]
    stage.assume(~dut.valid | (owed != 0))
    incomplete = owed + complete
    stage.assume(~dut.mark | (delivered & (incomplete < AHEAD)))

    # Any one neuron, by its place: what it fired, newest first, and how many of its steps are not there yet.
    place = stage.constant(range(rows * image.lanes))
    stage.assume(place < image.spec.neurons)
    delay = Signal(range(longest + 1), name="own_delay")
    m.d.comb += delay.eq(Array(Const(delays[neuron], len(delay)) for neuron in image.order.tolist())[place])
    own_row, own_lane = place // image.lanes, place % image.lanes
    fires = dut.valid & (row == own_row)
    history = Signal(longest + AHEAD + 2, name="own_spikes")
    late = Signal(range(AHEAD + 2), name="own_late")
    passed = Signal(range(longest + 2), name="steps_of_sample")
    seen = Signal(name="own_seen")
    with m.If(fires):
        m.d.sync += history.eq(Cat(dut.bits.bit_select(own_lane, 1), history))
    m.d.sync += late.eq(late + dut.mark - fires)
    with m.If(dut.mark):
        m.d.sync += passed.eq(Mux(dut.last, 0, Mux(passed > longest, passed, passed + 1)))
    asked = delay < passed
    expected = asked & history.bit_select((delay - late)[: len(delay)], 1)
    arrives = offered & ~given.mark & (given.index == own_row) & given.bits.bit_select(own_lane, 1)
    m.d.sync += seen.eq(~marks & (seen | arrives))

    stage.claim(~arrives | (late <= delay), "a row that was not fired yet is waited for")
    stage.claim(~arrives | expected, "what arrives was fired so many steps ago, in this sample")
    stage.claim(~arrives | ~seen, "a spike arrives once")
    stage.claim(~marks | (seen == expected), "what was fired has arrived when its step is marked")
    stage.claim(~marks | ~asked | (late <= delay), "a step is marked when all rows it asks for were there")
    stage.claim(~marks | ~delivered, "a step is marked once")
    stage.claim(~offered | given.mark | (given.bits != 0), "no row without spikes is sent")
    entries = len(image.program)
    slow = "with all rows there, a step takes a cycle for each entry of the program and five"
    lasted = stage.within(~delivered & (incomplete == 0), entries + 5, slow)

    # What registers hold, for the induction: the slots of the ring,
    slots = longest + 1
    now, written = Signal(range(slots), name="slot_passed"), Signal(range(slots), name="slot_written")
    with m.If(dut.mark):
        m.d.sync += now.eq(Mux(now == slots - 1, 0, now + 1))
    with m.If(at_end):
        m.d.sync += written.eq(Mux(written == slots - 1, 0, written + 1))
    stage.claim((now < slots) & (written < slots) & (now == (written + owed) % slots), "invariant: slots")
    stage.claim(stage.inner("base") == now * rows, "invariant: the step that is sent")
    stage.claim(stage.inner("write") == written * rows + row, "invariant: the row that is written")
    stage.claim((row < rows) & (incomplete <= AHEAD), "invariant: steps are passed and completed in turn")
    stage.claim(late == owed - (row > own_row), "invariant: rows of the neuron that are not there yet")
    words = Array(stage.inner("ring", f"word{k}") for k in range(dut.depth))
    for age in range(slots):
        slot = (written + (row > own_row) + 2 * slots - 1 - age) % slots
        held = words[slot * rows + own_row].bit_select(own_lane, 1)
        # What lies there before the first sample does not matter: no entry asks for a step of it.
        known = age + late < passed
        stage.claim(~known | (held == history[age]), "invariant: the ring holds what was fired")
    # the steps,
    stage.claim(stage.inner("lag") == incomplete, "invariant: steps that are not complete")
    stage.claim((stage.inner("age") == passed) & (passed <= slots), "invariant: steps of the sample")
    # the program,
    running, index, end = stage.inner("running"), stage.inner("index"), stage.inner("end")
    filled, fetched, entry = stage.inner("filled"), stage.inner("fetched"), stage.inner("entry")
    fields = {"offset": len(stage.inner("base")), "delay": len(delay), "row": image.row_bits, "mask": lanes}
    program = Array(
        data.StructLayout(fields)
        .const(
            {
                "offset": ((item.delay + 1) * rows - item.row) % dut.depth,
                "delay": item.delay,
                "row": item.row,
                "mask": sum(1 << lane for lane in item.lanes),
            }
        )
        .as_value()
        for item in image.program
    )
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
    # and what became of the neuron that is followed.
    own = Array(
        next(k for k, item in enumerate(image.program) if item.row == at // lanes and at % lanes in item.lanes)
        for at in range(neurons)
    )[place]
    asks = stage.inner("passes") & (index == own)
    under_way = stage.past(asks) | stage.past(asks, 2) | stage.past(asks, 3)
    done = ~running | (index > own)
    stage.claim(~done | delivered | under_way | (seen == expected), "invariant: an entry that passed has arrived")
    stage.claim((done & ~delivered) | (~seen & ~under_way), "invariant: an entry that did not pass has not")
    stage.claim(~done | delivered | ~asked | (late <= delay), "invariant: the row was there")
    steps = Signal(range(longest + 4), name="steps_in_all")
    with m.If(dut.mark & (steps <= longest + 2)):
        m.d.sync += steps.eq(steps + 1)
    stage.reachable(arrives & (delay == longest) & (steps == slots), "a spike from the first slot, used again")
    stage.reachable(arrives & (late != 0), "a spike before the last step is complete")
    stage.reachable(marks & ~asked & stage.ever(arrives), "a second sample")
    return stage
