"""The reset of a core, which reaches its parts through registers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from amaranth.sim import Simulator
from verilog_text import instances

from random_networks import random_counts, random_network
from spikewright.contract.names import LAYERS, Layers
from spikewright.integer.reference import IntegerNetwork
from spikewright.layout.pack import pack
from spikewright_hw.core import AxiCore
from spikewright_hw.verilog import generate
from spikewright_sim.core.dut import beats


@pytest.mark.parametrize("layers", LAYERS)
@pytest.mark.parametrize("length", [1, 3])
def test_a_reset_at_any_moment_leaves_a_core_that_takes_and_answers_nothing_for_three_cycles(
    layers: Layers, length: int
) -> None:
    network = random_network(21, (6, 5, 3), recurrent=(True,), timesteps=4)
    core = AxiCore(pack(network, 2, layers=layers))
    counts = random_counts(21, network, 2)
    trace = IntegerNetwork(network).run(torch.as_tensor(counts))
    assert trace.classes[0] != trace.classes[1] or (trace.scores[0] != trace.scores[1]).any()
    stream = core.format.widths()
    samples = [beats(sample, stream) for sample in counts]
    answers: list[int] = []
    busy: list[bool] = []

    async def play(ctx: Any, sent: list[tuple[int, int]], cycles: int) -> list[int]:
        """Offer beats; the first few scores that came."""
        left = list(sent)
        got = []
        for _ in range(cycles):
            ctx.set(core.s_axis_tvalid, bool(left))
            if left:
                ctx.set(core.s_axis_tdata, left[0][0])
                ctx.set(core.s_axis_tlast, left[0][1])
            if ctx.get(core.m_axis_tvalid):
                got.append(ctx.get(core.m_axis_tdata))
            taken = bool(left) and ctx.get(core.s_axis_tready)
            await ctx.tick()
            if taken:
                left.pop(0)
        return got

    async def bench(ctx: Any) -> None:
        ctx.set(core.m_axis_tready, 1)
        full = await play(ctx, samples[0], 200)
        answers.extend(full)
        # Cut off another sample after 1 .. 60 cycles, and ask for the first one again.
        for moment in range(1, 64, 9):
            await play(ctx, samples[1], moment)
            ctx.set(core.rst, 1)
            await ctx.tick().repeat(length)
            ctx.set(core.rst, 0)
            for _ in range(3):
                ctx.set(core.s_axis_tvalid, 1)
                ctx.set(core.s_axis_tdata, samples[0][0][0])
                busy.append(bool(ctx.get(core.s_axis_tready) | ctx.get(core.m_axis_tvalid) | ctx.get(core.trace_valid)))
                await ctx.tick()
            assert ctx.get(core.s_axis_tready) == 1
            assert await play(ctx, samples[0], 200) == full, f"after a reset in cycle {moment}"

    simulator = Simulator(core)
    simulator.add_clock(1e-8)
    simulator.add_testbench(bench)
    simulator.run()
    mask = (1 << 8 * core.format.output_bytes) - 1
    assert answers == [*(trace.scores[0].numpy() & mask).tolist(), int(trace.classes[0])]
    assert not any(busy)


def test_every_lane_has_a_register_of_its_own(tmp_path: Path) -> None:
    generate(pack(random_network(22, (6, 8, 4)), 4), tmp_path)
    text = (tmp_path / "spikewright_core.v").read_text()
    # Synthesis makes no single one of them, and none has a hierarchy that is kept, which breaks Gowin's ports.
    assert "    (* keep *)\n    always @(posedge clk) q <= d;\n" in text
    assert "keep_hierarchy" not in text
    # The guard; of both layers the lanes, their control, and what surrounds them.
    assert instances(text, "spikewright_core")["spikewright_reset"] == 1 + 2 * (1 + 4 + 2)
