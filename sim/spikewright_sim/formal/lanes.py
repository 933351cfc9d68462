"""Proofs about what a lane is made of: row fetch, walker, membranes and update."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from amaranth.hdl import Array, Cat, Const, Fragment, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring

from spikewright.contract.bounds import layer_bounds
from spikewright.contract.core import CoreSpec
from spikewright.contract.decay import Decay, Leak, Leaks
from spikewright.contract.image import LayerImage
from spikewright.contract.integers import IntArray
from spikewright.contract.layer import LayerSpec
from spikewright.contract.network import NetworkSpec
from spikewright.contract.neuron import Neuron, usual_neuron
from spikewright.layout.pack import pack
from spikewright_hw.currents import CurrentUpdate
from spikewright_hw.lane import Lane
from spikewright_hw.rows import RowFetch, pointers
from spikewright_hw.update import NeuronUpdate
from spikewright_sim.formal.stage import Stage

Own = Mapping[str, Sequence[int]]
WIDE = 20
"""Bits of the references: far more than a membrane of these layers can take."""


class AnyWords(wiring.Component):
    """Stands in for a read-only memory: every word is free, and stays what it is."""

    def __init__(self, rom: Any) -> None:
        Fragment.get(rom, None)  # Amaranth warns of what is never used
        self.words: list[Any] = [Signal(len(rom.data), name=f"word{k}") for k in range(1 << len(rom.addr))]
        super().__init__(dict(rom.signature.members))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        with m.If(self.en):
            m.d.sync += self.data.eq(Array(self.words)[self.addr])
        return m


class AnyMembranes(wiring.Component):
    """Stands in for a memory of membranes: what is read is anything that `any` is driven with."""

    def __init__(self, ram: Any) -> None:
        Fragment.get(ram, None)  # Amaranth warns of what is never used
        self.any = Signal.like(ram.read_data)
        super().__init__(dict(ram.signature.members))

    def elaborate(self, platform: Any) -> Module:
        m = Module()
        m.d.comb += self.read_data.eq(self.any)
        return m


CURRENT = Decay(1, 1)
"""Of synaptic currents in proofs."""


def small_core(
    *,
    neuron: Neuron | None = None,
    lanes: int = 1,
    encoding: str = "absolute",
    own: Own | None = None,
    current: Decay | None = None,
) -> CoreSpec:
    """Four inputs of two bits, two neurons, weights of three bits, a leak of 3/4; synaptic currents if they leak.

    What the neurons have of their `own` is more, or in place of that leak, by the names of `LayerSpec`.
    """
    constants: dict[str, Any] = {name: np.array(values) for name, values in (own or {}).items()}
    # The second axon has no synapse with the first neuron: that is a distance of one bit.
    layer = LayerSpec(
        inputs=4,
        neurons=2,
        weights=np.array([[3, -3, 1, 2], [2, 0, -1, 3]])[:: -1 if encoding == "relative" else 1],
        bias=np.array([2, -3]),
        threshold=np.array([5, 3] if neuron is None or neuron.most == 1 else [4, 2]),
        delays=None,
        decay=Decay(4, 2) if "multipliers" in (own or {}) else Decay(3, 2),
        current_decay=Decay(4, 2) if "current_multipliers" in (own or {}) else current,
        neuron=neuron or usual_neuron(),
        weight_bits=3,
        value_bits=2,
        **constants,
    )
    readout = LayerSpec(
        inputs=2,
        neurons=1,
        weights=np.ones((1, 2), dtype=np.int64),
        bias=np.zeros(1, dtype=np.int64),
        threshold=None,
        delays=None,
        decay=Decay(1, 1),
        value_bits=layer.count_bits,
    )
    return pack(NetworkSpec(layers=(layer, readout), timesteps=4), lanes, encoding=encoding)


class _Counted:
    """What a run of synapses means: its extent is their number, and an index the row."""

    def following(self, left: Any) -> Any:
        """What is left of an extent after a synapse."""
        return left - 1

    def single(self, left: Any) -> Any:
        """No other synapse follows."""
        return left <= 1

    def row(self, stage: Stage, image: LayerImage, taken: Any, left: Any, index: Any) -> Any:
        """The row of a synapse, three cycles after it was the next one of what was `left`."""
        return index


class _Skipped(_Counted):
    def row(self, stage: Stage, image: LayerImage, taken: Any, left: Any, index: Any) -> Any:
        # The row after that of the synapse before; 0 at the start of a run.
        row, least = Signal(image.row_bits), Signal(image.row_bits)
        stage.m.d.sync += least.eq(Mux(stage.past(taken, 3), 0, row + 1))
        stage.m.d.comb += row.eq(least + index)
        return row


class _Bits(_Counted):
    """The lowest bit is that of the next synapse."""

    def following(self, left: Any) -> Any:
        return left & (left - 1)

    def single(self, left: Any) -> Any:
        return (left & (left - 1)) == 0

    def row(self, stage: Stage, image: LayerImage, taken: Any, left: Any, index: Any) -> Any:
        lowest = Signal(image.row_bits)
        for number in reversed(range(image.rows)):
            with stage.m.If(left[number]):
                stage.m.d.comb += lowest.eq(number)
        return stage.past(lowest, 3)


_RUNS = {"absolute": _Counted(), "relative": _Skipped(), "bitmap": _Bits()}
"""By encoding, and independent of what the product knows of it."""


def lane(*, encoding: str = "absolute") -> Stage:
    """`Lane`: walks exactly the stored runs, each synapse once and in order, adding each to its membrane."""
    core = small_core(encoding=encoding)
    image = core.layers[0]
    spec = image.spec
    bits = layer_bounds(spec, core.network.timesteps).state_bits
    dut = Lane(image, lane=0, state_bits=bits, queue_depth=8, name="proof")
    dut.rom = rom = AnyWords(dut.rom)
    stage = Stage(dut)
    m = stage.m
    m.d.comb += [word.eq(stage.constant(len(word))) for word in rom.words]
    m.d.comb += [
        dut.runs.valid.eq(stage.free(1)),
        Value.cast(dut.runs.payload).eq(stage.free(len(Value.cast(dut.runs.payload)))),
    ]
    m.d.comb += [dut.clear.eq(stage.free(1)), dut.row.eq(stage.free(len(dut.row)))]
    # The queue has a proof of its own: what counts is what leaves it.
    entry = data.View(dut.runs.payload.shape(), stage.inner("queue", "o__payload"))
    run = entry.what.run
    taken = stage.inner("queue", "o__valid") & stage.inner("queue", "o__ready")
    offered = stage.inner("queue", "o__valid")
    # A mark has a flag in the place of the synapses, see `layouts.run`.
    stage.assume(~offered | Mux(entry.mark, run.synapses <= 1, run.synapses != 0))
    left, where = Signal.like(Value.cast(run.synapses)), Signal.like(Value.cast(run.start))
    value = Signal(spec.value_bits)
    runs = _RUNS[encoding]
    with m.If(taken):
        m.d.sync += [
            left.eq(Mux(entry.mark, 0, run.synapses)),
            where.eq(run.start),
            value.eq(entry.value),
        ]
    with m.Elif(left != 0):
        m.d.sync += [left.eq(runs.following(left)), where.eq(where + 1)]
    walks = left != 0
    stage.claim(~taken | runs.single(left), "a run is walked to its end")
    stage.claim(stage.inner("walk", "busy") == walks, "what is walked is a run")
    stage.claim(~walks | ((rom.addr == where) & (stage.inner("value") == value)), "the next synapse of the run is read")
    # Three cycles later the synapse is added to its membrane; any one membrane is followed.
    synapse = data.View(data.StructLayout({"index": image.index_bits, "weight": signed(spec.weight_bits)}),
                        stage.past(Array(rom.words)[where], 3))  # fmt: skip
    synapse_row = Signal(image.row_bits)
    m.d.comb += synapse_row.eq(runs.row(stage, image, taken, left, synapse.index))
    added = stage.past(walks, 3)
    product = Signal(signed(WIDE))
    m.d.comb += product.eq((synapse.weight * stage.past(value, 3)) << spec.weight_shift)
    row = stage.constant(image.row_bits)
    membrane = Signal(signed(bits))
    update, write_row = stage.inner("update", "write"), stage.inner("update", "write_row")
    next_state = stage.inner("update", "next_state")
    with m.If(added & (synapse_row == row)):
        m.d.sync += membrane.eq(membrane + product)
    with m.If(update & (write_row == row)):
        m.d.sync += membrane.eq(next_state)
    words = Array(stage.inner("membranes", f"word{k}") for k in range(image.rows))
    stage.assume(row < image.rows)
    stage.assume(~added | (synapse_row < image.rows))
    stage.claim(stage.inner("add") == added, "a synapse that was read is added, no other")
    known = stage.ever(update & (write_row == row))
    stage.claim(~known | (words[row] == membrane[:bits]), "the membrane is what was added to it")
    stage.claim(~(added & (synapse_row == row)) | known, "nothing is added before the first sweep")
    stage.claim(~(added & update), "synapses and sweeps never meet")
    stage.claim(dut.room == (stage.inner("queue", "level") <= 8 - RowFetch.MARGIN), "room is told by what waits")
    # What a sweep gave can be read from the cycle after on.
    given = stage.inner("update", "done") & (stage.inner("update", "done_row") == row)
    result = Signal(bits + 1)
    with m.If(given):
        m.d.sync += result.eq(Cat(stage.inner("update", "v"), stage.inner("update", "spike")))
    read = stage.past(stage.ever(given) & ~given & (dut.row == row))
    stage.claim(~read | (Cat(dut.v, dut.spike) == stage.past(result)), "what a sweep gave is there to be read")
    stage.reachable(stage.ever(added & (synapse_row == row)) & stage.ever(update & (write_row == row)), "both happen")
    stage.reachable(added & stage.past(added) & (synapse_row == row) & (stage.past(synapse_row) == row), "two in a row")
    return stage


def row_fetch() -> Stage:
    """`RowFetch`: four cycles after an event was taken, its run leaves if there is one, and a mark in any case."""
    image = small_core(lanes=2).layers[0]
    # The words are free anyway; so the offset has a bit.
    image = replace(image, starts=image.starts + np.array([0, 1]))
    dut = RowFetch(image, name="proof")
    dut.rom = rom = AnyWords(dut.rom)
    stage = Stage(dut)
    m = stage.m
    m.d.comb += [word.eq(stage.constant(len(word))) for word in rom.words]
    m.d.comb += dut.room.eq(stage.free(len(dut.room)))
    event = dut.events.payload
    taken = stage.source(dut.events)
    stage.claim(dut.events.ready == stage.past(dut.room.all(), 2), "an event is taken if there was room for it")
    then = data.View(event.shape(), stage.past(event, RowFetch.LATENCY))
    arrives = stage.past(taken, RowFetch.LATENCY)
    word = data.View(pointers(image), Array(rom.words)[then.axon])
    for lane, runs in enumerate(dut.runs):
        pointer = word.lanes[lane]
        start = (word.base + pointer.offset)[: image.start_bits]
        stage.claim(runs.valid == (arrives & (then.mark | (pointer.synapses != 0))), "a run leaves if there is one")
        with m.If(runs.valid):
            stage.claim(runs.payload.mark == then.mark, "marks and runs are told apart")
            with m.If(then.mark):
                flags = (runs.payload.what.flags.last == then.last) & (runs.payload.what.flags.error == then.error)
                stage.claim(flags, "the mark has its flags")
            with m.Else():
                where = (runs.payload.what.run.start == start) & (runs.payload.what.run.synapses == pointer.synapses)
                stage.claim(where & (runs.payload.value == then.value), "the run of the axon leaves")
    stage.reachable(dut.runs[0].valid & ~then.mark & stage.past(dut.runs[0].valid), "one a cycle")
    stage.reachable(dut.runs[0].valid & then.mark, "a mark")
    return stage


def free_update(core: CoreSpec, timesteps: int) -> tuple[Stage, Any, AnyMembranes | None]:
    """The update of the first layer, for bounds of so many steps, with free inputs; and what stands in for membranes.

    These are there where neurons have a synaptic current, which the state then is.
    """
    image = core.layers[0]
    bounds = layer_bounds(image.spec, timesteps)
    membranes = None
    dut: NeuronUpdate
    if image.spec.current_decay is None:
        dut = NeuronUpdate(image, lane=0, state_bits=bounds.state_bits, name="proof")
    else:
        widths = {"state_bits": bounds.state_bits, "membrane_bits": bounds.membrane_bits}
        dut = currents = CurrentUpdate(image, lane=0, name="proof", **widths)
        currents.membranes.ram = membranes = AnyMembranes(currents.membranes.ram)
    stage = Stage(dut)
    for port in (dut.read, dut.row, dut.last, dut.state, *(() if membranes is None else (membranes.any,))):
        stage.m.d.comb += Value.cast(port).eq(stage.free(len(Value.cast(port))))
    stage.assume(dut.row < image.rows)
    return stage, dut, membranes


def of_position(values: IntArray, order: list[int], row: Any) -> Any:
    """A constant of the neuron in a row."""
    return Array(Const(int(values[position]), signed(WIDE)) for position in order)[row]


def update(neuron: Neuron, own: Own | None = None, current: Decay | None = None) -> Stage:
    """`NeuronUpdate`: spike, reset, leak and bias by the equations, for every membrane in its bounds; no overflow."""
    core = small_core(neuron=neuron, own=own, current=current)
    image = core.layers[0]
    spec = image.spec
    assert spec.threshold is not None
    bounds = layer_bounds(spec, core.network.timesteps)
    stage, dut, membranes = free_update(core, core.network.timesteps)
    m = stage.m
    low, high = bounds.membrane
    kept = int(spec.remembers)
    given = dut.state >> kept
    charged = given if membranes is None else given + membranes.any.as_signed()
    stage.assume((charged >= low) & (charged <= high))
    asked = stage.past(dut.read, 3)
    row = stage.past(dut.row, 3)
    state = Signal(signed(WIDE))
    v = Signal(signed(WIDE))
    m.d.comb += state.eq(stage.past(charged, 2))
    before: Any = stage.past(dut.state[0], 2) if kept else 0
    order = image.order.tolist()
    threshold = of_position(spec.threshold, order, row)
    bias = of_position(spec.bias, order, stage.past(row))
    leak: Leak = spec.decay
    if spec.multipliers is not None:
        leak = Leaks(of_position(spec.multipliers, order, stage.past(row)), spec.decay.shift)
    start: Any = 0 if spec.start is None else of_position(spec.start, order, stage.past(row))
    fires = state >= neuron.fires_from(threshold, before)
    at_rest = neuron.at_rest(state, threshold, before)
    if spec.floor is not None:
        lowest = of_position(spec.floor, order, row)
        at_rest = Mux(at_rest > lowest, at_rest, lowest)
    m.d.comb += v.eq(Mux(fires, neuron.after_spike(state, threshold), at_rest))
    stage.claim(dut.done == asked, "a neuron is done three cycles after it was read")
    with m.If(asked):
        stage.claim(dut.done_row == row, "of the row that was read")
        spikes = Mux(fires, neuron.count(state, threshold), 0)
        stage.claim(dut.spike == spikes, "it fires from the threshold on")
        stage.claim(dut.v == v, "what remains of the membrane does not overflow")
    forget = stage.past(dut.last, 4)
    carried = neuron.carried(stage.past(v), stage.past(fires), stage.past(threshold), leak)
    wanted = Mux(forget, leak(start), carried) + bias
    remembered = Value.cast(neuron.remembered(stage.past(v), stage.past(fires), stage.past(threshold)))
    if membranes is not None and spec.current_decay is not None:
        stage.claim(membranes.read_en & (membranes.read_addr == dut.row), "the membrane is read with its current")
        with m.If(dut.write):
            written = membranes.write_en & (membranes.write_addr == dut.write_row)
            stage.claim(written, "the membrane is written as the current is")
            stored = membranes.write_data.as_signed() == Mux(forget, leak(start), carried)
            stage.claim(stored, "what the membrane carries over does not overflow")
        stage.claim(dut.write | ~membranes.write_en, "no other membrane is written")
        of_current: Leak = spec.current_decay
        if spec.current_multipliers is not None:
            multipliers = of_position(spec.current_multipliers, order, stage.past(row))
            of_current = Leaks(multipliers, spec.current_decay.shift)
        begin: Any = 0
        if spec.current_start is not None:
            begin = of_position(spec.current_start, order, stage.past(row))
        wanted = Mux(forget, of_current(begin), of_current(stage.past(given, 3))) + bias
    stage.claim(dut.write == stage.past(asked), "it is written a cycle later")
    with m.If(stage.past(asked)):
        stage.claim(dut.write_row == stage.past(row), "into the row that was read")
        stage.claim((dut.next_state >> kept) == wanted, "the next state does not overflow")
        if kept:
            stage.claim(dut.next_state[0] == (remembered & ~forget), "the bit that is kept")
    stage.reachable(asked & dut.spike, "a spike")
    stage.reachable(stage.past(asked) & (dut.next_state < 0), "a negative membrane")
    return stage
