# amaranth: UnusedElaboratable=no
"""The real core behind the real bridge, from bits of the serial line to bits of the serial line."""

from collections.abc import Callable
from typing import Any

import torch
from amaranth.hdl import Fragment, Module, ResetInserter, Signal
from amaranth.sim import Simulator

from random_networks import random_counts, random_network
from serial_line import receive_byte, send_bytes
from spikewright.contract.core import CoreSpec
from spikewright.integer.reference import IntegerNetwork
from spikewright.layout.capacity import capacity_for, pack_into
from spikewright.layout.pack import pack
from spikewright_boards.link.bridge import Bridge, UartBridge
from spikewright_boards.link.host import LoadReply, Result, ResultDecoder, beats, encode, encode_load
from spikewright_boards.link.protocol import OVERFLOW, PROTOCOL_ERROR, UNLOADED
from spikewright_hw.core import AxiCore

DIVISOR = 8
BYTE = 12
"""Cycles between two bytes where there is no line: enough for what follows a frame."""


class Bytes:
    """A host that exchanges bytes with what `BoardTop` builds, without its serial line."""

    def __init__(self, spec: CoreSpec) -> None:
        self.core = core = AxiCore(spec)
        self.stream = stream = core.format
        self.top = m = Module()
        self.bridge = bridge = self.make_bridge()
        m.submodules.core = core
        m.d.comb += [
            core.rst.eq(self.reset),
            core.s_axis_tdata.eq(bridge.events.payload.data),
            core.s_axis_tlast.eq(bridge.events.payload.last),
            core.s_axis_tvalid.eq(bridge.events.valid),
            bridge.events.ready.eq(core.s_axis_tready),
            bridge.results.payload.data.eq(core.m_axis_tdata),
            bridge.results.payload.last.eq(core.m_axis_tlast),
            bridge.results.valid.eq(core.m_axis_tvalid),
            core.m_axis_tready.eq(bridge.results.ready),
        ]
        if spec.loadable:
            m.d.comb += [
                core.s_load_tdata.eq(bridge.image.payload.data),
                core.s_load_tlast.eq(bridge.image.payload.last),
                core.s_load_tvalid.eq(bridge.image.valid),
                bridge.image.ready.eq(core.s_load_tready),
                bridge.loaded.eq(core.loaded),
                bridge.load_error.eq(core.load_error),
            ]
        self.decoder = ResultDecoder(stream)
        self.results: list[Result] = []

    def make_bridge(self) -> Any:
        self.reset = Signal()
        bridge = Bridge(self.stream, depth=32)
        self.top.submodules.bridge = ResetInserter(self.reset)(bridge)
        return bridge

    async def send(self, ctx: Any, data: bytes) -> None:
        for byte in data:
            ctx.set(self.bridge.rx.payload, byte)
            ctx.set(self.bridge.rx.valid, 1)
            await ctx.tick()
            ctx.set(self.bridge.rx.valid, 0)
            await ctx.tick().repeat(BYTE - 1)

    async def send_break(self, ctx: Any) -> None:
        ctx.set(self.reset, 1)
        await ctx.tick()
        ctx.set(self.reset, 0)

    async def listen(self, ctx: Any) -> None:
        ctx.set(self.bridge.tx.ready, 1)
        while True:
            _, _, valid, byte = await ctx.tick().sample(self.bridge.tx.valid, self.bridge.tx.payload)
            if valid:
                self.results += self.decoder.feed(bytes([byte]))

    async def ask(self, ctx: Any, data: bytes) -> None:
        """Send, and wait for one more answer."""
        before = len(self.results) + len(self.decoder.loads)
        await self.send(ctx, data)
        for _ in range(500):
            if len(self.results) + len(self.decoder.loads) > before:
                return
            await ctx.tick().repeat(BYTE)
        raise AssertionError("no answer")

    def run(self, host: Callable[[Any], Any]) -> None:
        sim = Simulator(self.top)
        sim.add_clock(1e-6)
        sim.add_testbench(host)
        sim.add_testbench(self.listen, background=True)
        sim.run()


