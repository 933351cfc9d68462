# amaranth: UnusedElaboratable=no
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from amaranth.sim import Simulator

from serial_line import receive_byte, send_bytes
from spikewright.contract.stream import StreamFormat
from spikewright_boards.link.bridge import Bridge, UartBridge
from spikewright_boards.link.host import LoadReply, Result, ResultDecoder, beats, encode, encode_load
from spikewright_boards.link.protocol import LINE_ERROR, OVERFLOW, PROTOCOL_ERROR

FORM = StreamFormat(axon_bits=3, value_bits=2, input_bytes=1, output_bytes=2, classes=4)
DIVISOR = 8
BYTE = 10 * DIVISOR


def fake_scores(counts: Any) -> list[int]:
    """A network of the stand-in core: signed, and different for every input."""
    return [int((counts * (np.arange(8) - 2 * c)).sum()) - 7 * len(counts) for c in range(FORM.classes)]


class Bench:
    """A host, a bridge, and a core that is slow or stalls as it likes."""

    def __init__(self, *, depth: int = 16, stall: float = 0.0, frozen: Callable[[int], bool] = lambda beat: False):
        self.dut = UartBridge(FORM, divisor=DIVISOR, depth=depth)
        self.rng = random.Random(1)
        self.stall = stall
        self.frozen = frozen
        self.resets = 0
        self.decoder = ResultDecoder(FORM)
        self.results: list[Result] = []

    async def core(self, ctx: Any) -> None:
        """Takes events, answers; starts over when it is reset."""
        while True:
            while ctx.get(self.dut.core_reset):
                await ctx.tick()
            self.resets += 1
            await self._samples(ctx)
            ctx.set(self.dut.events.ready, 0)
            ctx.set(self.dut.results.valid, 0)

    async def _samples(self, ctx: Any) -> None:
        dut = self.dut
        taken = 0
        while True:
            steps, total = 0, np.zeros(8, dtype=int)
            last = 0
            while not last:
                ctx.set(dut.events.ready, self.rng.random() >= self.stall and not self.frozen(taken))
                _, _, valid, ready, word, last, reset = await ctx.tick().sample(
                    dut.events.valid, dut.events.ready, dut.events.payload.data, dut.events.payload.last, dut.core_reset
                )
                if reset:
                    return
                last &= valid & ready
                if valid and ready:
                    taken += 1
                    if word >> FORM.mark_bit:
                        steps += 1
                    else:
                        total[word & 7] += word >> 3
            ctx.set(dut.events.ready, 0)
            scores = fake_scores(np.vstack([total, *np.zeros((steps - 1, 8), dtype=int)]))
            for position, score in enumerate([*scores, int(np.argmax(scores))]):
                ctx.set(dut.results.payload, {"data": score & 0xFFFF, "last": position == FORM.classes})
                ctx.set(dut.results.valid, 1)
                while True:
                    _, _, ready, reset = await ctx.tick().sample(dut.results.ready, dut.core_reset)
                    if reset:
                        return
                    if ready:
                        break
                ctx.set(dut.results.valid, 0)

    async def listen(self, ctx: Any) -> None:
        while True:
            self.results += self.decoder.feed(await receive_byte(ctx, self.dut.tx, DIVISOR))

    async def send(self, ctx: Any, data: bytes, stop: int = 1) -> None:
        await send_bytes(ctx, self.dut.rx, data, DIVISOR, stop)

    async def wait(self, ctx: Any, results: int) -> None:
        for _ in range(200):
            if len(self.results) >= results:
                return
            await ctx.tick().repeat(BYTE)
        raise AssertionError(f"{len(self.results)} results, not {results}")

    def run(self, host: Callable[[Any], Any]) -> None:
        sim = Simulator(self.dut)
        sim.add_clock(1e-6)
        sim.add_testbench(host)
        sim.add_testbench(self.core, background=True)
        sim.add_testbench(self.listen, background=True)
        sim.run()


def sample(seed: int, steps: int = 3) -> Any:
    return np.random.default_rng(seed).integers(0, 4, (steps, 8))


def check(result: Result, counts: Any) -> None:
    assert list(result.scores) == fake_scores(counts)
    assert result.label == int(np.argmax(fake_scores(counts)))
    assert result.beats == beats(counts)


@pytest.mark.parametrize("stall", [0.0, 0.9])
def test_samples_travel_both_ways(stall: float) -> None:
    bench = Bench(stall=stall)
    samples = [sample(seed, steps) for seed, steps in enumerate((3, 1, 4))]

    async def host(ctx: Any) -> None:
        for number, counts in enumerate(samples):
            await bench.send(ctx, encode(counts, FORM))
            await bench.wait(ctx, number + 1)

    bench.run(host)
    for result, counts in zip(bench.results, samples, strict=True):
        check(result, counts)
        assert result.ok


def test_samples_in_one_go_are_kept_apart() -> None:
    bench = Bench(depth=64)
    samples = [sample(5), np.zeros((1, 8), dtype=int), sample(6)]

    async def host(ctx: Any) -> None:
        await bench.send(ctx, b"".join(encode(counts, FORM) for counts in samples))
        await bench.wait(ctx, 3)

    bench.run(host)
    for result, counts in zip(bench.results, samples, strict=True):
        check(result, counts)
        assert result.ok


