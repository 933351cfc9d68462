"""Proofs about the queues."""

from __future__ import annotations

from amaranth.hdl import Array, Mux

from spikewright_hw.queue import Queue
from spikewright_hw.ram import RamQueue
from spikewright_sim.formal.stage import Passage, Stage


def queue(depth: int) -> Stage:
    """`Queue`: nothing is lost, doubled or reordered; it takes while it is not full and gives while it is not empty."""
    dut = Queue(4, depth=depth)
    stage = Stage(dut)
    passage = Passage(stage, stage.source(dut.i), dut.i.payload, stage.sink(dut.o), dut.o.payload, most=depth)
    stage.claim(dut.i.ready == (passage.inside != depth), "it takes while it is not full")
    stage.claim(dut.o.valid == (passage.inside != 0), "it gives while it is not empty")
    entries = Array(stage.inner(f"entry{k}") for k in range(1, depth))
    stage.claim(stage.inner("level") == passage.inside, "invariant: the level is what is inside")
    held = Mux(passage.ahead == 0, dut.o.payload, entries[passage.ahead - 1])
    stage.claim(~passage.followed | (held == passage.beat), "invariant: the beat lies in its place")
    return stage


def ram_queue(depth: int, width: int) -> Stage:
    """`RamQueue`: nothing is lost, doubled or reordered as long as no more than `depth` entries wait."""
    dut = RamQueue(width, depth=depth)
    stage = Stage(dut)
    stage.assume(~dut.i.valid | (dut.level != depth))
    passage = Passage(stage, stage.source(dut.i), dut.i.payload, stage.sink(dut.o), dut.o.payload, most=depth + 1)
    stage.within((passage.inside != 0) & ~dut.o.valid, 1, "what is inside is offered two cycles after it was taken")
    level, write, read = (stage.inner(name) for name in ("level", "write_addr", "read_addr"))
    stage.claim(passage.inside == level + dut.o.valid, "invariant: the level is what is in the memory")
    stage.claim((read < depth) & (write < depth) & (level <= depth), "invariant: addresses are in range")
    end = read + level
    stage.claim(write == Mux(end >= depth, end - depth, end), "invariant: the level is the distance of the addresses")
    if depth <= 4:  # in registers, which a proof can name
        words = Array(stage.inner("ram", f"word{k}") for k in range(depth))
        place = read + passage.ahead - dut.o.valid
        held = Mux(dut.o.valid & (passage.ahead == 0), dut.o.payload, words[Mux(place >= depth, place - depth, place)])
        stage.claim(~passage.followed | (held == passage.beat), "invariant: the beat lies in its place")
    return stage
