"""Proofs about what changes the form of a stream: serializer, merge and gate."""

from __future__ import annotations

from typing import Any

import numpy as np
from amaranth.hdl import Cat, Mux, Signal, Value
from amaranth.lib import data

from spikewright.contract.decay import Decay
from spikewright.contract.layer import LayerSpec
from spikewright.contract.network import NetworkSpec
from spikewright.contract.neurons.lif import IntegerLIF
from spikewright_hw.guard import InputGuard
from spikewright_hw.merge import EventMerge
from spikewright_hw.serializer import BitSerializer
from spikewright_sim.formal.stage import Stage


def serializer(rows: int, width: int) -> Stage:
    """`BitSerializer`: exactly the set bits of every row, lowest first, and every mark, in order and without a gap."""
    dut = BitSerializer(rows=rows, width=width, depth=rows + 1)
    stage = Stage(dut)
    m = stage.m
    stage.source(dut.rows)
    m.d.comb += dut.o.ready.eq(stage.free(1))
    # Both queues have proofs of their own: the serializer is between them.
    row = data.View(dut.rows.payload.shape(), stage.inner("queue", "o__payload"))
    beat = data.View(dut.o.payload.shape(), stage.inner("out", "i__payload"))
    offered, fetches = stage.inner("queue", "o__valid"), stage.inner("queue", "o__ready")
    sends, room = stage.inner("out", "i__valid"), stage.inner("out", "i__ready")
    stage.assume(~offered | row.mark | ((row.bits != 0) & (row.index < rows)))
    busy = Signal()
    current = Signal(dut.rows.payload.shape())
    left = Signal(width)
    rest = left & (left - 1)
    done = ~busy | (room & (rest == 0))
    with m.If(offered & fetches):
        m.d.sync += [busy.eq(1), current.eq(row), left.eq(Mux(row.mark, 0, row.bits))]
    with m.Elif(room):
        m.d.sync += [busy.eq(busy & (rest != 0)), left.eq(rest)]
    bit: Any = 0
    for k in reversed(range(width)):
        bit = Mux(left[k], k, bit)
    stage.claim(fetches == done, "a row is fetched when the one before has been sent, at once")
    stage.claim(sends == busy, "a beat a cycle, while there is a row")
    with m.If(sends):
        stage.claim(beat.mark == current.mark, "marks and bits are told apart")
        with m.If(current.mark):
            stage.claim((beat.last == current.last) & (beat.error == current.error), "the mark has its flags")
        with m.Else():
            stage.claim((beat.axon == current.index * width + bit) & (beat.value == 1), "the lowest bit that is left")
    stage.claim(~busy | current.mark | (left != 0), "invariant: a row that is sent has bits left")
    stage.claim(stage.inner("full") == busy, "invariant: busy")
    stage.claim(~busy | (stage.inner("bits") == left), "invariant: the bits that are left")
    kept = data.View(current.shape(), stage.inner("current"))
    stage.claim(~busy | (Value.cast(kept) == Value.cast(current)), "invariant: the row")
    stage.reachable(sends & room & ~current.mark & (rest != 0) & stage.ever(sends & current.mark), "several bits")
    return stage


def merge(most: int = 1) -> Stage:
    """`EventMerge`: every event of both sides passes once and in order, and the mark after the delayed ones' mark.

    A neuron sends so many spikes in a step at `most`.
    """
    spec = LayerSpec(
        inputs=3,
        neurons=2,
        weights=np.zeros((2, 5), dtype=np.int64),
        bias=np.zeros(2, dtype=np.int64),
        threshold=np.ones(2, dtype=np.int64),
        delays=np.zeros(2, dtype=np.int64),
        decay=Decay(1, 1),
        neuron=IntegerLIF(max_spikes=most),
        value_bits=2,
    )
    dut = EventMerge(spec)
    stage = Stage(dut)
    m = stage.m
    feed, delayed, out = dut.feed.payload, dut.delayed.payload, dut.o.payload
    fed, came = stage.source(dut.feed), stage.source(dut.delayed)
    m.d.comb += dut.o.ready.eq(stage.free(1))
    passed = dut.o.valid & dut.o.ready
    stage.assume((feed.axon < 3) & (delayed.axon < 2))
    # The delay buffer sends the events of a step only after the mark of the step before.
    complete = Signal()
    with m.If(came & delayed.mark):
        m.d.sync += complete.eq(1)
    with m.Elif(fed & feed.mark):
        m.d.sync += complete.eq(0)
    stage.assume(~(complete & dut.delayed.valid))
    spike = came & ~delayed.mark
    stage.claim(passed == (spike | fed), "whatever is taken passes, and nothing else")
    stage.claim(~(spike & fed), "one beat at a time")
    with m.If(spike):
        number = delayed.value if most > 1 else 1
        stage.claim(
            (out.axon == 3 + delayed.axon) & (out.value == number) & ~out.mark, "a delayed spike is an own axon"
        )
    with m.If(fed):
        same = Cat(out.mark, out.last, out.error) == Cat(feed.mark, feed.last, feed.error)
        stage.claim((out.value == feed.value) & same, "a beat of the layer before passes as it is")
        stage.claim(out.axon == feed.axon, "the axons of the layer before come first")
    stage.claim(dut.mark == (fed & feed.mark), "the mark that passes is told")
    stage.claim(~dut.mark | (dut.last == feed.last), "and whether it ends the sample")
    stage.claim(~(fed & feed.mark) | complete, "the mark waits for the delayed spikes")
    stage.claim(stage.inner("complete") == complete, "invariant: the mark of the delayed spikes is remembered")
    waits = dut.o.ready & dut.feed.valid & ~dut.feed.ready
    stage.claim(~(waits & ~dut.delayed.valid & ~feed.mark), "an event waits for delayed spikes alone")
    stage.claim(~(dut.delayed.valid & dut.o.ready) | dut.delayed.ready, "delayed spikes never wait for events")
    stage.reachable(stage.ever(fed & feed.mark) & spike, "a second step")
    stage.reachable(waits & feed.mark, "a mark waits")
    return stage