def test_a_core_that_falls_behind_is_reported_not_hidden() -> None:
    slow = [True]
    bench = Bench(depth=4, frozen=lambda beat: slow[0])
    counts = np.full((1, 8), 3)

    async def host(ctx: Any) -> None:
        await bench.send(ctx, encode(counts, FORM))
        assert ctx.get(bench.dut.flags) == OVERFLOW
        slow[0] = False
        # The mark itself was dropped: another one ends the sample.
        await bench.send(ctx, encode(np.zeros((1, 8), dtype=int), FORM))
        await bench.wait(ctx, 1)
        # The flag stays, until a break.
        await bench.send(ctx, encode(counts, FORM))
        await bench.wait(ctx, 2)
        ctx.set(bench.dut.rx, 0)
        await ctx.tick().repeat(2 * BYTE)
        ctx.set(bench.dut.rx, 1)
        await ctx.tick().repeat(BYTE)
        await bench.send(ctx, encode(counts, FORM))
        await bench.wait(ctx, 3)

    bench.run(host)
    assert [result.flags for result in bench.results] == [OVERFLOW, OVERFLOW, 0]
    # Three beats wait in registers, four fill the queue: the last two are lost. Then the mark of the second sample.
    assert bench.results[0].beats == 8 == beats(counts) - 2 + 1
    check(bench.results[1], counts)
    check(bench.results[2], counts)


@pytest.mark.parametrize("progress", [0.0, 0.4, 0.8])
def test_a_break_in_the_middle_of_a_sample_starts_over(progress: float) -> None:
    bench = Bench()
    counts = sample(3)
    data = encode(sample(4), FORM)

    async def host(ctx: Any) -> None:
        await bench.send(ctx, data[: int(len(data) * progress)])
        ctx.set(bench.dut.rx, 0)
        await ctx.tick().repeat(3 * BYTE // 2)
        ctx.set(bench.dut.rx, 1)
        await ctx.tick().repeat(BYTE)
        await bench.send(ctx, encode(counts, FORM))
        await bench.wait(ctx, 1)

    bench.run(host)
    assert bench.resets == 2
    check(bench.results[0], counts)
    assert bench.results[0].ok


def test_a_break_cuts_a_result_short_and_the_next_is_whole() -> None:
    bench = Bench()
    counts = sample(7)

    async def host(ctx: Any) -> None:
        await bench.send(ctx, encode(sample(8), FORM))
        await ctx.tick().repeat(2 * BYTE)
        ctx.set(bench.dut.rx, 0)
        await ctx.tick().repeat(2 * BYTE)
        ctx.set(bench.dut.rx, 1)
        await ctx.tick().repeat(3 * BYTE)
        assert 0 < bench.decoder.dropped + len(bench.decoder._frame) < bench.decoder.frame_length
        await bench.send(ctx, encode(counts, FORM))
        await bench.wait(ctx, 1)

    bench.run(host)
    assert bench.decoder.dropped > 0
    check(bench.results[0], counts)


@pytest.mark.parametrize(("events", "taken"), [(4, 0), (4, 1), (4, 3), (4, 5), (4, 6), (0, 0), (0, 1), (0, 2)])
def test_an_image_waits_for_no_sample(events: int, taken: int) -> None:
    """Whether its beats wait, are in the core in part, or all of them: until the result left, an image is dropped."""
    form = replace(FORM, loadable=True)
    dut = Bridge(form, depth=16)
    decoder = ResultDecoder(form)
    counts = np.array([[1] * events + [0] * (8 - events)])
    whole = events + 1
    offered = []

    async def send(ctx: Any, data: bytes) -> None:
        for byte in data:
            ctx.set(dut.rx.payload, byte)
            ctx.set(dut.rx.valid, 1)
            await ctx.tick()
            ctx.set(dut.rx.valid, 0)
            await ctx.tick().repeat(9)

    async def host(ctx: Any) -> None:
        ctx.set(dut.tx.ready, 1)
        ctx.set(dut.loaded, 1)
        await send(ctx, encode(counts, form))
        for _ in range(min(taken, whole)):
            ctx.set(dut.events.ready, 1)
            await ctx.tick()
        ctx.set(dut.events.ready, 0)
        if taken > whole:
            for position in range(form.classes + 1):
                ctx.set(dut.results.payload, {"data": 1, "last": position == form.classes})
                ctx.set(dut.results.valid, 1)
                await ctx.tick().until(dut.results.ready)
            ctx.set(dut.results.valid, 0)
            await ctx.tick().repeat(30)
        ctx.set(dut.image.ready, 1)
        await send(ctx, encode_load(b"image", form))
        await ctx.tick().repeat(20)

    async def listen(ctx: Any) -> None:
        while True:
            _, _, valid, byte, image, beat = await ctx.tick().sample(
                dut.tx.valid, dut.tx.payload, dut.image.valid, dut.image.payload
            )
            if valid:
                decoder.feed(bytes([byte]))
            if image:
                offered.append(beat.data)

    sim = Simulator(dut)
    sim.add_clock(1e-6)
    sim.add_testbench(host)
    sim.add_testbench(listen, background=True)
    sim.run()
    if taken > whole:
        assert (bytes(offered), decoder.loads) == (b"image", [LoadReply(True, 0)])
    else:
        assert (offered, decoder.loads) == ([], [LoadReply(False, OVERFLOW)])


def test_lost_bits_on_the_line_are_reported() -> None:
    bench = Bench()
    counts = sample(9, 2)
    data = encode(counts, FORM)

    async def host(ctx: Any) -> None:
        await bench.send(ctx, data[:1], stop=0)
        await ctx.tick().repeat(BYTE)
        await bench.send(ctx, data[1:])
        await bench.wait(ctx, 1)
        await bench.send(ctx, b"\x11" + data)
        await bench.wait(ctx, 2)

    bench.run(host)
    # Frames are one byte here, so that the first event is gone, and nothing else.
    assert [result.flags for result in bench.results] == [LINE_ERROR, LINE_ERROR | PROTOCOL_ERROR]
    assert bench.results[0].beats == beats(counts) - 1
    check(bench.results[1], counts)