class Line(Bytes):
    """With the serial line."""

    def make_bridge(self) -> Any:
        self.top.submodules.bridge = bridge = UartBridge(self.stream, divisor=DIVISOR, depth=32)
        self.reset = bridge.core_reset
        return bridge

    async def send(self, ctx: Any, data: bytes) -> None:
        await send_bytes(ctx, self.bridge.rx, data, DIVISOR)

    async def send_break(self, ctx: Any) -> None:
        ctx.set(self.bridge.rx, 0)
        await ctx.tick().repeat(15 * DIVISOR)
        ctx.set(self.bridge.rx, 1)
        await ctx.tick().repeat(10 * DIVISOR)

    async def listen(self, ctx: Any) -> None:
        while True:
            self.results += self.decoder.feed(await receive_byte(ctx, self.bridge.tx, DIVISOR))


def test_samples_and_a_break_in_between_match_the_integer_network() -> None:
    network = random_network(4, (12, 9, 7, 5), timesteps=6)
    line = Line(pack(network, 2))
    counts = random_counts(4, network, 3)
    trace = IntegerNetwork(network).run(torch.as_tensor(counts))
    assert len(set(map(tuple, trace.scores.tolist()))) == 3

    async def host(ctx: Any) -> None:
        for number, sample in enumerate(counts):
            data = encode(sample, line.stream)
            if number == 1:
                # A break in the middle of a sample, which leaves spikes in flight and membranes half way.
                await line.send(ctx, encode(counts[2], line.stream)[: len(data) // 2])
                await line.send_break(ctx)
            await line.ask(ctx, data)

    line.run(host)
    assert [list(result.scores) for result in line.results] == trace.scores.tolist()
    assert [result.label for result in line.results] == trace.classes.tolist()
    assert [result.beats for result in line.results] == [beats(sample) for sample in counts]
    assert all(result.ok for result in line.results)


class Host:
    """With two networks for one core: load images, a sample, and what each network says of it."""

    def __init__(self, line: type[Bytes], sizes: tuple[int, ...] = (5, 6, 3)) -> None:
        networks = [random_network(seed, sizes, density=density, timesteps=4) for seed, density in ((1, 1.0), (2, 0.7))]
        capacity = capacity_for(networks, 1)
        specs = [pack_into(network, 1, capacity) for network in networks]
        self.line = line(specs[0])
        self.images = []
        for spec in specs:
            core = AxiCore(spec)
            Fragment.get(core, None)
            assert core.loader is not None
            self.images.append(encode_load(core.loader.image(), self.line.stream))
        counts = random_counts(2, networks[0], 1)
        self.sample = encode(counts[0], self.line.stream)
        traces = [IntegerNetwork(network).run(torch.as_tensor(counts)) for network in networks]
        self.expected = [tuple(trace.scores[0].tolist()) for trace in traces]
        assert self.expected[0] != self.expected[1]

    @property
    def answered(self) -> list[int]:
        """Network that each result is of."""
        return [self.expected.index(result.scores) for result in self.line.results]


def test_networks_are_loaded_over_the_line_one_after_the_other() -> None:
    made = Host(Line, (3, 2))
    line = made.line

    async def host(ctx: Any) -> None:
        await line.ask(ctx, made.images[0])
        assert ctx.get(line.bridge.loaded) == 1
        await line.ask(ctx, made.sample)
        # A break forgets the image, even half of the next one.
        await line.send(ctx, made.images[0][:20])
        await line.send_break(ctx)
        assert (ctx.get(line.bridge.loaded), ctx.get(line.bridge.load_error)) == (0, 0)
        await line.ask(ctx, made.images[1])
        await line.ask(ctx, made.sample)

    line.run(host)
    assert made.answered == [0, 1]
    assert all(result.ok for result in line.results)
    assert line.decoder.loads == [LoadReply(True, 0)] * 2
    assert line.decoder.dropped == 0


def test_images_and_samples_in_any_order_and_in_one_go() -> None:
    made = Host(Bytes)
    line = made.line

    async def host(ctx: Any) -> None:
        for number in (0, 1, 1, 0):
            await line.ask(ctx, made.images[number])
            await line.ask(ctx, made.sample)
            await line.ask(ctx, made.sample)
        # The image is complete long before the first event of the sample.
        await line.send(ctx, made.images[1] + made.sample)
        await ctx.tick().repeat(500)

    line.run(host)
    assert made.answered == [0, 0, 1, 1, 1, 1, 0, 0, 1]
    assert all(result.ok for result in line.results)
    assert line.decoder.loads == [LoadReply(True, 0)] * 5


def test_a_damaged_image_is_refused_and_told() -> None:
    made = Host(Bytes)
    line = made.line
    whole = made.images[0]
    middle = len(whole) // 2

    async def host(ctx: Any) -> None:
        await line.ask(ctx, made.images[1])
        await line.ask(ctx, made.sample)
        flipped = bytearray(whole)
        flipped[middle] ^= 4
        await line.ask(ctx, bytes(flipped))
        assert (ctx.get(line.bridge.loaded), ctx.get(line.bridge.load_error)) == (0, 1)
        # A sample for no network is lost, and told.
        await line.send(ctx, made.sample)
        await ctx.tick().repeat(20 * BYTE)
        assert ctx.get(line.bridge.flags) == UNLOADED
        # A byte is lost; the flag stays.
        await line.ask(ctx, whole[:middle] + whole[middle + 1 :])
        await line.send_break(ctx)
        await line.ask(ctx, whole)
        await line.ask(ctx, made.sample)

    line.run(host)
    assert line.decoder.loads == [
        LoadReply(True, 0),
        LoadReply(False, 0),
        LoadReply(False, UNLOADED),
        LoadReply(True, 0),
    ]
    assert [reply.ok for reply in line.decoder.loads] == [True, False, False, True]
    assert made.answered == [1, 0]
    assert all(result.ok for result in line.results)


def test_a_break_in_the_middle_of_an_image_starts_over() -> None:
    made = Host(Bytes)
    line = made.line

    async def host(ctx: Any) -> None:
        await line.ask(ctx, made.images[1])
        for share in (0.02, 0.5, 0.99):
            await line.send(ctx, made.images[0][: int(len(made.images[0]) * share)])
            await line.send_break(ctx)
            assert (ctx.get(line.bridge.loaded), ctx.get(line.bridge.load_error)) == (0, 0)
        await line.ask(ctx, made.images[0])
        await line.ask(ctx, made.sample)

    line.run(host)
    assert line.decoder.loads == [LoadReply(True, 0)] * 2
    assert made.answered == [0]
    assert line.results[0].ok


def test_an_image_between_the_parts_of_a_sample_is_dropped_and_told() -> None:
    made = Host(Bytes)
    line = made.line
    half = len(made.sample) // 2 & ~1

    async def host(ctx: Any) -> None:
        await line.ask(ctx, made.images[0])
        await line.send(ctx, made.sample[:half])
        await line.ask(ctx, made.images[1])
        assert (ctx.get(line.bridge.loaded), ctx.get(line.bridge.load_error)) == (1, 0)
        await line.ask(ctx, made.sample[half:])

    line.run(host)
    assert line.decoder.loads == [LoadReply(True, 0), LoadReply(False, OVERFLOW)]
    # The sample is whole, and the network the one before; the flag tells that something was lost.
    assert made.answered == [0]
    assert line.results[0].flags == OVERFLOW


def test_an_image_that_a_sample_cuts_short_is_refused_and_told() -> None:
    made = Host(Bytes)
    line = made.line

    async def host(ctx: Any) -> None:
        await line.ask(ctx, made.images[1][:-10] + made.sample)
        await line.ask(ctx, made.images[1])
        await line.ask(ctx, made.sample)

    line.run(host)
    flags = PROTOCOL_ERROR | UNLOADED
    assert line.decoder.loads == [LoadReply(False, flags), LoadReply(True, flags)]
    assert made.answered == [1]
    assert line.results[0].flags == flags