def guard(inputs: int, timesteps: int) -> Stage:
    """`InputGuard`: what leaves keeps the rules of the core, and a sample that broke them is flagged, no other."""
    readout = LayerSpec(
        inputs=inputs,
        neurons=1,
        weights=np.zeros((1, inputs), dtype=np.int64),
        bias=np.zeros(1, dtype=np.int64),
        threshold=None,
        delays=None,
        decay=Decay(1, 1),
        value_bits=1,
    )
    dut = InputGuard(NetworkSpec(layers=(readout,), timesteps=timesteps))
    stage = Stage(dut)
    m = stage.m
    stage.source(dut.i)
    m.d.comb += dut.o.ready.eq(stage.free(1))
    # Both queues have proofs of their own: the rules are between them.
    given, out = stage.inner("arrived", "o__payload"), stage.inner("queue", "i__payload")
    given, out = data.View(dut.o.payload.shape(), given), data.View(dut.o.payload.shape(), out)
    offered, passes = stage.inner("arrived", "o__valid"), stage.inner("queue", "i__valid")
    taken = offered & stage.inner("queue", "i__ready")
    left = passes & stage.inner("queue", "i__ready")
    # The rules, told once more and apart from the component.
    lowest = Signal(range(inputs + 1))
    steps = Signal(range(timesteps + 1))
    broken = Signal()  # earlier in this sample
    mark = given.mark | given.last
    wrong = Mux(given.mark, 0, (given.axon < lowest) | (given.axon >= inputs) | given.last)
    wrong = wrong | (mark & (steps == timesteps))
    with m.If(taken):
        with m.If(mark):
            m.d.sync += [
                lowest.eq(0),
                steps.eq(Mux(given.last, 0, Mux(steps == timesteps, steps, steps + 1))),
                broken.eq(~given.last & (broken | wrong)),
            ]
        with m.Elif(wrong):
            m.d.sync += broken.eq(1)
        with m.Else():
            m.d.sync += lowest.eq(given.axon + 1)
    stage.claim(passes == (offered & (mark | (~wrong & (given.value != 0)))), "what keeps the rules passes, no more")
    with m.If(left):
        stage.claim(out.mark == mark, "an event that ends a sample becomes a mark")
        with m.If(mark):
            stage.claim(out.last == given.last, "every sample ends")
            stage.claim(out.error == (broken | wrong), "a sample that broke the rules is flagged, no other")
        with m.Else():
            stage.claim((out.axon == given.axon) & (out.value == given.value), "an event passes as it is")
    # What the sizes of the core rest on, seen behind the rules alone.
    next_axon = Signal(range(inputs + 1))
    done = Signal(range(timesteps + 1))
    with m.If(left):
        m.d.sync += next_axon.eq(Mux(out.mark, 0, out.axon + 1))
        with m.If(out.mark):
            m.d.sync += done.eq(Mux(out.last, 0, Mux(done == timesteps, done, done + 1)))
    with m.If(passes & ~out.mark):
        stage.claim(out.axon < inputs, "every axon that passes exists")
        stage.claim(out.axon >= next_axon, "axons rise within a step, so none comes twice")
        stage.claim(out.value != 0, "no event without a value passes")
        stage.claim(~out.last, "only a mark ends a sample")
    stage.claim(~(passes & out.mark & (done == timesteps)) | out.error, "a step too many is flagged")
    stage.claim((stage.inner("next_axon") == lowest) & (lowest <= inputs), "invariant: the lowest axon")
    stage.claim((stage.inner("step") == steps) & (steps <= timesteps), "invariant: the steps")
    stage.claim(stage.inner("error") == broken, "invariant: the error of the sample")
    stage.claim((done == steps) & (next_axon <= lowest), "invariant: both sides count the same steps")
    stage.claim(~offered | stage.inner("arrived", "o__ready") | ~stage.inner("queue", "i__ready"), "it never waits")
    stage.reachable(passes & out.mark & out.last & ~out.error & stage.ever(left & ~out.mark), "a good sample")
    stage.reachable(passes & out.mark & out.last & out.error & stage.ever(left & ~out.mark), "a flagged sample")
    return stage
