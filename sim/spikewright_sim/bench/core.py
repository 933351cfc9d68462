"""cocotb bench of a whole core: runs the samples of a job and records all that the core shows.

The comparison happens outside of the simulator, see `scoreboard`; the job and the recording are JSON files that the
environment names, see `runner`.
"""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import FallingEdge

from spikewright_sim.bench.stream import Port, StreamDriver, StreamMonitor
from spikewright_sim.core.recording import Recording


async def load(dut: Any, weights: bytes, rng: random.Random, traced: bool) -> bool:
    """Send a load image; whether the core has taken it."""
    driver = StreamDriver(Port.axi(dut, "s_load"), rng)
    driver.send((value, int(k == len(weights) - 1)) for k, value in enumerate(weights))
    while not driver.idle:
        driver.step()
        if (traced and int(dut.trace_valid.value)) or int(dut.m_axis_tvalid.value) or int(dut.s_axis_tready.value):
            raise AssertionError("the core is at work before it is loaded")
        await FallingEdge(dut.clk)
    driver.step()
    while not int(dut.loaded.value) and not int(dut.load_error.value):
        await FallingEdge(dut.clk)
    return bool(int(dut.loaded.value))


@cocotb.test()
async def run_job(dut: Any) -> None:
    job = json.loads(Path(os.environ["SPIKEWRIGHT_JOB"]).read_text())
    rng = random.Random(job["seed"])
    layers = job["layers"] if job["traced"] else 0
    rows = [(getattr(dut, f"trace{k}_row"), getattr(dut, f"trace{k}_v")) for k in range(layers)]
    fired = [getattr(dut, f"trace{k}_spikes", None) for k in range(layers)]
    seen = Recording(rows=[[] for _ in range(job["layers"])])
    driver = StreamDriver(Port.axi(dut, "s_axis"), rng)
    monitor = StreamMonitor(Port.axi(dut, "m_axis"), rng)
    dut.rst.value = 1
    Clock(dut.clk, 2, unit="ns").start()
    for _ in range(3):
        await FallingEdge(dut.clk)
    dut.rst.value = 0
    if job["weights"]:
        seen.refused = not await load(dut, bytes.fromhex(job["weights"]), rng, job["traced"])
        if seen.refused:
            Path(os.environ["SPIKEWRIGHT_RECORDING"]).write_text(json.dumps(vars(seen)))
            return
    cycle = 0
    results = 0
    pause = job["settle"]
    waiting = list(reversed(job["samples"]))
    progress = Path(os.environ["SPIKEWRIGHT_PROGRESS"])
    last_sign = 0
    while results < len(job["samples"]) and cycle - last_sign < job["patience"]:
        if driver.idle and waiting and pause == 0:
            # An isolated sample starts in a core that has finished, and cleared, the one before.
            sample = waiting[-1]
            if not sample["isolated"] or results == len(job["samples"]) - len(waiting):
                waiting.pop()
                driver.stall = monitor.stall = sample["stall"]
                driver.send([tuple(beat) for beat in sample["beats"]])
                seen.starts.append(cycle)
        elif pause:
            pause -= 1
            last_sign = cycle
        if driver.step():
            last_sign = cycle
            if driver.idle:
                seen.accepted.append(cycle)
        beat = monitor.step()
        if beat is not None:
            last_sign = cycle
            seen.beats.append((cycle, beat[0], beat[1]))
            if beat[1]:
                results += 1
                pause = job["settle"] if waiting and waiting[-1]["isolated"] else 0
                progress.write_text(str(results))
        valid = int(dut.trace_valid.value) if job["traced"] else 0
        if valid:
            last_sign = cycle
            for k in range(layers):
                if valid >> k & 1:
                    row, v = rows[k]
                    spikes = fired[k]
                    seen.rows[k].append(
                        (cycle, int(row.value), int(spikes.value) if spikes is not None else 0, int(v.value))
                    )
        await FallingEdge(dut.clk)
        cycle += 1
    Path(os.environ["SPIKEWRIGHT_RECORDING"]).write_text(json.dumps(vars(seen)))
