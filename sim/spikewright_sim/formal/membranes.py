"""Proofs that no membrane leaves the width that was inferred from the weights: an induction over steps, in two halves.

One half: whatever a step starts from within the bounds, its synapses keep every membrane within them. The other: from
a membrane within them, the update makes one from which a step may start. The width of a membrane holds the bounds.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from amaranth.hdl import Array, Const, Fragment, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring

from spikewright.contract.bounds import layer_bounds, neuron_bounds
from spikewright.contract.core import CoreSpec
from spikewright.contract.decay import Decay
from spikewright.contract.integers import IntArray
from spikewright.contract.neuron import Neuron, usual_neuron
from spikewright.layout.pack import pack
from spikewright_hw.lane import Lane
from spikewright_hw.layouts import delayed
from spikewright_sim.formal.lanes import WIDE, Own, free_update, small_core
from spikewright_sim.formal.stage import Stage

FOR_EVER = 1000
"""Steps after which the bounds of a leaky neuron do not grow any more."""


def endless_core(neuron: Neuron, own: Own | None = None, current: Decay | None = None) -> CoreSpec:
    core = small_core(neuron=neuron, own=own, current=current)
    return pack(replace(core.network, timesteps=FOR_EVER), 1, encoding="absolute")


def starts(core: CoreSpec) -> tuple[IntArray, IntArray]:
    """Lowest and highest membrane from which a step of the first layer starts, by row."""
    image = core.layers[0]
    bounds = neuron_bounds(image.spec, FOR_EVER)
    return bounds.start_low[image.order], bounds.start_high[image.order]


def limits(core: CoreSpec) -> tuple[IntArray, IntArray]:
    """Lowest and highest membrane at any moment, by row."""
    image = core.layers[0]
    bounds = neuron_bounds(image.spec, FOR_EVER)
    return bounds.state_low[image.order], bounds.state_high[image.order]


def of_row(values: IntArray, row: Any) -> Any:
    return Array(Const(int(value), signed(WIDE)) for value in values)[row]


class AnyUpdate(wiring.Component):
    """Stands in for an update: the next step starts from anything that `next_state` is driven with."""

    def __init__(self, update: Any) -> None:
        Fragment.get(update, None)  # Amaranth warns of what is never used
        self.start = Signal.like(update.next_state)
        super().__init__(dict(update.signature.members))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.d.comb += [
            self.write.eq(delayed(m, self.read, 4, name="read")[-1]),
            self.write_row.eq(delayed(m, self.row, 4, name="row")[-1]),
            self.next_state.eq(self.start),
        ]
        return m


def step_bounds() -> Stage:
    """`Lane`: a step from within the bounds, each axon at most once, adds up without overflow and within the bounds."""
    core = endless_core(usual_neuron())
    image = core.layers[0]
    spec = image.spec
    bits = layer_bounds(spec, FOR_EVER).state_bits
    dut = Lane(image, lane=0, state_bits=bits, queue_depth=8, name="proof")
    dut.update = start = AnyUpdate(dut.update)
    stage = Stage(dut)
    m = stage.m
    m.d.comb += start.start.eq(stage.free(len(start.start)))
    begin_low, begin_high = starts(core)
    low, high = limits(core)
    begins = start.write_row
    inside = (start.start >= of_row(begin_low, begins)) & (start.start <= of_row(begin_high, begins))
    stage.assume(~start.write | inside)
    payload = Value.cast(dut.runs.payload)
    m.d.comb += [dut.runs.valid.eq(stage.free(1)), payload.eq(stage.free(len(payload)))]
    m.d.comb += [dut.clear.eq(stage.free(1)), dut.row.eq(stage.free(len(dut.row)))]

    # The queue has a proof of its own: what leaves it are rows of axons, each at most once a step, and marks.
    entry = data.View(dut.runs.payload.shape(), stage.inner("queue", "o__payload"))
    run = entry.what.run
    offered, taken = stage.inner("queue", "o__valid"), stage.inner("queue", "o__ready")
    taken = offered & taken
    axon = stage.free(range(spec.axons))
    begun = Signal(spec.axons, name="axons_of_step")
    with m.If(taken):
        m.d.sync += begun.eq(Mux(entry.mark, 0, begun | (1 << axon)))
    lengths = Array(Const(int(length), len(run.synapses)) for length in image.lengths[:, 0])
    firsts = Array(Const(int(first), len(run.start)) for first in image.starts[:, 0])
    row_of_axon = (run.synapses == lengths[axon]) & (run.start == firsts[axon]) & (run.synapses != 0)
    stage.assume(~offered | entry.mark | (row_of_axon & (axon < spec.axons) & ~begun.bit_select(axon, 1)))

    # Any membrane, in a width that nothing overflows, from the synapses that are added three cycles later.
    left, where, value = (
        Signal(len(run.synapses)),
        Signal(len(run.start)),
        Signal(spec.value_bits),
    )
    with m.If(taken):
        m.d.sync += [
            left.eq(Mux(entry.mark, 0, run.synapses)),
            where.eq(run.start),
            value.eq(entry.value),
        ]
    with m.Elif(left != 0):
        m.d.sync += [left.eq(left - 1), where.eq(where + 1)]
    row = stage.constant(image.row_bits)
    stage.assume(row < image.rows)
    weights = Array(Const(int(weight) << spec.weight_shift, signed(WIDE)) for weight in image.data[0])
    rows = Array(Const(int(index), image.row_bits) for index in image.indices[0])
    added = stage.past((left != 0) & (rows[where] == row), 3)
    product = Signal(signed(WIDE))
    m.d.comb += product.eq(weights[stage.past(where, 3)] * stage.past(value, 3))
    membrane = Signal(signed(WIDE), name="membrane")
    with m.If(added):
        m.d.sync += membrane.eq(membrane + product)
    with m.If(start.write & (begins == row)):
        m.d.sync += membrane.eq(start.start)
    stored = Array(stage.inner("membranes", f"word{k}") for k in range(image.rows))[row]
    known = stage.ever(start.write & (begins == row))
    stage.claim(~known | (stored.as_signed() == membrane), "the membrane that is stored is the sum, without overflow")
    within = (membrane >= of_row(low, row)) & (membrane <= of_row(high, row))
    stage.claim(~known | within, "a membrane stays within its bounds")
    reads = stage.past(start.read & (start.row == row))
    stage.claim(~(known & reads) | (start.state == membrane), "the update is given the sum")
    again = stage.ever(known & reads)
    stage.reachable(known & (membrane == of_row(high, row)), "the highest bound")
    stage.reachable(known & (membrane == of_row(low, row)), "the lowest bound")
    stage.reachable(again & added, "a synapse of the next step")
    return stage


def update_bounds(neuron: Neuron, own: Own | None = None, current: Decay | None = None) -> Stage:
    """`NeuronUpdate`: from a membrane within its bounds, the next step starts within those that its bounds rest on.

    With a synaptic current, both do.
    """
    core = endless_core(neuron, own, current)
    image = core.layers[0]
    stage, dut, membranes = free_update(core, FOR_EVER)
    low, high = limits(core)
    begin_low, begin_high = starts(core)
    given = stage.past(dut.row)  # of the membrane that `state` is
    # The sweep after a reset finds anything in the memories, and ends a sample.
    kept = int(image.spec.remembers)
    state, next_state = dut.state >> kept, dut.next_state >> kept
    bounded = (state >= of_row(low, given)) & (state <= of_row(high, given))
    bounds = neuron_bounds(image.spec, FOR_EVER)
    if membranes is not None:
        carried_low, carried_high = bounds.carried_low[image.order], bounds.carried_high[image.order]
        read, written = membranes.any.as_signed(), membranes.write_data.as_signed()
        bounded &= (read >= of_row(carried_low, given)) & (read <= of_row(carried_high, given))
        where = membranes.write_addr
        within = (written >= of_row(carried_low, where)) & (written <= of_row(carried_high, where))
        stage.claim(~membranes.write_en | within, "a membrane carries over what is within its bounds")
        stage.reachable(membranes.write_en & (written == of_row(carried_high, where)), "the most that is carried over")
    stage.assume(bounded | stage.past(dut.last))
    row = dut.write_row
    inside = (next_state >= of_row(begin_low, row)) & (next_state <= of_row(begin_high, row))
    stage.claim(~dut.write | inside, "a step starts from within the bounds")
    done = dut.done_row
    after_low, after_high = bounds.after_low[image.order], bounds.after_high[image.order]
    left = (dut.v >= of_row(after_low, done)) & (dut.v <= of_row(after_high, done))
    stage.claim(~dut.done | ~stage.past(bounded, 2) | left, "a membrane after the reset is within its bounds")
    stage.reachable(dut.write & (next_state == of_row(begin_high, row)), "the highest start")
    stage.reachable(dut.write & (next_state == of_row(begin_low, row)), "the lowest start")
    return stage
