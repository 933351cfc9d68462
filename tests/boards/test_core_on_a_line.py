# amaranth: UnusedElaboratable=no
"""The real core behind the real bridge, from bits of the serial line to bits of the serial line."""

from typing import Any

import torch
from amaranth.hdl import Module, ResetInserter
from amaranth.sim import Simulator

from random_networks import random_counts, random_network
from spikewright.integer import IntegerNetwork
from spikewright.pack import pack
from spikewright_boards.bridge import UartBridge
from spikewright_boards.protocol import Result, ResultDecoder, StreamFormat, beats, encode
from spikewright_hw.core import AxiCore

DIVISOR = 8


def board(core: AxiCore, stream: StreamFormat) -> tuple[Module, UartBridge]:
    """What `BoardTop` builds, without pins."""
    m = Module()
    m.submodules.bridge = bridge = UartBridge(stream, divisor=DIVISOR, depth=32)
    m.submodules.core = ResetInserter(bridge.core_reset)(core)
    m.d.comb += [
        core.s_axis_tdata.eq(bridge.events.payload.data),
        core.s_axis_tlast.eq(bridge.events.payload.last),
        core.s_axis_tvalid.eq(bridge.events.valid),
        bridge.events.ready.eq(core.s_axis_tready),
        bridge.results.payload.data.eq(core.m_axis_tdata),
        bridge.results.payload.last.eq(core.m_axis_tlast),
        bridge.results.valid.eq(core.m_axis_tvalid),
        core.m_axis_tready.eq(bridge.results.ready),
    ]
    return m, bridge


def test_samples_and_a_break_in_between_match_the_integer_network() -> None:
    network = random_network(4, (12, 9, 7, 5), timesteps=6)
    core = AxiCore(pack(network, 2))
    stream = StreamFormat(
        axon_bits=core.axon_bits,
        value_bits=core.value_bits,
        input_bytes=core.input_bytes,
        output_bytes=core.output_bytes,
        classes=network.classes,
    )
    top, bridge = board(core, stream)
    counts = random_counts(4, network, 3)
    trace = IntegerNetwork(network).run(torch.as_tensor(counts.swapaxes(0, 1)))
    assert len(set(map(tuple, trace.scores.tolist()))) == 3
    results: list[Result] = []
    decoder = ResultDecoder(stream)

    async def send(ctx: Any, data: bytes) -> None:
        for byte in data:
            for level in (0, *((byte >> k) & 1 for k in range(8)), 1):
                ctx.set(bridge.rx, level)
                await ctx.tick().repeat(DIVISOR)

    async def host(ctx: Any) -> None:
        for number, sample in enumerate(counts):
            data = encode(sample, stream)
            if number == 1:
                # A break in the middle of a sample, which leaves spikes in flight and membranes half way.
                await send(ctx, encode(counts[2], stream)[: len(data) // 2])
                ctx.set(bridge.rx, 0)
                await ctx.tick().repeat(15 * DIVISOR)
                ctx.set(bridge.rx, 1)
                await ctx.tick().repeat(10 * DIVISOR)
            await send(ctx, data)
            for _ in range(500):
                if len(results) > number:
                    break
                await ctx.tick().repeat(10 * DIVISOR)

    async def listen(ctx: Any) -> None:
        while True:
            await ctx.negedge(bridge.tx)
            byte = 0
            await ctx.tick().repeat(DIVISOR // 2)
            for position in range(8):
                await ctx.tick().repeat(DIVISOR)
                byte |= ctx.get(bridge.tx) << position
            await ctx.tick().repeat(DIVISOR)
            results.extend(decoder.feed(bytes([byte])))

    sim = Simulator(top)
    sim.add_clock(1e-6)
    sim.add_testbench(host)
    sim.add_testbench(listen, background=True)
    sim.run()
    assert [list(result.scores) for result in results] == trace.scores.tolist()
    assert [result.label for result in results] == trace.classes.tolist()
    assert [result.beats for result in results] == [beats(sample) for sample in counts]
    assert all(result.ok for result in results)
