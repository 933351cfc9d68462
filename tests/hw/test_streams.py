"""Every stream inside of a core keeps the rules, whatever stalls, and queues neither lose nor double anything."""

import random
from typing import Any

import pytest
from amaranth.hdl import Module, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.sim import Simulator
from core_bench import run
from stream_watch import Watch

from random_networks import random_counts, random_network
from spikewright.layout.pack import pack
from spikewright_hw.queue import Queue
from spikewright_hw.ram import RamQueue


@pytest.mark.parametrize(("seed", "lanes", "stall"), [(0, 2, 0.0), (1, 1, 0.4), (2, 4, 0.7)])
def test_streams_of_a_core(seed: int, lanes: int, stall: float) -> None:
    rng = random.Random(seed)
    spec = random_network(seed, (7, 6, 5, 3), recurrent=(True, False), max_delay=3, timesteps=6)
    watch = Watch()
    deepest: dict[RamQueue, int] = {}

    def attach(simulator: Simulator) -> None:
        watch.attach(simulator)
        of_memories = [component for component in watch.components if isinstance(component, RamQueue)]

        async def look(ctx: Any) -> None:
            async for _, _, *levels in ctx.tick().sample(*(queue.level for queue in of_memories)):
                for queue, level in zip(of_memories, levels, strict=True):
                    deepest[queue] = max(deepest.get(queue, 0), level)

        simulator.add_testbench(look, background=True)

    with watch.making():
        seen = run(
            pack(spec, lanes),
            random_counts(seed, spec, 3),
            idle=100,
            stall_input=lambda: rng.random() < stall,
            stall_output=lambda: rng.random() < stall,
            attach=attach,
        )
    assert len(seen.results) == 3
    assert len({type(component).__name__ for component, _, _ in watch.rules}) > 5
    busy = [rules for _, _, rules in watch.rules if rules.taken]
    assert len(busy) > 20
    queues = [component for component, _, _ in watch.rules if isinstance(component, Queue)]
    assert queues
    for queue in queues:
        came, left = watch.beats(queue, "i"), watch.beats(queue, "o")
        assert left == came[: len(left)]
        assert len(came) - len(left) <= 64  # what is still inside
    # Nothing tells a queue in memory to wait: it is sized so that it never has to.
    assert len(deepest) > 3
    for queue_in_memory, level in deepest.items():
        assert level <= queue_in_memory.depth


class Fickle(wiring.Component):
    """Offers a number that counts on while it waits."""

    o: Out(stream.Signature(8))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        count = Signal(8)
        m.d.sync += count.eq(count + 1)
        m.d.comb += [self.o.valid.eq(1), self.o.payload.eq(count)]
        return m


class Outer(wiring.Component):
    """A component whose inner streams are watched."""

    go: In(1)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.fickle = fickle = Fickle()
        m.d.comb += fickle.o.ready.eq(self.go)
        return m


def test_a_payload_that_changes_is_found() -> None:
    watch = Watch()
    with watch.making():
        simulator = Simulator(Outer())
        simulator.add_clock(1e-8)
        watch.attach(simulator)
        with pytest.raises(AssertionError, match=r"^Fickle\.o: a beat must stay until it is taken: 0 became 1$"):
            simulator.run_until(1e-7)
